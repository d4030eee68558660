using System.Numerics.Tensors;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Kernels;

namespace J1.Engines.Managed.Models;

/// <summary>
/// A pre-norm transformer decoder, forward and backward, on a packed batch. The letters: T packed tokens, C hidden size, H query heads, Hkv key and value heads,
/// D head size, F feed-forward size. Dropout, mixtures of experts and sliding windows are left out: no supported model needs them.
/// </summary>
internal sealed unsafe class Decoder : IDisposable
{
    // Rows whose elementwise work is one piece for a worker; also the rows whose norm gradients are added up before they are added together.
    private const int Grain = 32;

    private readonly ModelConfig _config;
    private readonly TensorBlock _weights;
    private readonly RotaryTable _rotary;
    private readonly LayerTensors[] _layers;

    public Decoder(ModelConfig config, TensorBlock weights, int contextLength)
    {
        (_config, _weights) = (config, weights);
        _rotary = new RotaryTable(config.Rope, config.HeadSize, contextLength);
        _layers = [.. Enumerable.Range(0, config.LayerCount).Select(layer => new LayerTensors(weights, config, layer))];
    }

    public RotaryTable Rotary => _rotary;

    public ReadOnlySpan<LayerTensors> Layers => _layers;

    /// <summary>(H + 2 Hkv) D.</summary>
    private int Wide => (_config.HeadCount + 2 * _config.KeyValueHeadCount) * _config.HeadSize;

    /// <summary>x = E[token].</summary>
    /// <param name="tokens">Shape [T].</param>
    /// <param name="x">Shape [T, C].</param>
    public void Embed(ReadOnlySpan<int> tokens, float* x)
    {
        var c = _config.HiddenSize;
        var embedding = _weights[Shapes.Embedding];
        for (var t = 0; t < tokens.Length; t++) new ReadOnlySpan<float>(embedding + (long)tokens[t] * c, c).CopyTo(new Span<float>(x + (long)t * c, c));
    }

    /// <summary>
    /// One layer: m = x + Wo attention(rotate(Wqkv norm(x))), y = m + Wdown swiglu(Wgate norm(m), Wup norm(m)).
    /// </summary>
    /// <param name="layer">From 0.</param>
    /// <param name="tree">The batch.</param>
    /// <param name="kept">Its input is x; the rest is written.</param>
    /// <param name="work">Room for T rows.</param>
    /// <param name="output">y, shape [T, C]; may be x.</param>
    public void Forward(int layer, TokenTree tree, Activations kept, Workspace work, float* output)
    {
        ref readonly var w = ref _layers[layer];
        var (t, c, f, q) = (tree.Tokens.Length, _config.HiddenSize, _config.IntermediateSize, _config.HeadCount * _config.HeadSize);

        Norm(kept.Input, w.InputNorm, t, work.Normed, kept.InputRms);
        Gemm.Multiply(GemmLayout.NT, t, Wide, c, work.Normed, c, w.QueryKeyValue, c, kept.QueryKeyValue, Wide, false);
        PrepareHeads(w, tree.Positions, kept.QueryKeyValue, kept.Raw, kept.HeadRms);
        Attention.Forward(_config, tree, kept.QueryKeyValue, kept.Attended);

        Copy(kept.Input, kept.Middle, (long)t * c);
        Gemm.Multiply(GemmLayout.NT, t, c, q, kept.Attended, q, w.Output, q, kept.Middle, c, true);

        Norm(kept.Middle, w.MiddleNorm, t, work.Normed, kept.MiddleRms);
        Gemm.Multiply(GemmLayout.NT, t, 2 * f, c, work.Normed, c, w.GateUp, c, kept.GateUp, 2 * f, false);
        SwiGlu(kept.GateUp, t, work.Hidden);

        Copy(kept.Middle, output, (long)t * c);
        Gemm.Multiply(GemmLayout.NT, t, c, f, work.Hidden, f, w.Down, f, output, c, true);
    }

    /// <summary>Backward of <see cref="Forward"/>: dy becomes dx, and the gradients of the layer's weights are added to.</summary>
    /// <param name="layer">From 0.</param>
    /// <param name="tree">The batch.</param>
    /// <param name="kept">As the forward pass left it; the gate and up projections are lost.</param>
    /// <param name="work">Room for T rows, backward included.</param>
    /// <param name="dx">dy, becomes dx; shape [T, C].</param>
    /// <param name="gradients">Where weight gradients go.</param>
    public void Backward(int layer, TokenTree tree, Activations kept, Workspace work, float* dx, IGradients gradients)
    {
        ref readonly var w = ref _layers[layer];
        var (t, c, f, q) = (tree.Tokens.Length, _config.HiddenSize, _config.IntermediateSize, _config.HeadCount * _config.HeadSize);
        var norms = gradients.Norms(layer);

        // y = m + h Wdownᵀ:  dh = dy Wdown, dWdown += dyᵀ h. h is made again from gate and up on the way to their gradients.
        Gemm.Multiply(GemmLayout.NN, t, f, c, dx, c, w.Down, f, work.Hidden, f, false);
        Workers.Split(t, Grain, (from, to) =>
        {
            for (var row = from; row < to; row++)
                RowKernels.SwiGluBackward(kept.GateUp + (long)row * 2 * f, kept.GateUp + (long)row * 2 * f + f, work.Hidden + (long)row * f, f);
        });
        gradients.AddMatrix(layer, MatrixGroup.Down, t, work.Hidden, f, dx, c);

        // [g u] = norm(m) Wguᵀ:  dWgu += d[g u]ᵀ norm(m), dnorm = d[g u] Wgu; then dm = dy + its norm's backward.
        Scale(kept.Middle, w.MiddleNorm, t, kept.MiddleRms, work.Normed);
        gradients.AddMatrix(layer, MatrixGroup.GateUp, t, work.Normed, c, kept.GateUp, 2 * f);
        Gemm.Multiply(GemmLayout.NN, t, c, 2 * f, kept.GateUp, 2 * f, w.GateUp, c, work.Normed, c, false);
        NormBackward(kept.Middle, w.MiddleNorm, work.Normed, t, kept.MiddleRms, dx, norms.MiddleNorm);

        // m = x + a Woᵀ:  dWo += dmᵀ a, da = dm Wo; then through attention, rotation and head norms.
        gradients.AddMatrix(layer, MatrixGroup.Output, t, kept.Attended, q, dx, c);
        Gemm.Multiply(GemmLayout.NN, t, q, c, dx, c, w.Output, q, work.Normed, q, false);
        Attention.Backward(_config, tree, kept.QueryKeyValue, work.Normed, work.Wide, work.Keys, work.Values);
        HeadsBackward(w, tree.Positions, kept, work.Wide, norms);

        // [q k v] = norm(x) Wqkvᵀ (+ bias):  as above.
        Scale(kept.Input, w.InputNorm, t, kept.InputRms, work.Normed);
        gradients.AddMatrix(layer, MatrixGroup.QueryKeyValue, t, work.Normed, c, work.Wide, Wide);
        if (norms.QueryKeyValueBias is not null) AddColumnSums(work.Wide, t, Wide, norms.QueryKeyValueBias);
        Gemm.Multiply(GemmLayout.NN, t, c, Wide, work.Wide, Wide, w.QueryKeyValue, c, work.Normed, c, false);
        NormBackward(kept.Input, w.InputNorm, work.Normed, t, kept.InputRms, dx, norms.InputNorm);
    }

    /// <summary>Biases, head norms and rotation of one or more rows, in place.</summary>
    /// <param name="w">The layer's weights.</param>
    /// <param name="positions">Shape [T].</param>
    /// <param name="qkv">Shape [T, (H + 2 Hkv) D].</param>
    /// <param name="raw">Queries and keys before their norm are kept here; null, or unused where there is none.</param>
    /// <param name="rms">1 / rms of each head, [T, H + Hkv]; null is not kept.</param>
    public void PrepareHeads(LayerTensors w, int[] positions, float* qkv, float* raw, float* rms)
    {
        var (h, hkv, d, wide) = (_config.HeadCount, _config.KeyValueHeadCount, _config.HeadSize, Wide);
        Workers.Split(positions.Length, Grain, (from, to) =>
        {
            for (var row = from; row < to; row++)
            {
                var heads = qkv + (long)row * wide;
                if (w.QueryKeyValueBias is not null)
                    TensorPrimitives.Add(new ReadOnlySpan<float>(heads, wide), new ReadOnlySpan<float>(w.QueryKeyValueBias, wide), new Span<float>(heads, wide));
                if (w.QueryNorm is not null)
                {
                    if (raw is not null) Copy(heads, raw + (long)row * (h + hkv) * d, (h + hkv) * d);
                    for (var head = 0; head < h + hkv; head++)
                    {
                        var r = RowKernels.RmsNorm(heads + head * d, head < h ? w.QueryNorm : w.KeyNorm, d, _config.RmsEpsilon, heads + head * d);
                        if (rms is not null) rms[(long)row * (h + hkv) + head] = r;
                    }
                }
                _rotary.Rotate(heads, h + hkv, positions[row], 1);
            }
        });
    }

    /// <summary>y = norm(x) for T rows.</summary>
    /// <param name="x">Shape [T, C].</param>
    /// <param name="weight">Shape [C].</param>
    /// <param name="rows">T.</param>
    /// <param name="y">Shape [T, C].</param>
    /// <param name="rms">1 / rms of each row, [T].</param>
    public void Norm(float* x, float* weight, int rows, float* y, float* rms)
    {
        var c = _config.HiddenSize;
        Workers.Split(rows, Grain, (from, to) =>
        {
            for (var row = from; row < to; row++) rms[row] = RowKernels.RmsNorm(x + (long)row * c, weight, c, _config.RmsEpsilon, y + (long)row * c);
        });
    }

    /// <summary>Backward of <see cref="Norm"/>: dx += .., and dWeight += .. where it is not null.</summary>
    public void NormBackward(float* x, float* weight, float* dy, int rows, float* rms, float* dx, float* dWeight)
    {
        var c = _config.HiddenSize;
        var pieces = (rows + Grain - 1) / Grain;
        var sums = dWeight is null ? null : Scratch.Floats(2, (long)pieces * c);
        if (sums is not null) new Span<float>(sums, pieces * c).Clear();
        Workers.Split(rows, Grain, (from, to) =>
        {
            for (var row = from; row < to; row++)
                RowKernels.RmsNormBackward(x + (long)row * c, weight, dy + (long)row * c, c, rms[row], dx + (long)row * c, sums is null ? null : sums + (long)(from / Grain) * c);
        });
        if (dWeight is not null) AddColumnSums(sums, pieces, c, dWeight);
    }

    public void Dispose() => _rotary.Dispose();

    private void HeadsBackward(LayerTensors w, int[] positions, Activations kept, float* dqkv, LayerTensors gradients)
    {
        var (h, hkv, d, wide) = (_config.HeadCount, _config.KeyValueHeadCount, _config.HeadSize, Wide);
        var heads = h + hkv;
        var pieces = (positions.Length + Grain - 1) / Grain;
        var sums = gradients.QueryNorm is null ? null : Scratch.Floats(2, (long)pieces * 2 * d); // [pieces, (query, key), D]
        if (sums is not null) new Span<float>(sums, pieces * 2 * d).Clear();
        Workers.Split(positions.Length, Grain, (from, to) =>
        {
            var dRaw = stackalloc float[d];
            for (var row = from; row < to; row++)
            {
                var dHeads = dqkv + (long)row * wide;
                _rotary.Rotate(dHeads, heads, positions[row], -1);
                if (w.QueryNorm is null) continue;
                for (var head = 0; head < heads; head++)
                {
                    new Span<float>(dRaw, d).Clear();
                    var dWeight = sums is null ? null : sums + ((long)(from / Grain) * 2 + (head < h ? 0 : 1)) * d;
                    RowKernels.RmsNormBackward(kept.Raw + ((long)row * heads + head) * d, head < h ? w.QueryNorm : w.KeyNorm, dHeads + head * d, d,
                        kept.HeadRms[(long)row * heads + head], dRaw, dWeight);
                    Copy(dRaw, dHeads + head * d, d);
                }
            }
        });
        if (sums is null) return;
        for (var piece = 0; piece < pieces; piece++)
        {
            AddColumnSums(sums + (long)piece * 2 * d, 1, d, gradients.QueryNorm);
            AddColumnSums(sums + ((long)piece * 2 + 1) * d, 1, d, gradients.KeyNorm);
        }
    }

    private void Scale(float* x, float* weight, int rows, float* rms, float* y)
    {
        var c = _config.HiddenSize;
        Workers.Split(rows, Grain, (from, to) =>
        {
            for (var row = from; row < to; row++) RowKernels.RmsScale(x + (long)row * c, weight, c, rms[row], y + (long)row * c);
        });
    }

    /// <summary>h = swiglu of gate and up side by side, for T rows.</summary>
    /// <param name="gateUp">Shape [T, 2 F].</param>
    /// <param name="rows">T.</param>
    /// <param name="hidden">Shape [T, F].</param>
    public void SwiGlu(float* gateUp, int rows, float* hidden)
    {
        var f = _config.IntermediateSize;
        Workers.Split(rows, Grain, (from, to) =>
        {
            for (var row = from; row < to; row++) RowKernels.SwiGlu(gateUp + (long)row * 2 * f, gateUp + (long)row * 2 * f + f, f, hidden + (long)row * f);
        });
    }

    // sums[j] += Σ_i x[i, j], in the order of rows.
    private static void AddColumnSums(float* x, int rows, int columns, float* sums)
    {
        for (var row = 0; row < rows; row++)
            TensorPrimitives.Add(new ReadOnlySpan<float>(sums, columns), new ReadOnlySpan<float>(x + (long)row * columns, columns), new Span<float>(sums, columns));
    }

    private static void Copy(float* from, float* to, long count)
    {
        if (from != to) Buffer.MemoryCopy(from, to, count * sizeof(float), count * sizeof(float));
    }
}
