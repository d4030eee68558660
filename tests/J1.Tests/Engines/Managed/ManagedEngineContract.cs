using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;
using J1.Tests.Engines.Managed.Kernels;

namespace J1.Tests.Engines.Managed;

/// <summary>The contract on a tiny transformer, and what the managed engine promises beyond it: the same bits however it is cut and whatever it runs on.</summary>
public abstract class ManagedEngineContract : EngineContract
{
    protected virtual ModelConfig Config => TinyModels.Llama;

    protected virtual EngineOptions Options => new();

    protected override ITrainableEngine Create(ulong seed) => Open(seed, Options);

    protected virtual ManagedEngine Open(ulong seed, EngineOptions options) => TinyModels.Open(Config, seed, options);

    protected override IReadOnlyList<string> Groups(ITrainableEngine engine) => [.. ((ManagedEngine)engine).TrainedTensors.Select(tensor => tensor.Name)];

    protected override float[] Read(ITrainableEngine engine, string group) => ((ManagedEngine)engine).Weight(group).ToArray();

    protected override void Write(ITrainableEngine engine, string group, float[] values)
    {
        values.CopyTo(((ManagedEngine)engine).Weight(group));
        ((ManagedEngine)engine).WeightsMoved();
    }

    protected override (long Bytes, long Slack) Held() => (NativeBuffer.LiveBytes, 0);

    [Fact]
    public void Neither_micro_batches_nor_recomputation_change_a_score_or_a_gradient()
    {
        using var plain = Open(1, Options with { MicroBatchTokens = 4096, RecomputeActivations = false });
        var (scores, gradients, samples) = (BatchScores(plain), BatchGradients(plain), BatchSamples(plain));
        foreach (var (tokens, recompute) in ((int, bool)[])[(1, false), (20, false), (4096, true), (20, true)])
        {
            using var engine = Open(1, Options with { MicroBatchTokens = tokens, RecomputeActivations = recompute });
            Assert.Equal(AllBits(scores), AllBits(BatchScores(engine)));
            AssertSame(samples, BatchSamples(engine));
            var own = BatchGradients(engine);
            AssertNear(gradients, own);
            if (tokens == 4096) Assert.Equal(gradients.SelectMany(g => g.Value), own.SelectMany(g => g.Value));
        }
    }

    [Fact]
    public void Threads_and_vectors_change_no_bit()
    {
        using var first = Open(1, Options);
        var (scores, samples, report) = (BatchScores(first), BatchSamples(first), Train(first));
        foreach (var bits in Simd.Supported)
            foreach (var threads in (int[])[1, 2, 3])
                Simd.With(bits, threads, () =>
                {
                    using var engine = Open(1, Options);
                    Assert.Equal(AllBits(scores), AllBits(BatchScores(engine)));
                    AssertSame(samples, BatchSamples(engine));
                    Assert.Equal(report, Train(engine));
                    Assert.Equal(first.Identity, engine.Identity);
                });
    }

    private static int[] AllBits(TokenScores[] scores) => [.. scores.SelectMany(s => Bits(s.LogProbs).Concat(Bits(s.Entropies)))];
}

public sealed class ManagedLlamaContract : ManagedEngineContract;

public sealed class ManagedQwen2Contract : ManagedEngineContract
{
    protected override ModelConfig Config => TinyModels.Qwen2;
}

public sealed class ManagedQwen3Contract : ManagedEngineContract
{
    protected override ModelConfig Config => TinyModels.Qwen3;
}

public sealed class ManagedRecomputingContract : ManagedEngineContract
{
    protected override EngineOptions Options => new() { RecomputeActivations = true };
}

public sealed class ManagedOneTokenMicroBatchContract : ManagedEngineContract
{
    protected override EngineOptions Options => new() { MicroBatchTokens = 1 };
}

public class ManagedLoraContract : ManagedEngineContract
{
    protected override EngineOptions Options => new() { Lora = new LoraOptions { Rank = 3, Alpha = 7 } };

    // The base is the same for all seeds: a checkpoint of an adapter is loaded on its own base.
    protected override ManagedEngine Open(ulong seed, EngineOptions options)
    {
        var engine = TinyModels.Open(Config, 1, options);
        var random = SplitMix.For(seed, 0xB);
        foreach (var tensor in engine.TrainedTensors)
            foreach (ref var value in engine.Weight(tensor.Name)) value += (float)(0.2 * random.NextNormal());
        engine.WeightsMoved();
        return engine;
    }
}

public sealed class ManagedRankStabilizedLoraContract : ManagedLoraContract
{
    protected override ModelConfig Config => TinyModels.Qwen3;

    protected override EngineOptions Options => new() { RecomputeActivations = true, Lora = new LoraOptions { Rank = 5, Alpha = 4, RankStabilized = true, Targets = ["k_proj", "q_proj", "down_proj"] } };
}
