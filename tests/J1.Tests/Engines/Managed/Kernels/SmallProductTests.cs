using J1.Engines.Managed.Kernels;

namespace J1.Tests.Engines.Managed.Kernels;

[Collection("simd")]
public sealed unsafe class SmallProductTests
{
    [Fact]
    public void Every_shape_equals_plain_loops_to_the_bit()
    {
        foreach (var bits in Simd.Supported)
            foreach (var rows in (int[])[1, 2, 5, 12, 13, 40])
                foreach (var (terms, columns) in ((int, int)[])[(1, 1), (6, 33), (64, 64), (100, 7), (700, 31)])
                    foreach (var accumulate in (bool[])[false, true])
                    {
                        int lda = terms + 2, ldb = columns + SmallProduct.Slack, ldc = columns + SmallProduct.Slack;
                        using NativeBuffer a = RowKernelsTests.Random(rows * lda, 1), b = RowKernelsTests.Random(terms * ldb, 2);
                        using NativeBuffer want = RowKernelsTests.Random(rows * ldc, 3), got = RowKernelsTests.Random(rows * ldc, 3);
                        Naive.Multiply(GemmLayout.NN, rows, columns, terms, a.Pointer, lda, b.Pointer, ldb, want.Pointer, ldc, accumulate);
                        Simd.With(bits, 1, () => SmallProduct.Multiply(rows, terms, a.Pointer, lda, b.Pointer, ldb, got.Pointer, ldc, columns, accumulate));
                        for (var row = 0; row < rows; row++)
                            Assert.True(want.Slice(row * ldc, columns).SequenceEqual(got.Slice(row * ldc, columns)), $"{bits} bits, {rows} x {terms} x {columns}, accumulate {accumulate}, row {row}");
                    }
    }
}
