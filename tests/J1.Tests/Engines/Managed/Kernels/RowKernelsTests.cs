using System.Runtime.Intrinsics;
using J1.Engines;
using J1.Engines.Managed.Kernels;

namespace J1.Tests.Engines.Managed.Kernels;

/// <summary>The row operations against their plain twins, at lengths around whole vectors and beyond a block.</summary>
public sealed unsafe class RowKernelsTests
{
    public static TheoryData<int> Sizes => [1, 2, 7, 15, 16, 17, 31, 64, 65, 576, 1023, 1024, 1025, 2500];

    [Fact]
    public void Exp_is_right_to_its_last_bits_over_the_whole_range()
    {
        var worst = 0.0;
        for (var x = -87.3; x <= 88; x += 0.00173)
        {
            var exact = Math.Exp((float)x);
            worst = Math.Max(worst, Math.Abs(Exp((float)x) - exact) / exact);
        }
        // Small numbers, where attention's and the vocabulary's largest terms are.
        for (var x = -1f; x < -1e-9f; x *= 0.99f) worst = Math.Max(worst, Math.Abs(Exp(x) - Math.Exp(x)) / Math.Exp(x));
        Assert.InRange(worst, 0, 1e-7);
        Assert.Equal(1, Exp(0));
        Assert.Equal(1, Exp(-0f));
        Assert.Equal(0, Exp(-88));
        Assert.Equal(0, Exp(-1e30f));
        Assert.Equal(0, Exp(float.NegativeInfinity));
        Assert.True(float.IsNaN(Exp(float.NaN)));
        for (var x = -88f; x < -87.3f; x += 0.001f) Assert.Equal(Math.Exp(x), Exp(x), 1e-38);
    }

    [Fact]
    public void Sigmoid_is_right_and_stays_between_0_and_1()
    {
        for (var x = -80f; x < 80; x += 0.0137f)
        {
            var exact = 1 / (1 + Math.Exp(-(double)x));
            Assert.InRange(VectorMath.Sigmoid(Vector512.Create(x))[3], exact * (1 - 3e-7), Math.Min(1, exact * (1 + 3e-7)));
        }
        Assert.Equal(0, VectorMath.Sigmoid(Vector512.Create(-1e20f))[0]);
        Assert.Equal(1, VectorMath.Sigmoid(Vector512.Create(1e20f))[0]);
    }

    [Fact]
    public void A_sum_takes_every_lane_once()
    {
        Assert.Equal((1 << 16) - 1, VectorMath.Sum(Vector512.Create(Enumerable.Range(0, 16).Select(lane => (float)(1 << lane)).ToArray())));
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void RmsNorm_forward_and_backward(int size)
    {
        using var x = Random(size, 1, 2);
        using var weight = Random(size, 2);
        using var dy = Random(size, 3);
        using NativeBuffer want = new(size), got = new(size), wantX = Random(size, 4), gotX = Random(size, 4), wantWeight = Random(size, 5), gotWeight = Random(size, 5);
        var r = Naive.RmsNorm(x.Pointer, weight.Pointer, size, 1e-5f, want.Pointer);
        Assert.Equal(r, RowKernels.RmsNorm(x.Pointer, weight.Pointer, size, 1e-5f, got.Pointer), 1e-6f * r);
        AssertNear(want, got, 1e-6);

        RowKernels.RmsScale(x.Pointer, weight.Pointer, size, r, got.Pointer);
        AssertNear(want, got, 1e-6);

        Naive.RmsNormBackward(x.Pointer, weight.Pointer, dy.Pointer, size, r, wantX.Pointer, wantWeight.Pointer);
        RowKernels.RmsNormBackward(x.Pointer, weight.Pointer, dy.Pointer, size, r, gotX.Pointer, gotWeight.Pointer);
        AssertNear(wantX, gotX, 1e-5); // of a short row little is left after cancellation
        AssertNear(wantWeight, gotWeight, 1e-6);

        using var alone = Random(size, 4);
        RowKernels.RmsNormBackward(x.Pointer, weight.Pointer, dy.Pointer, size, r, alone.Pointer, null);
        Assert.True(alone.Span.SequenceEqual(gotX.Span));
        RowKernels.RmsNorm(x.Pointer, weight.Pointer, size, 1e-5f, x.Pointer);
        AssertNear(want, x, 1e-6);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void SwiGlu_forward_and_backward(int size)
    {
        using NativeBuffer gate = Random(size, 1, 6), up = Random(size, 2), want = new(size), got = new(size);
        gate.Span[0] = -200; // far where the sigmoid is nothing
        Naive.SwiGlu(gate.Pointer, up.Pointer, size, want.Pointer);
        RowKernels.SwiGlu(gate.Pointer, up.Pointer, size, got.Pointer);
        AssertNear(want, got, 1e-6);

        using NativeBuffer gate2 = Copy(gate), up2 = Copy(up), dh = Random(size, 3), dh2 = Copy(dh);
        Naive.SwiGluBackward(gate.Pointer, up.Pointer, dh.Pointer, size);
        RowKernels.SwiGluBackward(gate2.Pointer, up2.Pointer, dh2.Pointer, size);
        AssertNear(gate, gate2, 1e-6);
        AssertNear(up, up2, 1e-6);
        AssertNear(dh, dh2, 1e-6);
        Assert.True(got.Span.SequenceEqual(dh2.Span), "h made again differs from h");
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Softmax_forward_and_backward(int size)
    {
        using NativeBuffer want = Random(size, 1, 30), got = Copy(want), dp = Random(size, 2), dp2 = Copy(dp);
        Naive.Softmax(want.Pointer, size, 0.37f);
        RowKernels.Softmax(got.Pointer, size, 0.37f);
        AssertNear(want, got, 2e-6);
        Assert.Equal(1, got.Span.ToArray().Sum(p => (double)p), 2e-6);
        Naive.SoftmaxBackward(want.Pointer, dp.Pointer, size, 0.37f);
        RowKernels.SoftmaxBackward(want.Pointer, dp2.Pointer, size, 0.37f);
        AssertNear(dp, dp2, 2e-6, atLeast: 0.1f); // where one place has nearly all, little is left after cancellation
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Log_probabilities_entropy_and_the_gradient_of_logits(int size)
    {
        foreach (var temperature in (float[])[0.01f, 0.7f, 1, 5])
        {
            using NativeBuffer want = Random(size, 1, 12), got = Copy(want);
            for (var v = 0; v < size; v++) want.Span[v] = got.Span[v] -= 40; // all far below 0, as real logits may be
            var (logProbs, entropy) = Naive.LogSoftmax(want.Span, temperature);
            var statistics = RowKernels.Statistics(got.Pointer, size, 1 / temperature);
            for (var v = 0; v < size; v++) Assert.Equal(logProbs[v], statistics.LogProb(got.Span[v]), 1e-6 + 2e-7 * Math.Abs(logProbs[v]));
            Assert.Equal(entropy, statistics.Entropy, 3e-6);

            Naive.LogitGradient(want.Pointer, size, temperature, 0.8f, -0.6f);
            RowKernels.LogitGradient(got.Pointer, size, statistics, 0.8f, -0.6f);
            AssertNear(want, got, 1e-5);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(32)]
    public void Rotation_and_back(int half)
    {
        using NativeBuffer angles = Random(half, 1, 3), sines = new(half), cosines = new(half), want = Random(2 * half, 2), got = Copy(want), start = Copy(want);
        for (var i = 0; i < half; i++) (sines.Span[i], cosines.Span[i]) = MathF.SinCos(angles.Span[i]);
        Naive.Rotate(want.Pointer, cosines.Pointer, sines.Pointer, half, 1);
        RowKernels.Rotate(got.Pointer, cosines.Pointer, sines.Pointer, half, 1);
        AssertNear(want, got, 1e-6);
        RowKernels.Rotate(got.Pointer, cosines.Pointer, sines.Pointer, half, -1);
        AssertNear(start, got, 1e-6);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void The_fast_draw_walks_as_the_sampler_does(int size)
    {
        using var logits = Random(size, 1, 3);
        var (logProbs, _) = Naive.LogSoftmax(logits.Span, 0.8);
        var statistics = RowKernels.Statistics(logits.Pointer, size, 1 / 0.8f);
        var different = 0;
        for (ulong seed = 0; seed < 300; seed++)
        {
            var random = SplitMix.For(seed, 1);
            var uniform = random.NextDouble();
            random = SplitMix.For(seed, 1);
            var expected = Sampler.Draw(logProbs, new SamplingOptions { Temperature = 0.8f }, ref random);
            if (expected == RowKernels.Draw(logits.Pointer, size, statistics, uniform)) continue;
            // Single precision may fall on the other side of a border, never further away from it than its rounding.
            var below = logProbs.Take(Math.Min(expected, RowKernels.Draw(logits.Pointer, size, statistics, uniform)) + 1).Sum(Math.Exp);
            Assert.Equal(uniform, below, 1e-6);
            different++;
        }
        Assert.InRange(different, 0, 3);
    }

    [Fact]
    public void The_fast_draw_takes_each_token_as_often_as_its_probability_says()
    {
        const int size = 1500, count = 20_000;
        using var logits = Random(size, 7, 8);
        var (logProbs, _) = Naive.LogSoftmax(logits.Span, 1);
        var statistics = RowKernels.Statistics(logits.Pointer, size, 1);
        var drawn = new int[size];
        var random = SplitMix.For(5, 0);
        for (var i = 0; i < count; i++) drawn[RowKernels.Draw(logits.Pointer, size, statistics, random.NextDouble())]++;
        // Chi-square over the tokens that are expected ten times or more, the others as one.
        var (chi, degrees, restDrawn, restExpected) = (0.0, 0, 0, 0.0);
        for (var v = 0; v < size; v++)
        {
            var expected = count * Math.Exp(logProbs[v]);
            if (expected < 10) (restDrawn, restExpected) = (restDrawn + drawn[v], restExpected + expected);
            else (chi, degrees) = (chi + (drawn[v] - expected) * (drawn[v] - expected) / expected, degrees + 1);
        }
        chi += (restDrawn - restExpected) * (restDrawn - restExpected) / restExpected;
        Assert.True(degrees > 100);
        Assert.InRange(chi, degrees - 5 * Math.Sqrt(2.0 * degrees), degrees + 5 * Math.Sqrt(2.0 * degrees));
    }

    [Fact]
    public void A_draw_never_takes_what_has_no_probability()
    {
        using var logits = new NativeBuffer(40);
        logits.Span.Fill(-500);
        logits.Span[7] = logits.Span[20] = 1;
        var statistics = RowKernels.Statistics(logits.Pointer, 40, 1);
        Assert.Equal(7, RowKernels.Draw(logits.Pointer, 40, statistics, 0));
        Assert.Equal(7, RowKernels.Draw(logits.Pointer, 40, statistics, 0.4999));
        Assert.Equal(20, RowKernels.Draw(logits.Pointer, 40, statistics, 0.5001));
        Assert.Equal(20, RowKernels.Draw(logits.Pointer, 40, statistics, 1 - 1e-16));
    }

    [Fact]
    public void The_largest_is_the_first_of_equals()
    {
        using var logits = Random(50, 3);
        logits.Span[30] = logits.Span[41] = 9;
        Assert.Equal(30, RowKernels.IndexOfMax(logits.Pointer, 50));
        Assert.Equal(0, RowKernels.IndexOfMax(logits.Pointer, 1));
    }

    private static float Exp(float x) => VectorMath.Exp(Vector512.Create(x))[5];

    internal static NativeBuffer Random(int length, ulong seed, double size = 1)
    {
        var buffer = new NativeBuffer(length, zeroed: false);
        var random = SplitMix.For(seed, 0xAB, (ulong)length);
        foreach (ref var x in buffer.Span) x = (float)(size * (2 * random.NextDouble() - 1));
        return buffer;
    }

    internal static void AssertNear(NativeBuffer expected, NativeBuffer got, double relative, float atLeast = 0)
    {
        var largest = atLeast;
        foreach (var value in expected.Span) largest = MathF.Max(largest, MathF.Abs(value));
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected.Span[i] - got.Span[i]) <= relative * largest, $"[{i}] is {got.Span[i]}, plainly {expected.Span[i]}; the largest is {largest}");
    }

    private static NativeBuffer Copy(NativeBuffer other)
    {
        var copy = new NativeBuffer(other.Length, zeroed: false);
        other.Span.CopyTo(copy.Span);
        return copy;
    }
}
