using J1.Engines;
using J1.Engines.Managed.Kernels;

namespace J1.Tests.Engines.Managed.Kernels;

[Collection("simd")]
public sealed unsafe class GemmTests
{
    private static readonly int[] Sizes = [1, 3, 7, 12, 13, 25, 31, 32, 33, 64, 100];

    public static TheoryData<GemmLayout, bool> Layouts => new()
    {
        { GemmLayout.NT, false }, { GemmLayout.NT, true }, { GemmLayout.NN, false }, { GemmLayout.NN, true }, { GemmLayout.TN, false }, { GemmLayout.TN, true },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Every_shape_equals_plain_loops_to_the_bit(GemmLayout layout, bool accumulate)
    {
        foreach (var k in (int[])[1, 5, 32, 100])
            foreach (var m in Sizes)
                foreach (var n in Sizes)
                    AssertEqualsPlainLoops(layout, m, n, k, accumulate);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Sums_longer_than_a_block_go_on_where_it_ended(GemmLayout layout, bool accumulate)
    {
        foreach (var (m, n) in ((int, int)[])[(1, 40), (20, 70), (50, 35), (40, 130)])
            foreach (var k in (int[])[640, 641, 1300])
                AssertEqualsPlainLoops(layout, m, n, k, accumulate);
    }

    [Theory]
    [InlineData(GemmLayout.NT)]
    [InlineData(GemmLayout.NN)]
    [InlineData(GemmLayout.TN)]
    public void Operands_of_more_than_4096_vectors_are_shared_in_parts(GemmLayout layout)
    {
        AssertEqualsPlainLoops(layout, 4100, 4110, 3, accumulate: true);
        AssertEqualsPlainLoops(layout, 4110, 4100, 3, accumulate: true);
    }

    [Fact]
    public void A_row_has_the_same_bits_alone_and_in_company_on_one_thread_and_on_two()
    {
        const int m = 37, n = 1300, k = 700;
        using var a = Random(m * k, 4);
        using var b = Random(n * k, 5);
        foreach (var bits in Simd.Supported)
        {
            using var together = new NativeBuffer(m * n);
            using var alone = new NativeBuffer(m * n);
            using var packed = new NativeBuffer(m * n);
            using var oneByOne = new NativeBuffer(m * n);
            Simd.With(bits, threads: 2, () =>
            {
                using var matrix = new PackedMatrix(b.Pointer, n, k);
                Gemm.Multiply(GemmLayout.NT, m, n, k, a.Pointer, k, b.Pointer, k, together.Pointer, n, false);
                for (var row = 0; row < m; row++) Gemm.MultiplyOnThisThread(GemmLayout.NT, 1, n, k, a.Pointer + row * k, k, b.Pointer, k, alone.Pointer + row * n, n, false);
                Gemm.MultiplyPacked(m, a.Pointer, k, matrix, packed.Pointer, n);
                for (var row = 0; row < m; row++) Gemm.MultiplyPacked(1, a.Pointer + row * k, k, matrix, oneByOne.Pointer + row * n, n);
            });
            Assert.True(together.Span.SequenceEqual(alone.Span), $"{bits} bits, alone");
            Assert.True(together.Span.SequenceEqual(packed.Span), $"{bits} bits, packed");
            Assert.True(together.Span.SequenceEqual(oneByOne.Span), $"{bits} bits, packed and alone");
        }
    }

    [Fact]
    public void Packed_products_equal_plain_loops_on_odd_shapes()
    {
        foreach (var m in Sizes)
            foreach (var (n, k) in ((int, int)[])[(1, 1), (33, 7), (64, 32), (100, 130)])
            {
                using var a = Random(m * (k + 1), 6);
                using var b = Random(n * k, 7);
                using var expected = new NativeBuffer(m * (n + 3));
                Naive.Multiply(GemmLayout.NT, m, n, k, a.Pointer, k + 1, b.Pointer, k, expected.Pointer, n + 3, false);
                foreach (var bits in Simd.Supported)
                {
                    using var actual = new NativeBuffer(m * (n + 3));
                    Simd.With(bits, threads: 2, () =>
                    {
                        using var matrix = new PackedMatrix(b.Pointer, n, k);
                        Gemm.MultiplyPacked(m, a.Pointer, k + 1, matrix, actual.Pointer, n + 3);
                    });
                    Assert.True(expected.Span.SequenceEqual(actual.Span), $"{bits} bits, {m} x {n} x {k}");
                }
            }
    }

    [Fact]
    public void A_sum_of_no_terms_is_zero_or_what_was_there()
    {
        using var c = Random(6, 8);
        var before = c.Span.ToArray();
        Gemm.Multiply(GemmLayout.NT, 2, 3, 0, c.Pointer, 1, c.Pointer, 1, c.Pointer, 3, accumulate: true);
        Assert.Equal(before, c.Span.ToArray());
        Gemm.Multiply(GemmLayout.NT, 2, 3, 0, c.Pointer, 1, c.Pointer, 1, c.Pointer, 3, accumulate: false);
        Assert.Equal(new float[6], c.Span.ToArray());
    }

    // Rows are further apart than they are long, and what lies between them must stay.
    private static void AssertEqualsPlainLoops(GemmLayout layout, int m, int n, int k, bool accumulate)
    {
        int lda = (layout == GemmLayout.TN ? m : k) + 3, ldb = (layout == GemmLayout.NT ? k : n) + 2, ldc = n + 5;
        using var a = Random(lda * (layout == GemmLayout.TN ? k : m), 1);
        using var b = Random(ldb * (layout == GemmLayout.NT ? n : k), 2);
        using var expected = Random(ldc * m, 3);
        Naive.Multiply(layout, m, n, k, a.Pointer, lda, b.Pointer, ldb, expected.Pointer, ldc, accumulate);
        foreach (var bits in Simd.Supported)
            foreach (var threads in (int[])[1, 2])
            {
                using var actual = Random(ldc * m, 3);
                Simd.With(bits, threads, () => Gemm.Multiply(layout, m, n, k, a.Pointer, lda, b.Pointer, ldb, actual.Pointer, ldc, accumulate));
                Assert.True(expected.Span.SequenceEqual(actual.Span), $"{layout} {bits} bits, {threads} threads, {m} x {n} x {k}, accumulate {accumulate}");
            }
    }

    private static NativeBuffer Random(int length, ulong seed)
    {
        var buffer = new NativeBuffer(length, zeroed: false);
        var random = SplitMix.For(seed, 0);
        foreach (ref var x in buffer.Span) x = (float)(random.NextDouble() - 0.5);
        return buffer;
    }
}
