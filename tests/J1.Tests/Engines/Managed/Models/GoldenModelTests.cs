using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Files;

namespace J1.Tests.Engines.Managed.Models;

/// <summary>The engine against what Hugging Face's transformers and PEFT compute in double precision, within the tolerances of the golden folder's README.</summary>
public sealed class GoldenModelTests
{
    private const string Golden = "golden/hf";

    public static TheoryData<string> All => new("llama-gqa-untied", "llama3-rope-scaled-tied", "llama-rope-linear", "qwen2-tied", "qwen3-untied", "llama-bf16-sharded", "llama-f16", "lora-all-linear", "lora-rs-attention");

    public static TheoryData<string> Trained => new("llama-gqa-untied", "llama3-rope-scaled-tied", "llama-rope-linear", "qwen2-tied", "qwen3-untied", "lora-all-linear", "lora-rs-attention");

    [SharedTheory(Golden)]
    [MemberData(nameof(All))]
    public void Log_probabilities_are_the_references(string name)
    {
        var golden = new GoldenModel(name);
        using var engine = golden.Open();
        AssertNear(golden.LogProbs, engine.Score(golden.Batch), scores => scores.LogProbs, 2e-5);
        if (golden.Has("entropy")) AssertNear(golden.Floats("entropy"), engine.Score(golden.Batch), scores => scores.Entropies, 2e-5);
        if (golden.Has("log_probs_temperature_0.7")) AssertNear(golden.Floats("log_probs_temperature_0.7"), engine.Score(golden.Batch, 0.7f), scores => scores.LogProbs, 3e-5);
    }

    [SharedTheory(Golden)]
    [MemberData(nameof(Trained))]
    public void Greedy_tokens_are_the_references(string name)
    {
        var golden = new GoldenModel(name);
        using var engine = golden.Open();
        foreach (var run in golden["greedy"].EnumerateArray())
        {
            int[] Ints(string key) => [.. run.GetProperty(key).EnumerateArray().Select(e => e.GetInt32())];
            var expected = Ints("tokens");
            var sample = engine.Generate([Ints("prompt")], 1, SamplingOptions.Greedy(expected.Length), 0)[0][0];
            // A continuation may stop at an end token where the reference's goes on.
            var count = sample.Finish == FinishReason.Stop ? sample.Tokens.Length : expected.Length;
            if (run.GetProperty("smallest_margin").GetDouble() < 1e-3) count = Math.Min(count, FirstDifference(expected, sample.Tokens));
            Assert.Equal(expected[..count], sample.Tokens[..count]);
            var logProbs = run.GetProperty("log_probs").EnumerateArray().Select(e => e.GetDouble()).ToArray();
            for (var t = 0; t < count; t++) Assert.Equal(logProbs[t], sample.LogProbs[t], 3e-5);
        }
    }

    [SharedTheory(Golden)]
    [MemberData(nameof(Trained))]
    public void Gradients_are_the_references(string name)
    {
        var golden = new GoldenModel(name);
        using var engine = golden.Open();
        Assert.Equal(golden["loss"].GetDouble(), Accumulate(engine, golden), 1e-3);

        using var expected = new SafetensorsFile(Path.Combine(golden.Folder, "gradients.safetensors"));
        Assert.Equal(expected.Tensors.Keys.Select(Ours).Order(), engine.TrainedTensors.Select(tensor => tensor.Name).Order());
        foreach (var tensor in expected.Tensors.Values)
        {
            var (want, got) = (new float[tensor.Count], engine.Gradient(Ours(tensor.Name)));
            expected.Read(tensor.Name, want);
            var largest = want.Max(MathF.Abs);
            for (var i = 0; i < want.Length; i++)
                Assert.True(MathF.Abs(want[i] - got[i]) <= 1e-4f * largest, $"{tensor.Name}[{i}] is {got[i]}, the reference {want[i]}, its tensor's largest {largest}");
        }
    }

    [SharedTheory(Golden)]
    [MemberData(nameof(Trained))]
    public void Three_optimizer_steps_end_where_the_reference_does(string name)
    {
        var golden = new GoldenModel(name);
        using var engine = golden.Open();
        var first = new Dictionary<string, float[]>();
        foreach (var step in golden["adamw"].GetProperty("steps").EnumerateArray())
        {
            Assert.Equal(step.GetProperty("loss_before").GetDouble(), Accumulate(engine, golden), 0.01);
            if (first.Count == 0) foreach (var tensor in engine.TrainedTensors) first.Add(tensor.Name, engine.Gradient(tensor.Name));
            var norm = step.GetProperty("gradient_norm_before_clipping").GetDouble();
            var report = engine.Step(new OptimizerOptions { LearningRate = (float)step.GetProperty("learning_rate").GetDouble(), WeightDecay = 0.01f, MaxGradientNorm = 1 });
            Assert.Equal(norm, report.GradientNorm, 2e-3 * norm);
        }

        using var expected = new SafetensorsFile(Path.Combine(golden.Folder, "after_adamw.safetensors"));
        foreach (var tensor in expected.Tensors.Values)
        {
            var (want, got, gradient) = (new float[tensor.Count], engine.Weight(Ours(tensor.Name)).ToArray(), first[Ours(tensor.Name)]);
            expected.Read(tensor.Name, want);
            var largest = gradient.Max(MathF.Abs);
            for (var i = 0; i < want.Length; i++)
            {
                // AdamW's first steps take the sign of a gradient; where that is rounding, the step may go either way.
                var tolerance = MathF.Abs(gradient[i]) < 1e-6f * largest ? 2 * 3.5e-3f : 1e-4f;
                Assert.True(MathF.Abs(want[i] - got[i]) <= tolerance, $"{tensor.Name}[{i}] is {got[i]}, the reference {want[i]}, its first gradient {gradient[i]} of {largest}");
            }
        }
    }

    [SharedTheory("golden/gguf")]
    [InlineData("qwen2-tied")]
    [InlineData("qwen3-untied")]
    public void Gguf_files_compute_as_the_folders_do(string name)
    {
        var golden = new GoldenModel(name);
        using var engine = ManagedEngine.Open(Shared.PathTo($"golden/gguf/{name}.gguf"));
        AssertNear(golden.LogProbs, engine.Score(golden.Batch), scores => scores.LogProbs, 2e-5);
    }

    // Loss and gradients of minus the weighted sum of log-probabilities.
    private static double Accumulate(ManagedEngine engine, GoldenModel golden)
    {
        var loss = 0.0;
        engine.Accumulate(golden.Batch, 1, (i, scores) =>
        {
            for (var t = 0; t < scores.LogProbs.Length; t++) loss -= golden.Weights[i][t] * scores.LogProbs[t];
            return new TokenGradients([.. golden.Weights[i].Select(w => (float)-w)]);
        });
        return loss;
    }

    private static void AssertNear(double[][] expected, TokenScores[] scores, Func<TokenScores, float[]> read, double tolerance)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            var values = read(scores[i]);
            Assert.Equal(expected[i].Length, values.Length);
            for (var t = 0; t < values.Length; t++)
                Assert.True(Math.Abs(expected[i][t] - values[t]) <= tolerance, $"sequence {i}, token {t}: {values[t]}, the reference {expected[i][t]}");
        }
    }

    // PEFT names an adapter's own tensors in memory with the adapter's name, which its files leave out.
    private static string Ours(string name) => name.Replace(".default.", ".", StringComparison.Ordinal);

    private static int FirstDifference(int[] a, int[] b)
    {
        var i = 0;
        while (i < Math.Min(a.Length, b.Length) && a[i] == b[i]) i++;
        return i;
    }
}
