using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace J1.Engines.Managed.Kernels;

/// <summary>Operations on one row at a time: what lies between the matrix products. Each has its plain twin in <see cref="Naive"/>.</summary>
internal static unsafe class RowKernels
{
    private const int W = VectorMath.Lanes;

    // Terms that a sum takes in single precision before it goes on in double.
    private const int Block = 1024;

    /// <summary>RMSNorm (Zhang and Sennrich, 2019): y = x · r · w with r = 1 / √(mean x² + ε).</summary>
    /// <param name="x">Shape [C].</param>
    /// <param name="weight">Shape [C].</param>
    /// <param name="size">C.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="y">Shape [C]; may be x.</param>
    /// <returns>r.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float RmsNorm(float* x, float* weight, int size, float epsilon, float* y)
    {
        var r = InverseRms(x, size, epsilon);
        RmsScale(x, weight, size, r, y);
        return r;
    }

    /// <summary>y = x · r · w for a known r.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RmsScale(float* x, float* weight, int size, float r, float* y)
    {
        var scale = Vector512.Create(r);
        var i = 0;
        for (; i + W <= size; i += W) (Vector512.Load(x + i) * scale * Vector512.Load(weight + i)).Store(y + i);
        for (; i < size; i++) y[i] = x[i] * r * weight[i];
    }

    /// <summary>
    /// Backward of <see cref="RmsNorm"/>, y = x r w: dx += r (w dy − x r²/C Σ w dy x), and dw += dy x r.
    /// </summary>
    /// <param name="x">The input, shape [C].</param>
    /// <param name="weight">Shape [C].</param>
    /// <param name="dy">Shape [C].</param>
    /// <param name="size">C.</param>
    /// <param name="r">What the forward pass returned.</param>
    /// <param name="dx">Added to, shape [C].</param>
    /// <param name="dWeight">Added to, shape [C]; null where the weight is not trained.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RmsNormBackward(float* x, float* weight, float* dy, int size, float r, float* dx, float* dWeight)
    {
        var sums = Vector512<float>.Zero;
        var i = 0;
        for (; i + W <= size; i += W) sums = Vector512.FusedMultiplyAdd(Vector512.Load(weight + i) * Vector512.Load(dy + i), Vector512.Load(x + i), sums);
        var sum = VectorMath.Sum(sums);
        for (; i < size; i++) sum += weight[i] * dy[i] * x[i];

        var along = -sum * r * r * r / size;
        for (i = 0; i + W <= size; i += W)
        {
            var own = Vector512.Load(weight + i) * Vector512.Load(dy + i) * r + Vector512.Load(x + i) * along;
            (Vector512.Load(dx + i) + own).Store(dx + i);
        }
        for (; i < size; i++) dx[i] += weight[i] * dy[i] * r + x[i] * along;

        if (dWeight is null) return;
        for (i = 0; i + W <= size; i += W) Vector512.FusedMultiplyAdd(Vector512.Load(dy + i), Vector512.Load(x + i) * r, Vector512.Load(dWeight + i)).Store(dWeight + i);
        for (; i < size; i++) dWeight[i] += dy[i] * (x[i] * r);
    }

    /// <summary>SwiGLU (Shazeer, 2020): h = g σ(g) u.</summary>
    /// <param name="gate">g, shape [F].</param>
    /// <param name="up">u, shape [F].</param>
    /// <param name="size">F.</param>
    /// <param name="h">Shape [F].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SwiGlu(float* gate, float* up, int size, float* h)
    {
        var i = 0;
        for (; i + W <= size; i += W)
        {
            var g = Vector512.Load(gate + i);
            (g * VectorMath.Sigmoid(g) * Vector512.Load(up + i)).Store(h + i);
        }
        if (i == size) return;
        var rest = VectorMath.LoadPart(gate + i, size - i, 0);
        VectorMath.StorePart(rest * VectorMath.Sigmoid(rest) * VectorMath.LoadPart(up + i, size - i, 0), h + i, size - i);
    }

    /// <summary>Backward of <see cref="SwiGlu"/>, h = g σ(g) u: dg = dh u σ (1 + g (1 − σ)), du = dh g σ; h is made again on the way.</summary>
    /// <param name="gate">g, shape [F]; becomes dg.</param>
    /// <param name="up">u, shape [F]; becomes du.</param>
    /// <param name="dh">Shape [F]; becomes h.</param>
    /// <param name="size">F.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SwiGluBackward(float* gate, float* up, float* dh, int size)
    {
        var i = 0;
        for (; i + W <= size; i += W)
        {
            Vector512<float> g = Vector512.Load(gate + i), u = Vector512.Load(up + i), d = Vector512.Load(dh + i);
            var sigma = VectorMath.Sigmoid(g);
            var silu = g * sigma;
            (d * u * sigma * (Vector512<float>.One + g - silu)).Store(gate + i);
            (d * silu).Store(up + i);
            (silu * u).Store(dh + i);
        }
        if (i == size) return;
        {
            var n = size - i;
            Vector512<float> g = VectorMath.LoadPart(gate + i, n, 0), u = VectorMath.LoadPart(up + i, n, 0), d = VectorMath.LoadPart(dh + i, n, 0);
            var sigma = VectorMath.Sigmoid(g);
            var silu = g * sigma;
            VectorMath.StorePart(d * u * sigma * (Vector512<float>.One + g - silu), gate + i, n);
            VectorMath.StorePart(d * silu, up + i, n);
            VectorMath.StorePart(silu * u, dh + i, n);
        }
    }

    /// <summary>Rotary positions (Su et al., 2021) on the halves of one head: (a, b) becomes (a cos − b sin, b cos + a sin).</summary>
    /// <param name="head">Shape [D].</param>
    /// <param name="cosines">Of this position, shape [D/2].</param>
    /// <param name="sines">Of this position, shape [D/2]; backward is forward with the angle negated (<paramref name="sign"/> = -1).</param>
    /// <param name="half">D/2.</param>
    /// <param name="sign">1 forward, -1 backward.</param>
    public static void Rotate(float* head, float* cosines, float* sines, int half, float sign)
    {
        for (var i = 0; i < half; i++)
        {
            float a = head[i], b = head[i + half], sine = sign * sines[i];
            head[i] = a * cosines[i] - b * sine;
            head[i + half] = b * cosines[i] + a * sine;
        }
    }

    /// <summary>s becomes softmax(scale · s) over its first <paramref name="count"/> places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(float* s, int count, float scale)
    {
        var max = Max(s, count);
        var sums = Vector512<float>.Zero;
        var i = 0;
        for (; i + W <= count; i += W)
        {
            var e = VectorMath.Exp((Vector512.Load(s + i) - Vector512.Create(max)) * scale);
            sums += e;
            e.Store(s + i);
        }
        if (i < count)
        {
            var e = VectorMath.Exp((VectorMath.LoadPart(s + i, count - i, float.NegativeInfinity) - Vector512.Create(max)) * scale);
            sums += e;
            VectorMath.StorePart(e, s + i, count - i);
        }
        var inverse = 1 / VectorMath.Sum(sums);
        for (i = 0; i + W <= count; i += W) (Vector512.Load(s + i) * inverse).Store(s + i);
        for (; i < count; i++) s[i] *= inverse;
    }

    /// <summary>Backward of <see cref="Softmax"/>, p = softmax(scale · s): ds = scale p (dp − Σ p dp).</summary>
    /// <param name="p">Shape [count].</param>
    /// <param name="dp">Shape [count]; becomes ds.</param>
    /// <param name="count">Places.</param>
    /// <param name="scale">As in the forward pass.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SoftmaxBackward(float* p, float* dp, int count, float scale)
    {
        var sums = Vector512<float>.Zero;
        var i = 0;
        for (; i + W <= count; i += W) sums = Vector512.FusedMultiplyAdd(Vector512.Load(p + i), Vector512.Load(dp + i), sums);
        var sum = VectorMath.Sum(sums);
        for (; i < count; i++) sum += p[i] * dp[i];
        for (i = 0; i + W <= count; i += W) (Vector512.Load(p + i) * scale * (Vector512.Load(dp + i) - Vector512.Create(sum))).Store(dp + i);
        for (; i < count; i++) dp[i] = p[i] * scale * (dp[i] - sum);
    }

    /// <summary>What log-probabilities and entropy of a row of logits follow from.</summary>
    /// <param name="logits">z, shape [V].</param>
    /// <param name="count">V.</param>
    /// <param name="inverseTemperature">1 / T.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static LogitStatistics Statistics(float* logits, int count, float inverseTemperature)
    {
        var max = Max(logits, count);
        double sum = 0, weighted = 0;
        for (var start = 0; start < count; start += Block)
        {
            var end = Math.Min(count, start + Block);
            Vector512<float> sums = Vector512<float>.Zero, products = Vector512<float>.Zero;
            var i = start;
            for (; i + W <= end; i += W)
            {
                var y = (Vector512.Load(logits + i) - Vector512.Create(max)) * inverseTemperature;
                var e = VectorMath.Exp(y);
                sums += e;
                products = Vector512.FusedMultiplyAdd(e, y, products);
            }
            if (i < end)
            {
                // A filler far below the rest: its exponential is 0, and 0 times a finite number.
                var y = (VectorMath.LoadPart(logits + i, end - i, max - 1000 / inverseTemperature) - Vector512.Create(max)) * inverseTemperature;
                var e = VectorMath.Exp(y);
                sums += e;
                products = Vector512.FusedMultiplyAdd(e, y, products);
            }
            sum += VectorMath.Sum(sums);
            weighted += VectorMath.Sum(products);
        }
        return new LogitStatistics(max, inverseTemperature, Math.Log(sum), weighted / sum);
    }

    /// <summary>
    /// The gradient of a row of logits from those of its log-probabilities and entropy: with p = softmax(z / T),
    /// d log p_y / dz_v = ([v = y] − p_v) / T and dH / dz_v = −p_v (log p_v + H) / T. The [v = y] parts are the caller's to add.
    /// </summary>
    /// <param name="logits">z, shape [V]; becomes −p (sum + dH (log p + H)) / T.</param>
    /// <param name="count">V.</param>
    /// <param name="statistics">Of these logits.</param>
    /// <param name="sum">Σ of the gradients of all log-probabilities read from this row.</param>
    /// <param name="dEntropy">The gradient of its entropy.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LogitGradient(float* logits, int count, LogitStatistics statistics, float sum, float dEntropy)
    {
        var (max, inverse, log, entropy) = (Vector512.Create(statistics.Max), statistics.InverseTemperature, (float)statistics.LogSum, (float)statistics.Entropy);
        var i = 0;
        for (; i + W <= count; i += W)
        {
            var y = (Vector512.Load(logits + i) - max) * inverse - Vector512.Create(log);
            (VectorMath.Exp(y) * -inverse * (Vector512.Create(sum) + (y + Vector512.Create(entropy)) * dEntropy)).Store(logits + i);
        }
        if (i == count) return;
        var rest = (VectorMath.LoadPart(logits + i, count - i, statistics.Max) - max) * inverse - Vector512.Create(log);
        VectorMath.StorePart(VectorMath.Exp(rest) * -inverse * (Vector512.Create(sum) + (rest + Vector512.Create(entropy)) * dEntropy), logits + i, count - i);
    }

    /// <summary>Draws a token from softmax(z / T) by its cumulative distribution, in the order of the vocabulary.</summary>
    /// <param name="logits">z, shape [V].</param>
    /// <param name="count">V.</param>
    /// <param name="statistics">Of these logits.</param>
    /// <param name="uniform">In [0, 1).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Draw(float* logits, int count, LogitStatistics statistics, double uniform)
    {
        var weights = stackalloc float[Block];
        var left = uniform * Math.Exp(statistics.LogSum);
        var last = 0;
        for (var start = 0; start < count; start += Block)
        {
            var (size, sums) = (Math.Min(Block, count - start), Vector512<float>.Zero);
            for (var i = 0; i < size; i += W)
            {
                var z = size - i >= W ? Vector512.Load(logits + start + i) : VectorMath.LoadPart(logits + start + i, size - i, float.NegativeInfinity);
                var e = VectorMath.Exp((z - Vector512.Create(statistics.Max)) * statistics.InverseTemperature);
                sums += e;
                e.Store(weights + i);
            }
            var sum = (double)VectorMath.Sum(sums);
            if (sum > left || start + Block >= count)
                for (var i = 0; i < size; i++)
                {
                    if (weights[i] <= 0) continue;
                    last = start + i;
                    if ((left -= weights[i]) < 0) return last;
                }
            else left -= sum;
        }
        return last; // rounding: what was left is nearly nothing
    }

    /// <summary>The most likely token, the lowest id of equals.</summary>
    public static int IndexOfMax(float* logits, int count)
    {
        var best = 0;
        for (var v = 1; v < count; v++)
            if (logits[v] > logits[best]) best = v;
        return best;
    }

    /// <summary>The largest of a row; NaN where any is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Max(float* x, int count)
    {
        var best = Vector512.Create(float.NegativeInfinity);
        var i = 0;
        for (; i + W <= count; i += W) best = Vector512.Max(best, Vector512.Load(x + i));
        if (i < count) best = Vector512.Max(best, VectorMath.LoadPart(x + i, count - i, float.NegativeInfinity));
        var max = best[0];
        for (var lane = 1; lane < W; lane++) max = MathF.Max(max, best[lane]);
        return max;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float InverseRms(float* x, int size, float epsilon)
    {
        var sums = Vector512<float>.Zero;
        var i = 0;
        for (; i + W <= size; i += W)
        {
            var v = Vector512.Load(x + i);
            sums = Vector512.FusedMultiplyAdd(v, v, sums);
        }
        var sum = VectorMath.Sum(sums);
        for (; i < size; i++) sum += x[i] * x[i];
        return 1 / MathF.Sqrt(sum / size + epsilon);
    }
}

/// <summary>Of a row of logits z at temperature T.</summary>
/// <param name="Max">max z.</param>
/// <param name="InverseTemperature">1 / T.</param>
/// <param name="LogSum">log Σ e^((z − max) / T).</param>
/// <param name="MeanShifted">Σ p (z − max) / T.</param>
internal readonly record struct LogitStatistics(float Max, float InverseTemperature, double LogSum, double MeanShifted)
{
    /// <summary>H = −Σ p log p, in nats.</summary>
    public double Entropy => LogSum - MeanShifted;

    /// <summary>log p of a token with logit <paramref name="z"/>.</summary>
    public double LogProb(float z) => (double)(z - Max) * InverseTemperature - LogSum;
}
