using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;
using J1.Tests.Engines.Managed.Files;

namespace J1.Tests.Engines.Managed;

/// <summary>Wrong input, checkpoints, exports and memory. What the engine computes is held to <see cref="EngineContract"/> and to the golden models.</summary>
[Collection(Alone.Name)]
public sealed class ManagedEngineTests
{
    private static readonly TokenSequence[] Batch = [TokenSequence.Of([1, 2, 3], [4, 5, 6, 0]), TokenSequence.Of([1, 2, 9], [8, 7]), TokenSequence.Of([20], [21])];
    private static readonly LoraOptions Lora = new() { Rank = 4, Alpha = 8, Targets = ["q_proj", "o_proj", "up_proj"] };

    [Theory]
    [InlineData(Architecture.Llama)]
    [InlineData(Architecture.Qwen2)]
    [InlineData(Architecture.Qwen3)]
    public void An_exported_folder_read_back_scores_the_same(Architecture architecture)
    {
        using var folder = new ScratchFolder();
        using var engine = TinyModels.Open(Of(architecture), 1);
        Train(engine);
        engine.Export(folder.Path);
        using var again = ManagedEngine.Open(folder.Path);
        Assert.Equal(engine.Identity, again.Identity);
        Assert.Equal(engine.ContextLength, again.ContextLength);
        Assert.Equal([0], again.Tokenizer.EndTokens);
        AssertSameScores(engine, again);

        // There was no tokenizer: ids work, text is refused with the remedy.
        Assert.IsType<IdTokenizer>(again.Tokenizer);
        Assert.Contains("tokenizer.json", Assert.Throws<InvalidOperationException>(() => again.Tokenizer.Encode("text")).Message, StringComparison.Ordinal);
        Assert.True(Train(again).GradientNorm > 0);
    }

    [SharedFact("golden/hf/tokenizers")]
    public void An_exported_folder_has_the_tokenizer_with_it()
    {
        using var source = new ScratchFolder();
        using var folder = new ScratchFolder();
        File.Copy(Shared.PathTo("golden/hf/tokenizers/smollm/tokenizer.json"), source["tokenizer.json"]);
        var tokenizer = TokenizerReader.FromFolder(source.Path);
        var config = TinyModels.Llama with { VocabularySize = tokenizer.VocabularySize, EndTokens = [.. tokenizer.EndTokens] };
        using var engine = ManagedEngine.Create(config, tokenizer, 4);
        engine.Export(folder.Path);
        using var again = ManagedEngine.Open(folder.Path);
        const string text = "Which answer is better, A or B? ü 東京";
        Assert.Equal(tokenizer.Encode(text), again.Tokenizer.Encode(text));
        Assert.Equal(engine.Identity, again.Identity);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_exported_adapter_on_a_fresh_base_scores_the_same(bool rankStabilized)
    {
        using var folder = new ScratchFolder();
        var options = new EngineOptions { Lora = Lora with { RankStabilized = rankStabilized } };
        using var engine = TinyModels.Open(TinyModels.Qwen3, 1, options);
        var untouched = engine.Score(Batch);
        for (var i = 0; i < 3; i++) Train(engine);
        engine.Export(folder.Path);
        Assert.True(PeftAdapter.Exists(folder.Path));

        using var again = TinyModels.Open(TinyModels.Qwen3, 1);
        Assert.NotEqual(engine.Identity, again.Identity);
        again.LoadAdapter(folder.Path);
        Assert.Equal(engine.Identity, again.Identity);
        Assert.Equal(engine.TrainableCount, again.TrainableCount);
        AssertSameScores(engine, again);
        Assert.NotEqual(untouched[0].LogProbs, again.Score(Batch)[0].LogProbs);

        // Again on top, and another in its place: the base under it has not changed.
        again.LoadAdapter(folder.Path);
        Assert.Equal(engine.Identity, again.Identity);
        using var frozen = again.Freeze();
        Train(again);
        Assert.Equal(engine.Identity, frozen.Identity);
        Assert.NotEqual(engine.Identity, again.Identity);
        again.LoadAdapter(folder.Path);
        AssertSameScores(engine, again);
    }

    [Fact]
    public void A_fresh_adapter_changes_nothing_and_trains_little()
    {
        using var plain = TinyModels.Open(TinyModels.Llama, 1);
        using var engine = TinyModels.Open(TinyModels.Llama, 1, new EngineOptions { Lora = Lora });
        AssertSameScores(plain, engine);
        Assert.Equal(plain.ParameterCount, engine.ParameterCount);
        Assert.Equal(plain.ParameterCount, plain.TrainableCount);
        Assert.Equal(2 * 4 * ((28 + 24) + (24 + 28) + (28 + 43)), engine.TrainableCount);
        Assert.DoesNotContain(engine.TrainedTensors, tensor => tensor.Name.Contains("k_proj", StringComparison.Ordinal));
    }

    [Fact]
    public void A_missing_model_and_a_truncated_one_are_refused_by_name()
    {
        using var folder = new ScratchFolder();
        AssertRefused(() => ManagedEngine.Open(folder["nothing"]), folder["nothing"], "does not exist");
        AssertRefused(() => ManagedEngine.Open(folder.Path), folder.Path, "neither a config.json nor a .gguf");

        using (var engine = TinyModels.Open(TinyModels.Llama, 1)) engine.Export(folder.Path);
        var weights = folder["model.safetensors"];
        var bytes = File.ReadAllBytes(weights);
        var live = Live();
        foreach (var length in (int[])[0, 5, 100, bytes.Length / 2, bytes.Length - 1])
        {
            File.WriteAllBytes(weights, bytes[..length]);
            AssertRefused(() => ManagedEngine.Open(folder.Path), weights);
        }
        File.Delete(weights);
        AssertRefused(() => ManagedEngine.Open(folder.Path), folder.Path, "model.safetensors");
        Assert.Equal(live, Live());
    }

    [Fact]
    public void An_adapter_of_another_base_is_refused_and_changes_nothing()
    {
        using var folder = new ScratchFolder();
        using (var other = TinyModels.Open(TinyModels.Llama with { HiddenSize = 30 }, 1, new EngineOptions { Lora = Lora })) other.Export(folder["narrow"]);
        using (var other = TinyModels.Open(TinyModels.Llama with { LayerCount = 3 }, 1, new EngineOptions { Lora = Lora })) other.Export(folder["deep"]);
        using (var other = TinyModels.Open(TinyModels.Llama with { LayerCount = 1 }, 1, new EngineOptions { Lora = Lora })) other.Export(folder["flat"]);
        using var engine = TinyModels.Open(TinyModels.Llama, 1, new EngineOptions { Lora = Lora });
        Train(engine);
        var identity = engine.Identity;
        AssertRefused(() => engine.LoadAdapter(folder["narrow"]), "adapter_model.safetensors", "base model");
        AssertRefused(() => engine.LoadAdapter(folder["deep"]), "adapter_model.safetensors", "base model");
        AssertRefused(() => engine.LoadAdapter(folder["flat"]), "adapter_model.safetensors", "layer 1");
        AssertRefused(() => engine.LoadAdapter(folder["nothing"]), "nothing", "adapter_config.json");
        Assert.Equal(identity, engine.Identity);
        Assert.True(Train(engine).GradientNorm > 0);
    }

    [Fact]
    public void A_checkpoint_of_another_model_rank_or_way_of_training_is_refused_and_changes_nothing()
    {
        using var folder = new ScratchFolder();
        void Save(string name, ModelConfig config, LoraOptions? lora)
        {
            using var other = TinyModels.Open(config, 3, new EngineOptions { Lora = lora });
            Train(other);
            other.Save(folder[name]);
        }
        Save("wide", TinyModels.Llama with { IntermediateSize = 50 }, null);
        Save("rank", TinyModels.Llama, Lora with { Rank = 5 });
        Save("matrices", TinyModels.Llama, Lora with { Targets = ["q_proj"] });
        Save("base", TinyModels.Llama, Lora);
        Save("whole", TinyModels.Llama, null);
        Directory.CreateDirectory(folder["empty"]);
        Save("cut", TinyModels.Llama, Lora);
        var file = Path.Combine(folder["cut"], "checkpoint.safetensors");
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..^10]);

        using var full = TinyModels.Open(TinyModels.Llama, 1);
        using var adapted = TinyModels.Open(TinyModels.Llama, 1, new EngineOptions { Lora = Lora });
        foreach (var (engine, name, message) in ((ManagedEngine, string, string)[])[
            (full, "wide", "[50, 28], this model's is [43, 28]"), (full, "rank", "has no tensor 'weight/model.embed_tokens.weight'"), (full, "empty", "checkpoint.safetensors"),
            (full, "nowhere", "checkpoint.safetensors"), (adapted, "rank", "[5, 28], this model's is [4, 28]"), (adapted, "matrices", "has no tensor"), (adapted, "whole", "has no tensor"), (adapted, "base", "is of an adapter of another model"), (adapted, "cut", "checkpoint.safetensors")])
        {
            Train(engine);
            var identity = engine.Identity;
            AssertRefused(() => engine.Load(folder[name]), folder[name], message);
            Assert.Equal(identity, engine.Identity);
        }
        full.Export(folder["export"]);
        File.Copy(Path.Combine(folder["export"], "model.safetensors"), Path.Combine(folder["empty"], "checkpoint.safetensors"));
        AssertRefused(() => full.Load(folder["empty"]), "after how many steps");
    }

    [FullDeviceFact]
    public void A_disk_that_is_full_leaves_the_last_checkpoint()
    {
        using var folder = new ScratchFolder();
        using var engine = TinyModels.Open(TinyModels.Llama, 1);
        Train(engine);
        engine.Save(folder.Path);
        var good = engine.Identity;
        Train(engine);
        File.CreateSymbolicLink(folder["checkpoint.safetensors.tmp"], "/dev/full"); // where the new content is written first
        AssertRefused(() => engine.Save(folder.Path), "the older file is untouched", "Free some space");
        engine.Load(folder.Path);
        Assert.Equal(good, engine.Identity);
        Train(engine);
        engine.Save(folder.Path); // and there is room again
        var next = engine.Identity;
        using var other = TinyModels.Open(TinyModels.Llama, 9);
        other.Load(folder.Path);
        Assert.Equal(next, other.Identity);
        Assert.Equal(["checkpoint.safetensors"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Tokens_and_sequences_that_cannot_be_are_refused_with_their_place()
    {
        using var engine = TinyModels.Open(TinyModels.Llama, 1);
        void Refused<T>(Action act, string message) where T : Exception => Assert.Contains(message, Assert.Throws<T>(act).Message, StringComparison.Ordinal);
        Refused<ArgumentException>(() => engine.Generate([[1], [2, 37]], 1, new SamplingOptions(), 0), "Token 37 of prompt 1 is not in the vocabulary of 37");
        Refused<ArgumentException>(() => engine.Generate([[1], []], 1, new SamplingOptions(), 0), "Prompt 1 is empty");
        Refused<ArgumentException>(() => engine.Generate([[1]], 1, new SamplingOptions { TopK = -1 }, 0), "TopK is -1");
        Refused<ArgumentOutOfRangeException>(() => engine.Generate([[1]], 0, new SamplingOptions(), 0), "samplesPerPrompt");
        Refused<ArgumentException>(() => engine.Score([TokenSequence.Of([1], [-1])]), "Token -1 of sequence 0");
        Refused<ArgumentException>(() => engine.Score([Batch[0], new TokenSequence([1, 2], 0)]), "Sequence 1 has 2 tokens, 0 of them prompt");
        Refused<ArgumentException>(() => engine.Score([new TokenSequence([1, 2], 2)]), "Sequence 0 has 2 tokens, 2 of them prompt");
        Refused<ArgumentException>(() => engine.Score([new TokenSequence([1, 2], 3)]), "Sequence 0 has 2 tokens, 3 of them prompt");
        Refused<ArgumentException>(() => engine.Score(Batch, 0), "The temperature is 0");
        Refused<ArgumentException>(() => engine.Accumulate(Batch, float.NaN, (_, s) => new TokenGradients(s.LogProbs)), "The temperature is NaN");
        Refused<ContextOverflowException>(() => engine.Score([new TokenSequence(new int[49], 3)]), "Sequence 0 has 49 tokens; the context holds 48");
        Refused<InvalidOperationException>(() => engine.Accumulate(Batch, 1, (_, _) => new TokenGradients([1])), "returned 1 gradients for 4");
        Refused<InvalidOperationException>(() => engine.Accumulate([Batch[2]], 1, (_, _) => new TokenGradients([1], [1, 2])), "returned");
        Refused<ArgumentException>(() => ManagedEngine.Create(TinyModels.Llama, new IdTokenizer(38, []), 0), "The tokenizer has 38 tokens, the model 37");
        Refused<ArgumentException>(() => ManagedEngine.Create(TinyModels.Llama, new IdTokenizer(37, []), 0, new EngineOptions { MicroBatchTokens = 0 }), "MicroBatchTokens is 0");
        Refused<ArgumentException>(() => TinyModels.Open(TinyModels.Llama, 0, new EngineOptions { Lora = new LoraOptions { Rank = 0 } }), "Rank is 0");
        Refused<ArgumentException>(() => TinyModels.Open(TinyModels.Llama, 0, new EngineOptions { Lora = new LoraOptions { Targets = ["embed_tokens"] } }), "embed_tokens");
    }

    [Fact]
    public void A_frozen_engine_cannot_be_trained()
    {
        using var engine = TinyModels.Open(TinyModels.Llama, 1);
        using var frozen = (ManagedEngine)engine.Freeze();
        Assert.Contains("frozen copy", Assert.Throws<InvalidOperationException>(() => Train(frozen)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => frozen.Step(new OptimizerOptions()));
        Assert.Equal(0, frozen.TrainableCount);
    }

    [Fact]
    public void An_engine_that_was_disposed_of_says_so()
    {
        var engine = TinyModels.Open(TinyModels.Llama, 1);
        engine.Dispose();
        engine.Dispose();
        Assert.Throws<ObjectDisposedException>(() => engine.Score(Batch));
        Assert.Throws<ObjectDisposedException>(() => engine.Generate([[1]], 1, new SamplingOptions(), 0));
        Assert.Throws<ObjectDisposedException>(() => Train(engine));
        Assert.Throws<ObjectDisposedException>(() => engine.Freeze());
        Assert.Throws<ObjectDisposedException>(() => engine.Identity);
    }

    [Fact]
    public void A_shorter_context_than_the_models_can_be_asked_for_but_not_a_longer_one()
    {
        using var shorter = TinyModels.Open(TinyModels.Llama, 1, new EngineOptions { ContextLength = 10 });
        using var longer = TinyModels.Open(TinyModels.Llama, 1, new EngineOptions { ContextLength = 1000 });
        Assert.Equal((10, 48), (shorter.ContextLength, longer.ContextLength));
        Assert.Throws<ContextOverflowException>(() => shorter.Score([new TokenSequence(new int[11], 3)]));
        AssertSameScores(shorter, longer);
    }

    [Fact]
    public void Created_weights_follow_the_seed_and_start_small()
    {
        ManagedEngine Create(ulong seed) => ManagedEngine.Create(TinyModels.Qwen3, new IdTokenizer(37, [0]), seed);
        using ManagedEngine one = Create(1), same = Create(1), other = Create(2);
        Assert.Equal(one.Identity, same.Identity);
        Assert.NotEqual(one.Identity, other.Identity);
        // Logits of deviation 1 at first: the entropy stays within a nat of a uniform guess.
        Assert.All(one.Score(Batch).SelectMany(s => s.Entropies), entropy => Assert.InRange(entropy, Math.Log(37) - 1, Math.Log(37)));
        Assert.All(one.Weight("model.layers.1.self_attn.q_norm.weight").ToArray(), w => Assert.Equal(1, w));
        float Deviation(string name) => MathF.Sqrt(one.Weight(name).ToArray().Average(w => w * w));
        var expected = 1 / MathF.Sqrt(TinyModels.Qwen3.HiddenSize);
        Assert.InRange(Deviation("model.layers.0.self_attn.q_proj.weight"), 0.9f * expected, 1.1f * expected);
        Assert.InRange(Deviation("model.layers.0.mlp.down_proj.weight"), 0.9f * expected / MathF.Sqrt(2 * TinyModels.Qwen3.LayerCount), 1.1f * expected / MathF.Sqrt(2 * TinyModels.Qwen3.LayerCount));
    }

    [Fact]
    public void The_memory_estimate_is_refused_with_its_numbers()
    {
        var model = TinyModels.Llama with { VocabularySize = 32_000, HiddenSize = 512, IntermediateSize = 1376, HeadSize = 128 };
        var estimate = MemoryEstimate.For(model, new EngineOptions(), training: true, reference: true, samples: 80, promptTokens: 300, completionTokens: 200);
        estimate.Check(estimate.Total);
        var message = Assert.Throws<InsufficientMemoryException>(() => estimate.Check(100_000_000)).Message;
        foreach (var part in (string[])[FormattableString.Invariant($"{estimate.Total / 1e9:F2} GB"), "weights", "gradients", "moments", "activations", "logits", "generation", "reference", "the machine has 0.10 GB", "lora", "micro_batch_tokens", "recompute_activations"])
            Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.Equal(estimate.Weights, estimate.Reference);
        Assert.Equal(2 * estimate.Gradients, estimate.Optimizer);

        var judging = MemoryEstimate.For(model, new EngineOptions(), training: false, reference: false);
        Assert.Equal((0, 0, 0, 0), (judging.Gradients, judging.Optimizer, judging.Reference, judging.Generation));
        Assert.True(MemoryEstimate.For(model, new EngineOptions { RecomputeActivations = true }, training: true, reference: false).Activations < estimate.Activations);
        Assert.True(MemoryEstimate.For(model, new EngineOptions { Lora = Lora }, training: true, reference: false).Optimizer < estimate.Optimizer / 10);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void The_memory_estimate_is_near_what_a_run_takes(bool recompute, bool lora)
    {
        var model = TinyModels.Llama with { HiddenSize = 64, IntermediateSize = 172, LayerCount = 3, HeadSize = 16, VocabularySize = 1000, ContextLength = 128 };
        var options = new EngineOptions { MicroBatchTokens = 256, RecomputeActivations = recompute, Lora = lora ? Lora : null };
        const int pairs = 2, group = 6, prompt = 16, completion = 20;
        var estimate = MemoryEstimate.For(model, options, training: true, reference: true, samples: 2 * pairs * group, promptTokens: prompt, completionTokens: completion);

        var before = Live();
        var peak = PeakOf(() =>
        {
            using var engine = TinyModels.Open(model with { EndTokens = [] }, 1, options);
            using var reference = engine.Freeze();
            int[][] prompts = [.. Enumerable.Range(0, 2 * pairs).Select(i => Enumerable.Range(0, prompt).Select(t => 1 + (i * 31 + t * 7) % 999).ToArray())];
            for (var step = 0; step < 2; step++)
            {
                var samples = engine.Generate(prompts, group, new SamplingOptions { MaxTokens = completion }, (ulong)step);
                TokenSequence[] batch = [.. prompts.SelectMany((p, i) => samples[i].Select(sample => TokenSequence.Of(p, sample.Tokens)))];
                reference.Score(batch);
                engine.Accumulate(batch, 1, (_, scores) => new TokenGradients([.. scores.LogProbs.Select(_ => 1e-3f)]));
                engine.Step(new OptimizerOptions());
            }
        }) - before;
        Assert.InRange(estimate.Total / (double)peak, 0.8, 1.5);
    }

    private static ModelConfig Of(Architecture architecture) => architecture switch { Architecture.Qwen2 => TinyModels.Qwen2, Architecture.Qwen3 => TinyModels.Qwen3, _ => TinyModels.Llama };

    private static StepReport Train(ManagedEngine engine)
    {
        engine.Accumulate(Batch, 1, (_, scores) => new TokenGradients([.. scores.LogProbs.Select((_, t) => t % 2 == 0 ? -1f : 0.5f)]));
        return engine.Step(new OptimizerOptions { LearningRate = 0.01f });
    }

    private static void AssertSameScores(ManagedEngine expected, ManagedEngine got)
    {
        foreach (var (one, other) in expected.Score(Batch, 0.9f).Zip(got.Score(Batch, 0.9f)))
        {
            Assert.Equal(one.LogProbs, other.LogProbs);
            Assert.Equal(one.Entropies, other.Entropies);
        }
    }

    private static void AssertRefused(Action act, params string[] parts)
    {
        var error = Assert.Throws<ModelFileException>(act);
        foreach (var part in parts) Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    private static long Live()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return NativeBuffer.LiveBytes;
    }

    // The most bytes that are held while the body runs, as another thread sees them.
    private static long PeakOf(Action body)
    {
        var (done, peak) = (false, 0L);
        var watcher = new Thread(() =>
        {
            while (!Volatile.Read(ref done))
            {
                peak = Math.Max(peak, NativeBuffer.LiveBytes);
                Thread.Sleep(1);
            }
        });
        watcher.Start();
        try { body(); }
        finally
        {
            Volatile.Write(ref done, true);
            watcher.Join();
        }
        return peak;
    }
}
