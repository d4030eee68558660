using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace J1.Engines;

/// <summary>
/// The smallest engine that keeps the contract: a table of logits, one row for each last token (a bigram model). It shows how an engine
/// is written, and makes GRPO testable to the last digit in milliseconds. It leaves out everything a real engine is for: speed and context.
/// </summary>
public sealed class TableEngine : ITrainableEngine
{
    private readonly int _size;
    private readonly float[] _logits, _gradient, _mean, _variance;   // each (V, V): row = the token before
    private readonly bool _frozen;
    private long _steps;

    /// <summary>A table over <paramref name="tokenizer"/>'s vocabulary with small random logits.</summary>
    public TableEngine(ITokenizer tokenizer, ulong seed, int contextLength = 4096)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        (Tokenizer, ContextLength, _size) = (tokenizer, contextLength, tokenizer.VocabularySize);
        var count = _size * _size;
        (_logits, _gradient, _mean, _variance) = (new float[count], new float[count], new float[count], new float[count]);
        var random = SplitMix.For(seed, 0);
        for (var i = 0; i < count; i++) _logits[i] = (float)random.NextNormal() * 0.1f;
    }

    private TableEngine(TableEngine other)
    {
        (Tokenizer, ContextLength, _size, _frozen) = (other.Tokenizer, other.ContextLength, other._size, true);
        (_logits, _gradient, _mean, _variance) = ([.. other._logits], [], [], []);
    }

    public ITokenizer Tokenizer { get; }

    public int ContextLength { get; }

    public string Identity => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<float>(_logits)))[..16];

    /// <summary>The logit of <paramref name="next"/> after <paramref name="last"/>; tests move it to take finite differences.</summary>
    public ref float this[int last, int next] => ref _logits[last * _size + next];

    public Sample[][] Generate(IReadOnlyList<int[]> prompts, int samplesPerPrompt, SamplingOptions sampling, ulong seed, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(sampling);
        sampling.Validate();
        return [.. prompts.Select((prompt, i) => Enumerable.Range(0, samplesPerPrompt).Select(j => Draw(prompt, sampling, SplitMix.For(seed, (ulong)i, (ulong)j), cancellationToken)).ToArray())];
    }

    public TokenScores[] Score(IReadOnlyList<TokenSequence> batch, float temperature = 1, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return [.. batch.Select(sequence => Score(sequence, temperature, cancellationToken))];
    }

    public void Accumulate(IReadOnlyList<TokenSequence> batch, float temperature, SequenceLoss loss, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(loss);
        if (_frozen) throw new InvalidOperationException("This engine is frozen.");
        try
        {
            for (var b = 0; b < batch.Count; b++)
            {
                var sequence = batch[b];
                var given = loss(b, Score(sequence, temperature, cancellationToken));
                for (var t = 0; t < sequence.CompletionLength; t++)
                {
                    // log p_y = z_y/T - log Σ e^(z/T):  d log p_y / d z_v = ([v = y] - p_v) / T
                    // H = -Σ p log p:                   d H / d z_v = -p_v (log p_v + H) / T
                    var at = sequence.PromptLength + t;
                    var (last, next) = (sequence.Tokens[at - 1], sequence.Tokens[at]);
                    var (logP, entropy) = LogSoftmax(last, temperature);
                    for (var v = 0; v < _size; v++)
                    {
                        var p = Math.Exp(logP[v]);
                        var g = given.LogProbs[t] * ((v == next ? 1 : 0) - p) - (given.Entropies?[t] ?? 0) * p * (logP[v] + entropy);
                        _gradient[last * _size + v] += (float)(g / temperature);
                    }
                }
            }
        }
        catch
        {
            Array.Clear(_gradient);
            throw;
        }
    }

    public StepReport Step(OptimizerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var norm = Math.Sqrt(_gradient.Sum(g => (double)g * g));
        if (!double.IsFinite(norm))
        {
            Array.Clear(_gradient);
            throw new NonFiniteException($"The gradient norm is {norm}.");
        }
        var scale = options.MaxGradientNorm > 0 ? Math.Min(1, options.MaxGradientNorm / (norm + 1e-6)) : 1;
        _steps++;
        var (correction1, correction2) = (1 - Math.Pow(options.Beta1, _steps), 1 - Math.Pow(options.Beta2, _steps));
        for (var i = 0; i < _logits.Length; i++)
        {
            var g = (float)(_gradient[i] * scale);
            _mean[i] = options.Beta1 * _mean[i] + (1 - options.Beta1) * g;
            _variance[i] = options.Beta2 * _variance[i] + (1 - options.Beta2) * g * g;
            var update = _mean[i] / correction1 / (Math.Sqrt(_variance[i] / correction2) + options.Epsilon);
            _logits[i] -= (float)(options.LearningRate * (update + options.WeightDecay * _logits[i]));
        }
        Array.Clear(_gradient);
        return new StepReport(norm, options.LearningRate, _steps);
    }

    public void RestartOptimizer()
    {
        Array.Clear(_mean);
        Array.Clear(_variance);
        _steps = 0;
    }

    public IEngine Freeze() => new TableEngine(this);

    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        var bytes = new byte[8 + 12 * _logits.Length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, _steps);
        var at = 8;
        foreach (var array in (float[][])[_logits, _mean, _variance])
            for (var i = 0; i < array.Length; i++, at += 4)
                BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(at), array[i]);
        File.WriteAllBytes(Path.Combine(folder, "table.tmp"), bytes);
        File.Move(Path.Combine(folder, "table.tmp"), Path.Combine(folder, "table.bin"), overwrite: true);
    }

    public void Load(string folder)
    {
        var file = Path.Combine(folder, "table.bin");
        var bytes = File.ReadAllBytes(file);
        if (bytes.Length != 8 + 12 * _logits.Length)
            throw new Data.DataException($"{file} holds {bytes.Length} bytes where a table over {_size} tokens has {8 + 12 * _logits.Length}.");
        _steps = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        var at = 8;
        foreach (var array in (float[][])[_logits, _mean, _variance])
            for (var i = 0; i < array.Length; i++, at += 4)
                array[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(at));
        Array.Clear(_gradient);
    }

    public void Dispose() { }

    private Sample Draw(int[] prompt, SamplingOptions sampling, SplitMix random, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (prompt.Length >= ContextLength)
            throw new ContextOverflowException($"A prompt of {prompt.Length} tokens leaves no room in a context of {ContextLength}.", prompt.Length, ContextLength);
        var (tokens, logProbs) = (new List<int>(), new List<float>());
        var limit = Math.Min(sampling.MaxTokens, ContextLength - prompt.Length);
        while (tokens.Count < limit)
        {
            var (logP, _) = LogSoftmax(tokens.Count > 0 ? tokens[^1] : prompt[^1], sampling.Temperature == 0 ? 1 : sampling.Temperature);
            var next = Sampler.Draw(logP, sampling, ref random);
            tokens.Add(next);
            logProbs.Add((float)logP[next]);
            if (Tokenizer.EndTokens.Contains(next)) return new Sample([.. tokens], [.. logProbs], FinishReason.Stop);
        }
        return new Sample([.. tokens], [.. logProbs], FinishReason.Length);
    }

    private TokenScores Score(TokenSequence sequence, float temperature, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var (logProbs, entropies) = (new float[sequence.CompletionLength], new float[sequence.CompletionLength]);
        for (var t = 0; t < logProbs.Length; t++)
        {
            var at = sequence.PromptLength + t;
            var (logP, entropy) = LogSoftmax(sequence.Tokens[at - 1], temperature);
            (logProbs[t], entropies[t]) = ((float)logP[sequence.Tokens[at]], (float)entropy);
        }
        return new TokenScores(logProbs, entropies);
    }

    private (double[] LogP, double Entropy) LogSoftmax(int last, float temperature)
    {
        var z = new double[_size];
        for (var v = 0; v < _size; v++) z[v] = _logits[last * _size + v] / (double)temperature;
        var max = z.Max();
        var logSum = max + Math.Log(z.Sum(x => Math.Exp(x - max)));
        var entropy = 0.0;
        for (var v = 0; v < _size; v++)
        {
            z[v] -= logSum;
            entropy -= Math.Exp(z[v]) * z[v];
        }
        return (z, entropy);
    }
}
