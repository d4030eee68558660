using J1.Engines;
using J1.Engines.Managed.Kernels;

namespace J1.Tests.Engines.Managed.Kernels;

[Collection("simd")]
public sealed unsafe class GemmTests
{
    private static readonly int[] Widths = [512, 256, 0];

    public static TheoryData<GemmLayout, bool> Layouts => new()
    {
        { GemmLayout.NT, false }, { GemmLayout.NT, true }, { GemmLayout.NN, false }, { GemmLayout.NN, true }, { GemmLayout.TN, false }, { GemmLayout.TN, true },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Every_shape_equals_plain_loops_to_the_bit(GemmLayout layout, bool accumulate)
    {
        int[] sizes = [1, 3, 7, 12, 13, 31, 33, 65];
        foreach (var bits in Supported())
            foreach (var m in sizes)
                foreach (var n in sizes)
                    foreach (var k in (int[])[1, 5, 32, 100, 515])
                    {
                        using var a = Random(700_000, 1);
                        using var b = Random(700_000, 2);
                        using var expected = Random(70 * 80, 3);
                        using var actual = Random(70 * 80, 3);
                        int lda = (layout == GemmLayout.TN ? m : k) + 3, ldb = (layout == GemmLayout.NT ? k : n) + 2, ldc = n + 5;
                        Naive.Multiply(layout, m, n, k, a.Pointer, lda, b.Pointer, ldb, expected.Pointer, ldc, accumulate);
                        With(bits, () => Gemm.Multiply(layout, m, n, k, a.Pointer, lda, b.Pointer, ldb, actual.Pointer, ldc, accumulate));
                        Assert.True(expected.Span.SequenceEqual(actual.Span), $"{layout} {bits} bits, {m} x {n} x {k}, accumulate {accumulate}");
                    }
    }

    [Fact]
    public void A_row_has_the_same_bits_alone_and_in_company_on_one_thread_and_on_two()
    {
        const int m = 37, n = 1300, k = 600;
        using var a = Random(m * k, 4);
        using var b = Random(n * k, 5);
        using var together = new NativeBuffer(m * n);
        using var alone = new NativeBuffer(m * n);
        using var packed = new NativeBuffer(m * n);
        using var matrix = new PackedMatrix(b.Pointer, n, k);
        Gemm.Multiply(GemmLayout.NT, m, n, k, a.Pointer, k, b.Pointer, k, together.Pointer, n, false);
        for (var row = 0; row < m; row++) Gemm.MultiplyOnThisThread(GemmLayout.NT, 1, n, k, a.Pointer + row * k, k, b.Pointer, k, alone.Pointer + row * n, n, false);
        Gemm.MultiplyPacked(m, a.Pointer, k, matrix, packed.Pointer, n);
        Assert.True(together.Span.SequenceEqual(alone.Span));
        Assert.True(together.Span.SequenceEqual(packed.Span));
    }

    private static IEnumerable<int> Supported() => Widths.Where(bits => bits <= Gemm.SimdBits);

    private static void With(int bits, Action body)
    {
        var before = Gemm.SimdBits;
        Gemm.SimdBits = bits;
        try { body(); }
        finally { Gemm.SimdBits = before; }
    }

    private static NativeBuffer Random(int length, ulong seed)
    {
        var buffer = new NativeBuffer(length);
        var random = SplitMix.For(seed, 0);
        foreach (ref var x in buffer.Span) x = (float)(random.NextDouble() - 0.5);
        return buffer;
    }
}
