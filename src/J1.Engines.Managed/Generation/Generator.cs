using J1.Engines.Managed.Files;
using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Generation;

/// <summary>
/// Draws completions: prompts run through the decoder once, packed; then all samples go on together, a token a step, over a key/value cache.
/// A row's arithmetic is that of <see cref="Decoder.Forward"/> to the last bit, so what is sampled is what is scored later.
/// </summary>
internal sealed unsafe class Generator(ModelConfig config, Decoder decoder, TensorBlock weights, PackedWeights packed, IReadOnlyList<int> endTokens, int contextLength)
{
    // Packed prompt tokens and bytes of sampled keys and values that are worked on at once; more prompts are taken in turn.
    private const int MostPromptTokens = 16_384;
    private const long MostCacheBytes = 3L << 30;
    private const int MostSamples = 1024;

    private readonly bool[] _ends = Ends(endTokens, config.VocabularySize);

    /// <summary>Draws completions; where there is one alone, <paramref name="drawn"/> is told its tokens as they come.</summary>
    public Sample[][] Generate(IReadOnlyList<int[]> prompts, int samplesPerPrompt, SamplingOptions sampling, ulong seed, Action<int>? drawn, CancellationToken cancellationToken)
    {
        var bytes = KeyValueCache.FloatsPerToken(config) * sizeof(float) * Math.Min(sampling.MaxTokens, contextLength);
        var most = Math.Max(1, Math.Min(MostSamples, (int)Math.Min(int.MaxValue, MostCacheBytes / bytes)) / samplesPerPrompt);
        var samples = new Sample[prompts.Count][];
        foreach (var part in TokenTree.Parts([.. prompts.Select(p => new ArraySegment<int>(p))], MostPromptTokens))
            foreach (var group in part.Chunk(most))
                Generate(group, prompts, samplesPerPrompt, sampling, seed, samples, drawn, cancellationToken);
        return samples;
    }

    private void Generate(int[] group, IReadOnlyList<int[]> prompts, int perPrompt, SamplingOptions sampling, ulong seed, Sample[][] results, Action<int>? drawn, CancellationToken cancellationToken)
    {
        var tree = new TokenTree([.. group.Select(i => new ArraySegment<int>(prompts[i]))]);
        var states = new State[group.Length * perPrompt];
        for (var slot = 0; slot < states.Length; slot++)
        {
            var prompt = group[slot / perPrompt];
            states[slot] = new State(slot, slot / perPrompt, Math.Min(sampling.MaxTokens, contextLength - prompts[prompt].Length), prompts[prompt].Length,
                SplitMix.For(seed, (ulong)prompt, (ulong)(slot % perPrompt)));
        }

        using var cache = new KeyValueCache(config, tree.Tokens.Length, states.Length, states.Max(state => state.Limit));
        using (var first = Prefill(tree, cache, cancellationToken))
            Workers.Run(states.Length, slot => Draw(states[slot], first.Pointer + (long)states[slot].Prompt * config.VocabularySize, sampling));
        drawn?.Invoke(states[0].Tokens[^1]);

        var active = states.Where(state => state.Finish is null).ToArray();
        using var rows = new StepRows(config, active.Length);
        while (active.Length > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Step(active, tree, cache, rows);
            Workers.Run(active.Length, i => Draw(active[i], rows.Logits.Pointer + (long)i * config.VocabularySize, sampling));
            drawn?.Invoke(states[0].Tokens[^1]);
            active = [.. active.Where(state => state.Finish is null)];
        }

        for (var i = 0; i < group.Length; i++)
            results[group[i]] = [.. states.Skip(i * perPrompt).Take(perPrompt).Select(state => new Sample([.. state.Tokens], [.. state.LogProbs], state.Finish!.Value))];
    }

    // Runs the prompts and returns the logits after each, shape [prompts, V].
    private NativeBuffer Prefill(TokenTree tree, KeyValueCache cache, CancellationToken cancellationToken)
    {
        var (t, c, prompts) = (tree.Tokens.Length, config.HiddenSize, tree.PathCount);
        using var kept = new Activations(config, t);
        using var work = new Workspace(config, t, backward: false);
        decoder.Embed(tree.Tokens, kept.Input);
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            decoder.Forward(layer, tree, kept, work, kept.Input);
            cache.StorePrompts(layer, kept.QueryKeyValue);
        }

        using var last = new NativeBuffer((long)prompts * c, zeroed: false);
        for (var prompt = 0; prompt < prompts; prompt++)
        {
            var end = tree.Path(prompt)[^1];
            new ReadOnlySpan<float>(kept.Input + (long)(end.Row + end.Count - 1) * c, c).CopyTo(last.Slice((long)prompt * c, c));
        }
        using var rms = new NativeBuffer(prompts, zeroed: false);
        var logits = new NativeBuffer((long)prompts * config.VocabularySize, zeroed: false);
        Logits(last.Pointer, prompts, last.Pointer, rms.Pointer, logits.Pointer);
        return logits;
    }

    // One token of every active sample through the model; its logits end in rows.Logits.
    private void Step(State[] active, TokenTree tree, KeyValueCache cache, StepRows rows)
    {
        var (r, c, f, h, d) = (active.Length, config.HiddenSize, config.IntermediateSize, config.HeadCount, config.HeadSize);
        var (queries, wide) = (h * d, (h + 2 * config.KeyValueHeadCount) * d);
        float* x = rows.Stream.Pointer, normed = rows.Normed.Pointer, qkv = rows.QueryKeyValue.Pointer, attended = rows.Attended.Pointer;
        int[] tokens = [.. active.Select(state => state.Tokens[^1])], positions = [.. active.Select(state => state.PromptLength + state.Tokens.Count - 1)];
        var byPrompt = Enumerable.Range(0, r).GroupBy(row => active[row].Prompt).Select(same => same.ToArray()).ToArray();

        decoder.Embed(tokens, x);
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            var (l, w) = (layer, decoder.Layers[layer]);
            decoder.Norm(x, w.InputNorm, r, normed, rows.Rms.Pointer);
            Gemm.MultiplyPacked(r, normed, c, packed.QueryKeyValue[l], qkv, wide);
            decoder.PrepareHeads(w, positions, qkv, null, null);
            for (var row = 0; row < r; row++) cache.Store(l, active[row].Slot, active[row].Tokens.Count - 1, qkv + (long)row * wide);
            Workers.Run(byPrompt.Length * config.KeyValueHeadCount, task =>
                Attend(l, task % config.KeyValueHeadCount, byPrompt[task / config.KeyValueHeadCount], active, tree, cache, qkv, attended));
            Gemm.MultiplyPacked(r, attended, queries, packed.Output[l], x, c, accumulate: true);

            decoder.Norm(x, w.MiddleNorm, r, normed, rows.Rms.Pointer);
            Gemm.MultiplyPacked(r, normed, c, packed.GateUp[l], rows.GateUp.Pointer, 2 * f);
            decoder.SwiGlu(rows.GateUp.Pointer, r, rows.Hidden.Pointer);
            Gemm.MultiplyPacked(r, rows.Hidden.Pointer, f, packed.Down[l], x, c, accumulate: true);
        }
        Logits(x, r, normed, rows.Rms.Pointer, rows.Logits.Pointer);
    }

    // Attention of all samples of one prompt in the heads that share one key and value head: the prompt's keys serve all samples at once.
    private void Attend(int layer, int kv, int[] rows, State[] active, TokenTree tree, KeyValueCache cache, float* qkv, float* attended)
    {
        var (h, hkv, d) = (config.HeadCount, config.KeyValueHeadCount, config.HeadSize);
        var (group, wide, first) = (h / hkv, (h + 2 * hkv) * d, active[rows[0]]);
        var (all, path) = (rows.Length * group, tree.Path(first.Prompt));
        var longest = rows.Max(row => active[row].Tokens.Count);
        var stride = first.PromptLength + longest + SmallProduct.Slack;
        float* q = Scratch.Floats(0, (long)all * d), s = Scratch.Floats(1, (long)all * stride + SmallProduct.Slack), o = Scratch.Floats(2, (long)all * cache.ValueStride);
        for (var i = 0; i < all; i++)
            new ReadOnlySpan<float>(qkv + (long)rows[i / group] * wide + (kv * group + i % group) * d, d).CopyTo(new Span<float>(q + (long)i * d, d));

        var column = 0;
        foreach (var run in path)
        {
            SmallProduct.Multiply(all, d, q, d, cache.PromptKeys(layer, kv) + run.Row, cache.PromptStride, s + column, stride, run.Count, false);
            column += run.Count;
        }
        for (var i = 0; i < rows.Length; i++)
        {
            var state = active[rows[i]];
            var own = s + (long)i * group * stride;
            SmallProduct.Multiply(group, d, q + (long)i * group * d, d, cache.Keys(layer, state.Slot, kv), cache.Capacity, own + column, stride, state.Tokens.Count, false);
            for (var head = 0; head < group; head++) RowKernels.Softmax(own + (long)head * stride, column + state.Tokens.Count, Attention.Scale(config));
        }

        column = 0;
        foreach (var run in path)
        {
            SmallProduct.Multiply(all, run.Count, s + column, stride, cache.PromptValues(layer, kv) + (long)run.Row * cache.ValueStride, cache.ValueStride, o, cache.ValueStride, d, column > 0);
            column += run.Count;
        }
        for (var i = 0; i < rows.Length; i++)
        {
            var state = active[rows[i]];
            var own = o + (long)i * group * cache.ValueStride;
            SmallProduct.Multiply(group, state.Tokens.Count, s + (long)i * group * stride + column, stride, cache.Values(layer, state.Slot, kv), cache.ValueStride, own, cache.ValueStride, d, true);
            for (var head = 0; head < group; head++)
                new ReadOnlySpan<float>(own + (long)head * cache.ValueStride, d).CopyTo(new Span<float>(attended + (long)rows[i] * h * d + (kv * group + head) * d, d));
        }
    }

    private void Logits(float* x, int rows, float* normed, float* rms, float* logits)
    {
        decoder.Norm(x, weights[Shapes.FinalNorm], rows, normed, rms);
        Gemm.MultiplyPacked(rows, normed, config.HiddenSize, packed.Head, logits, config.VocabularySize);
    }

    private void Draw(State state, float* logits, SamplingOptions sampling)
    {
        var v = config.VocabularySize;
        var statistics = RowKernels.Statistics(logits, v, sampling.Temperature == 0 ? 1 : 1 / sampling.Temperature);
        int token;
        if (sampling.Temperature == 0) token = RowKernels.IndexOfMax(logits, v);
        else if (sampling.TopK == 0 && sampling.TopP >= 1 && sampling.MinP <= 0) token = RowKernels.Draw(logits, v, statistics, state.Random.NextDouble());
        else
        {
            var logProbs = new double[v];
            for (var i = 0; i < v; i++) logProbs[i] = statistics.LogProb(logits[i]);
            token = Sampler.Draw(logProbs, sampling, ref state.Random);
        }
        state.Tokens.Add(token);
        state.LogProbs.Add((float)statistics.LogProb(logits[token]));
        if (_ends[token]) state.Finish = FinishReason.Stop;
        else if (state.Tokens.Count == state.Limit) state.Finish = FinishReason.Length;
    }

    private static bool[] Ends(IReadOnlyList<int> tokens, int vocabularySize)
    {
        var ends = new bool[vocabularySize];
        foreach (var token in tokens)
            if ((uint)token < (uint)vocabularySize) ends[token] = true;
        return ends;
    }

    /// <summary>One sample on its way.</summary>
    private sealed class State(int slot, int prompt, int limit, int promptLength, SplitMix random)
    {
        public SplitMix Random = random;

        public int Slot { get; } = slot;

        /// <summary>Its prompt's place in the group.</summary>
        public int Prompt { get; } = prompt;

        public int Limit { get; } = limit;

        public int PromptLength { get; } = promptLength;

        public List<int> Tokens { get; } = [];

        public List<float> LogProbs { get; } = [];

        public FinishReason? Finish { get; set; }
    }

    /// <summary>Room for one token of every sample (R).</summary>
    private sealed class StepRows(ModelConfig config, int rows) : IDisposable
    {
        public NativeBuffer Stream { get; } = Of(rows, config.HiddenSize);

        public NativeBuffer Normed { get; } = Of(rows, config.HiddenSize);

        public NativeBuffer Rms { get; } = Of(rows, 1);

        public NativeBuffer QueryKeyValue { get; } = Of(rows, (config.HeadCount + 2 * config.KeyValueHeadCount) * config.HeadSize);

        public NativeBuffer Attended { get; } = Of(rows, config.HeadCount * config.HeadSize);

        public NativeBuffer GateUp { get; } = Of(rows, 2 * config.IntermediateSize);

        public NativeBuffer Hidden { get; } = Of(rows, config.IntermediateSize);

        public NativeBuffer Logits { get; } = Of(rows, config.VocabularySize);

        public void Dispose()
        {
            foreach (var buffer in (NativeBuffer[])[Stream, Normed, Rms, QueryKeyValue, Attended, GateUp, Hidden, Logits]) buffer.Dispose();
        }

        private static NativeBuffer Of(int rows, int columns) => new((long)rows * columns, zeroed: false);
    }
}
