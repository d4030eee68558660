using System.Diagnostics;
using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;

namespace J1.Benchmarks;

/// <summary>
/// Whole training steps (forward, backward, AdamW) and generation on random weights of a named shape, in tokens a second, and the arithmetic of a step as a share of the machine's
/// peak measured beside it. Arguments: [135m|2m, default 135m] [rounds, default 3] [lora] [words: train, generate; default both].
/// </summary>
internal sealed class TrainingBenchmark : IBenchmark
{
    public string Name => "training";

    public string About => "training steps and generation of a whole model, tokens/s and share of the multiply-add peak";

    public void Run(TextWriter output, IReadOnlyList<string> arguments)
    {
        var small = arguments.Contains("2m");
        var config = small
            ? new ModelConfig { Architecture = Architecture.Llama, HiddenSize = 192, IntermediateSize = 512, LayerCount = 4, HeadCount = 6, KeyValueHeadCount = 6, HeadSize = 32, VocabularySize = 2048, ContextLength = 512, TieEmbeddings = true }
            : new ModelConfig { Architecture = Architecture.Llama, HiddenSize = 576, IntermediateSize = 1536, LayerCount = 30, HeadCount = 9, KeyValueHeadCount = 3, HeadSize = 64, VocabularySize = 49152, ContextLength = 512, TieEmbeddings = true };
        var lora = arguments.Contains("lora");
        var rounds = arguments.Select(a => int.TryParse(a, out var n) ? n : 0).FirstOrDefault(n => n > 0, 3);
        using var engine = ManagedEngine.Create(config, new IdTokenizer(config.VocabularySize, []), 1, new EngineOptions { Lora = lora ? new LoraOptions() : null });
        output.WriteLine($"{engine.ParameterCount / 1e6:F1} M parameters{(lora ? $", LoRA {engine.TrainableCount / 1e6:F1} M" : "")}, {Gemm.SimdBits}-bit vectors, {Workers.Count} threads, median of {rounds} rounds");
        if (arguments.Contains("train") || !arguments.Contains("generate")) Train(output, engine, rounds, lora);
        if (arguments.Contains("generate") || !arguments.Contains("train")) Generate(output, engine, rounds);
    }

    private static void Train(TextWriter output, ManagedEngine engine, int rounds, bool lora)
    {
        const int sequences = 8, length = 256;
        var random = SplitMix.For(7, 1);
        TokenSequence[] batch = [.. Enumerable.Range(0, sequences).Select(_ => new TokenSequence([.. Enumerable.Range(0, length + 1).Select(_ => random.NextInt(engine.Config.VocabularySize))], 1))];
        // Forward 2 operations a weight and token, backward twice that, or once where only an adapter learns (attention not counted: 6 N D, 4 N D).
        var operations = (lora ? 4.0 : 6.0) * engine.ParameterCount * sequences * length;
        var (rates, shares) = (new double[rounds], new double[rounds]);
        for (var round = -1; round < rounds; round++)
        {
            var peak = Peak();
            var watch = Stopwatch.StartNew();
            engine.Accumulate(batch, 1, (_, scores) => new TokenGradients([.. scores.LogProbs.Select(_ => -1f / (sequences * length))]));
            engine.Step(new OptimizerOptions { LearningRate = 1e-4f });
            var seconds = watch.Elapsed.TotalSeconds;
            if (round < 0) continue;
            rates[round] = sequences * length / seconds;
            shares[round] = operations / seconds * 1e-9 / ((peak + Peak()) / 2);
        }
        Array.Sort(rates);
        Array.Sort(shares);
        output.WriteLine($"train, {sequences} x {length} tokens a step: {rates[rounds / 2]:F0} tokens/s, {shares[rounds / 2]:P0} of peak");
    }

    private static void Generate(TextWriter output, ManagedEngine engine, int rounds)
    {
        var random = SplitMix.For(7, 2);
        foreach (var (prompts, samples) in new[] { (1, 1), (2, 8), (4, 8) })
        {
            int[][] tokens = [.. Enumerable.Range(0, prompts).Select(_ => Enumerable.Range(0, 128).Select(_ => random.NextInt(engine.Config.VocabularySize)).ToArray())];
            var rates = new double[rounds];
            for (var round = -1; round < rounds; round++)
            {
                var watch = Stopwatch.StartNew();
                var drawn = engine.Generate(tokens, samples, new SamplingOptions { MaxTokens = 64 }, (ulong)round);
                if (round >= 0) rates[round] = drawn.Sum(group => group.Sum(sample => sample.Tokens.Length)) / watch.Elapsed.TotalSeconds;
            }
            Array.Sort(rates);
            output.WriteLine($"generate, {prompts} prompts of 128 tokens x {samples} samples of 64: {rates[rounds / 2]:F0} tokens/s");
        }
    }

    // GF/s of all threads, over a few tens of milliseconds.
    private static double Peak()
    {
        var tasks = 8 * Workers.Count;
        var watch = Stopwatch.StartNew();
        Workers.Run(tasks, _ => FmaPeak.Work());
        return tasks * FmaPeak.Operations / watch.Elapsed.TotalSeconds * 1e-9;
    }
}
