using J1.Engines.Managed.Kernels;

namespace J1.Engines.Managed.Models;

/// <summary>
/// Causal grouped-query attention over a <see cref="TokenTree"/>: a row attends to its segment's prefix, wherever those rows lie, and to its segment up to itself.
/// Keys come in the order of positions whatever the packing, so a row's bits do not depend on what else is in the batch.
/// H query heads share Hkv key and value heads; a row of <c>qkv</c> is [q: H D | k: Hkv D | v: Hkv D].
/// </summary>
internal static unsafe class Attention
{
    // Rows of one block of scores: [Block, keys] stays in the second-level cache for some hundreds of keys.
    private const int Block = 64;

    /// <summary>o = softmax(q kᵀ / √D) v, head by head.</summary>
    /// <param name="config">H, Hkv, D.</param>
    /// <param name="tree">The batch.</param>
    /// <param name="qkv">Rotated, shape [T, (H + 2 Hkv) D].</param>
    /// <param name="output">o, shape [T, H D].</param>
    public static void Forward(ModelConfig config, TokenTree tree, float* qkv, float* output)
    {
        var (h, d) = (config.HeadCount, config.HeadSize);
        var wide = (h + 2 * config.KeyValueHeadCount) * d;
        Workers.Run(tree.Segments.Length * h, task =>
        {
            var (segment, head) = (tree.Segments[task / h], task % h);
            var kv = head / (h / config.KeyValueHeadCount);
            float* q = qkv + head * d, k = qkv + (h + kv) * d, v = k + config.KeyValueHeadCount * d;
            for (var first = 0; first < segment.Count; first += Block)
            {
                var rows = Math.Min(Block, segment.Count - first);
                var p = Scratch.Floats(0, (long)rows * Stride(segment, first + rows));
                Probabilities(config, segment, first, rows, q, k, wide, p);

                var (column, stride) = (0, Stride(segment, first + rows));
                foreach (var run in segment.RunsTo(first + rows - 1))
                {
                    Gemm.MultiplyOnThisThread(GemmLayout.NN, rows, d, run.Count, p + column, stride, v + (long)run.Row * wide, wide,
                        output + (long)(segment.Row + first) * h * d + head * d, h * d, accumulate: column > 0);
                    column += run.Count;
                }
            }
        });
    }

    /// <summary>
    /// Backward of <see cref="Forward"/>, s = q kᵀ, p = softmax(s / √D), o = p v: dv = pᵀ do, dp = do vᵀ, dq = ds k, dk = dsᵀ q. p is computed again.
    /// A head's key and value gradients are gathered on their own and then added up in the order of heads, so that threads change no bit.
    /// </summary>
    /// <param name="config">H, Hkv, D.</param>
    /// <param name="tree">The batch.</param>
    /// <param name="qkv">As in the forward pass.</param>
    /// <param name="dOutput">do, shape [T, H D].</param>
    /// <param name="dqkv">Overwritten, shape [T, (H + 2 Hkv) D].</param>
    /// <param name="dKeys">Room for dk of each query head, shape [T, H D].</param>
    /// <param name="dValues">Room for dv of each query head, shape [T, H D].</param>
    public static void Backward(ModelConfig config, TokenTree tree, float* qkv, float* dOutput, float* dqkv, float* dKeys, float* dValues)
    {
        var (h, hkv, d) = (config.HeadCount, config.KeyValueHeadCount, config.HeadSize);
        var (wide, narrow, t) = ((h + 2 * hkv) * d, h * d, tree.Tokens.Length);
        new Span<float>(dKeys, checked(t * narrow)).Clear();
        new Span<float>(dValues, checked(t * narrow)).Clear();
        Workers.Run(h, head =>
        {
            var kv = head / (h / hkv);
            float* q = qkv + head * d, k = qkv + (h + kv) * d, v = k + hkv * d;
            foreach (var segment in tree.Segments)
                for (var first = 0; first < segment.Count; first += Block)
                {
                    var rows = Math.Min(Block, segment.Count - first);
                    var stride = Stride(segment, first + rows);
                    float* p = Scratch.Floats(0, (long)rows * stride), ds = Scratch.Floats(1, (long)rows * stride);
                    Probabilities(config, segment, first, rows, q, k, wide, p);

                    var start = (long)(segment.Row + first);
                    float* dO = dOutput + start * narrow + head * d, dq = dqkv + start * wide + head * d;
                    var column = 0;
                    foreach (var run in segment.RunsTo(first + rows - 1))
                    {
                        Gemm.MultiplyOnThisThread(GemmLayout.NT, rows, run.Count, d, dO, narrow, v + (long)run.Row * wide, wide, ds + column, stride, false);
                        Gemm.MultiplyOnThisThread(GemmLayout.TN, run.Count, d, rows, p + column, stride, dO, narrow, dValues + (long)run.Row * narrow + head * d, narrow, true);
                        column += run.Count;
                    }
                    for (var row = 0; row < rows; row++)
                    {
                        var seen = segment.Position + first + row + 1;
                        RowKernels.SoftmaxBackward(p + (long)row * stride, ds + (long)row * stride, seen, Scale(config));
                        new Span<float>(ds + (long)row * stride + seen, column - seen).Clear();
                    }
                    column = 0;
                    foreach (var run in segment.RunsTo(first + rows - 1))
                    {
                        Gemm.MultiplyOnThisThread(GemmLayout.NN, rows, d, run.Count, ds + column, stride, k + (long)run.Row * wide, wide, dq, wide, column > 0);
                        Gemm.MultiplyOnThisThread(GemmLayout.TN, run.Count, d, rows, ds + column, stride, q + start * wide, wide, dKeys + (long)run.Row * narrow + head * d, narrow, true);
                        column += run.Count;
                    }
                }
        });

        var group = h / hkv;
        Workers.Split(t, 64, (from, to) =>
        {
            for (var row = from; row < to; row++)
                for (var kv = 0; kv < hkv; kv++)
                {
                    SumOfHeads(dKeys + (long)row * narrow + kv * group * d, group, d, dqkv + (long)row * wide + (h + kv) * d);
                    SumOfHeads(dValues + (long)row * narrow + kv * group * d, group, d, dqkv + (long)row * wide + (h + hkv + kv) * d);
                }
        });
    }

    /// <summary>1 / √D.</summary>
    public static float Scale(ModelConfig config) => 1 / MathF.Sqrt(config.HeadSize);

    // p = softmax(q kᵀ / √D) of some rows of a segment; what a row may not see is 0. Shape [rows, keys], rows Stride(..) apart.
    private static void Probabilities(ModelConfig config, Segment segment, int first, int rows, float* q, float* k, int wide, float* p)
    {
        var (column, stride) = (0, Stride(segment, first + rows));
        foreach (var run in segment.RunsTo(first + rows - 1))
        {
            Gemm.MultiplyOnThisThread(GemmLayout.NT, rows, run.Count, config.HeadSize, q + (long)(segment.Row + first) * wide, wide, k + (long)run.Row * wide, wide, p + column, stride, false);
            column += run.Count;
        }
        for (var row = 0; row < rows; row++)
        {
            var seen = segment.Position + first + row + 1;
            RowKernels.Softmax(p + (long)row * stride, seen, Scale(config));
            new Span<float>(p + (long)row * stride + seen, column - seen).Clear();
        }
    }

    private static int Stride(Segment segment, int count) => (segment.Position + count + 15) / 16 * 16;

    private static void SumOfHeads(float* parts, int heads, int size, float* sum)
    {
        new ReadOnlySpan<float>(parts, size).CopyTo(new Span<float>(sum, size));
        for (var head = 1; head < heads; head++)
            System.Numerics.Tensors.TensorPrimitives.Add(new ReadOnlySpan<float>(sum, size), new ReadOnlySpan<float>(parts + head * size, size), new Span<float>(sum, size));
    }
}
