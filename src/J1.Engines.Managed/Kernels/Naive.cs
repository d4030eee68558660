namespace J1.Engines.Managed.Kernels;

/// <summary>Every kernel as plain loops: what the fast ones are tested against, and what runs on a processor without vectors.</summary>
public static unsafe class Naive
{
    /// <summary>See <see cref="Gemm"/>.</summary>
    public static void Multiply(GemmLayout layout, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc, bool accumulate)
    {
        for (var i = 0; i < m; i++)
            for (var j = 0; j < n; j++)
            {
                var sum = accumulate ? c[(long)i * ldc + j] : 0;
                for (var p = 0; p < k; p++)
                {
                    var x = layout == GemmLayout.TN ? a[(long)p * lda + i] : a[(long)i * lda + p];
                    var y = layout == GemmLayout.NT ? b[(long)j * ldb + p] : b[(long)p * ldb + j];
                    sum = MathF.FusedMultiplyAdd(x, y, sum);
                }
                c[(long)i * ldc + j] = sum;
            }
    }

    /// <summary>See <see cref="RowKernels.RmsNorm"/>.</summary>
    public static float RmsNorm(float* x, float* weight, int size, float epsilon, float* y)
    {
        var sum = 0.0;
        for (var i = 0; i < size; i++) sum += (double)x[i] * x[i];
        var r = 1 / Math.Sqrt(sum / size + epsilon);
        for (var i = 0; i < size; i++) y[i] = (float)(x[i] * r * weight[i]);
        return (float)r;
    }

    /// <summary>See <see cref="RowKernels.RmsNormBackward"/>.</summary>
    public static void RmsNormBackward(float* x, float* weight, float* dy, int size, float r, float* dx, float* dWeight)
    {
        var sum = 0.0;
        for (var i = 0; i < size; i++) sum += (double)weight[i] * dy[i] * x[i];
        for (var i = 0; i < size; i++)
        {
            dx[i] += (float)(r * ((double)weight[i] * dy[i] - x[i] * ((double)r * r / size) * sum));
            if (dWeight is not null) dWeight[i] += (float)((double)dy[i] * x[i] * r);
        }
    }

    /// <summary>See <see cref="RowKernels.SwiGlu"/>.</summary>
    public static void SwiGlu(float* gate, float* up, int size, float* h)
    {
        for (var i = 0; i < size; i++) h[i] = (float)(gate[i] * Sigmoid(gate[i]) * up[i]);
    }

    /// <summary>See <see cref="RowKernels.SwiGluBackward"/>.</summary>
    public static void SwiGluBackward(float* gate, float* up, float* dh, int size)
    {
        for (var i = 0; i < size; i++)
        {
            double g = gate[i], u = up[i], d = dh[i], sigma = Sigmoid(g);
            gate[i] = (float)(d * u * sigma * (1 + g * (1 - sigma)));
            up[i] = (float)(d * g * sigma);
            dh[i] = (float)(g * sigma * u);
        }
    }

    /// <summary>See <see cref="RowKernels.Rotate"/>.</summary>
    public static void Rotate(float* head, float* cosines, float* sines, int half, float sign)
    {
        for (var i = 0; i < half; i++)
        {
            double a = head[i], b = head[i + half];
            head[i] = (float)(a * cosines[i] - b * sign * sines[i]);
            head[i + half] = (float)(b * cosines[i] + a * sign * sines[i]);
        }
    }

    /// <summary>See <see cref="RowKernels.Softmax"/>.</summary>
    public static void Softmax(float* s, int count, float scale)
    {
        var p = Softmax(new ReadOnlySpan<float>(s, count), scale);
        for (var i = 0; i < count; i++) s[i] = (float)p[i];
    }

    /// <summary>See <see cref="RowKernels.SoftmaxBackward"/>.</summary>
    public static void SoftmaxBackward(float* p, float* dp, int count, float scale)
    {
        var sum = 0.0;
        for (var i = 0; i < count; i++) sum += (double)p[i] * dp[i];
        for (var i = 0; i < count; i++) dp[i] = (float)((double)scale * p[i] * (dp[i] - sum));
    }

    /// <summary>Log-probability of every token and the entropy; see <see cref="RowKernels.Statistics"/>.</summary>
    public static (double[] LogProbs, double Entropy) LogSoftmax(ReadOnlySpan<float> logits, double temperature)
    {
        var max = double.NegativeInfinity;
        foreach (var z in logits) max = Math.Max(max, z);
        var (sum, entropy, logProbs) = (0.0, 0.0, new double[logits.Length]);
        foreach (var z in logits) sum += Math.Exp((z - max) / temperature);
        for (var v = 0; v < logits.Length; v++)
        {
            logProbs[v] = (logits[v] - max) / temperature - Math.Log(sum);
            entropy -= Math.Exp(logProbs[v]) * logProbs[v];
        }
        return (logProbs, entropy);
    }

    /// <summary>See <see cref="RowKernels.LogitGradient"/>.</summary>
    public static void LogitGradient(float* logits, int count, double temperature, double sum, double dEntropy)
    {
        var (logProbs, entropy) = LogSoftmax(new ReadOnlySpan<float>(logits, count), temperature);
        for (var v = 0; v < count; v++) logits[v] = (float)(-Math.Exp(logProbs[v]) * (sum + dEntropy * (logProbs[v] + entropy)) / temperature);
    }

    /// <summary>Attention of every row to the rows it sees; see <see cref="Models.Attention"/>.</summary>
    /// <param name="seen">For each of T rows the rows it attends to.</param>
    /// <param name="heads">H.</param>
    /// <param name="keyValueHeads">Hkv.</param>
    /// <param name="size">D.</param>
    /// <param name="qkv">Shape [T, (H + 2 Hkv) D].</param>
    /// <param name="output">Shape [T, H D].</param>
    public static void Attention(int[][] seen, int heads, int keyValueHeads, int size, float* qkv, float* output)
    {
        ArgumentNullException.ThrowIfNull(seen);
        var wide = (heads + 2 * keyValueHeads) * size;
        for (var row = 0; row < seen.Length; row++)
            for (var head = 0; head < heads; head++)
            {
                var key = heads + head / (heads / keyValueHeads);
                var p = AttentionOf(seen[row], qkv, wide, row, head, key, size);
                for (var i = 0; i < size; i++)
                {
                    var sum = 0.0;
                    for (var j = 0; j < p.Length; j++) sum += p[j] * qkv[seen[row][j] * wide + (key + keyValueHeads) * size + i];
                    output[(row * heads + head) * size + i] = (float)sum;
                }
            }
    }

    /// <summary>Backward of <see cref="Attention"/>: with o = p v, dv += pᵀ do and dp = do vᵀ; with s = q kᵀ / √D, ds = p (dp − Σ p dp), dq = ds k / √D, dk += dsᵀ q / √D.</summary>
    /// <param name="seen">For each of T rows the rows it attends to.</param>
    /// <param name="heads">H.</param>
    /// <param name="keyValueHeads">Hkv.</param>
    /// <param name="size">D.</param>
    /// <param name="qkv">Shape [T, (H + 2 Hkv) D].</param>
    /// <param name="dOutput">Shape [T, H D].</param>
    /// <returns>Shape [T, (H + 2 Hkv) D].</returns>
    public static double[] AttentionBackward(int[][] seen, int heads, int keyValueHeads, int size, float* qkv, float* dOutput)
    {
        ArgumentNullException.ThrowIfNull(seen);
        var wide = (heads + 2 * keyValueHeads) * size;
        var dqkv = new double[seen.Length * wide];
        for (var row = 0; row < seen.Length; row++)
            for (var head = 0; head < heads; head++)
            {
                var key = heads + head / (heads / keyValueHeads);
                var p = AttentionOf(seen[row], qkv, wide, row, head, key, size);
                var (dp, mean) = (new double[p.Length], 0.0);
                for (var j = 0; j < p.Length; j++)
                    for (var i = 0; i < size; i++)
                    {
                        int value = seen[row][j] * wide + (key + keyValueHeads) * size + i, mine = (row * heads + head) * size + i;
                        dqkv[value] += p[j] * dOutput[mine];
                        dp[j] += (double)dOutput[mine] * qkv[value];
                        mean += p[j] * dOutput[mine] * qkv[value];
                    }
                for (var j = 0; j < p.Length; j++)
                    for (var i = 0; i < size; i++)
                    {
                        int q = row * wide + head * size + i, k = seen[row][j] * wide + key * size + i;
                        var ds = p[j] * (dp[j] - mean) / Math.Sqrt(size);
                        dqkv[q] += ds * qkv[k];
                        dqkv[k] += ds * qkv[q];
                    }
            }
        return dqkv;
    }

    private static double[] AttentionOf(int[] seen, float* qkv, int wide, int row, int head, int key, int size)
    {
        var scores = new double[seen.Length];
        for (var j = 0; j < seen.Length; j++)
            for (var i = 0; i < size; i++) scores[j] += (double)qkv[row * wide + head * size + i] * qkv[seen[j] * wide + key * size + i];
        var (max, sum) = (scores.Max(), 0.0);
        for (var j = 0; j < scores.Length; j++) sum += scores[j] = Math.Exp((scores[j] - max) / Math.Sqrt(size));
        for (var j = 0; j < scores.Length; j++) scores[j] /= sum;
        return scores;
    }

    private static double[] Softmax(ReadOnlySpan<float> s, double scale)
    {
        var (p, max, sum) = (new double[s.Length], double.NegativeInfinity, 0.0);
        foreach (var x in s) max = Math.Max(max, x);
        for (var i = 0; i < p.Length; i++) sum += p[i] = Math.Exp((s[i] - max) * scale);
        for (var i = 0; i < p.Length; i++) p[i] /= sum;
        return p;
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
