using System.Text.Json;
using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Files;
using J1.Grpo;

namespace J1.Tests.Engines.Managed.Training;

/// <summary>The whole path at once, from rewards to moved weights, against the loss function of TRL and torch's AdamW in double precision.</summary>
public sealed class GrpoStepsTests
{
    private const string Folder = "golden/hf/grpo-steps";
    private const float LearningRate = 2e-4f;

    [SharedTheory(Folder)]
    [InlineData("grpo-kl", LossProfile.Grpo)]
    [InlineData("dapo", LossProfile.Dapo)]
    [InlineData("dr-grpo", LossProfile.DrGrpo)]
    [InlineData("gspo", LossProfile.Gspo)]
    [InlineData("cispo", LossProfile.Cispo)]
    public void Three_updates_end_where_the_reference_trainer_does(string name, LossProfile profile)
    {
        var golden = JsonDocument.Parse(File.ReadAllBytes(Shared.PathTo($"{Folder}/reference.json"))).RootElement;
        var run = golden.GetProperty("runs").EnumerateArray().Single(r => r.GetProperty("name").GetString() == name);
        var prompts = golden.GetProperty("prompts").EnumerateArray().Select(Ints).ToArray();
        var groups = golden.GetProperty("completions").EnumerateArray().Select(group => group.EnumerateArray().Select(Ints).ToArray()).ToArray();
        var batch = groups.SelectMany((group, i) => group.Select(completion => TokenSequence.Of(prompts[i], completion))).ToArray();
        var advantages = Advantages.Of([.. golden.GetProperty("rewards").EnumerateArray().SelectMany(Doubles)], groups[0].Length, AdvantageScaling.Group);
        AssertNear(Doubles(golden.GetProperty("advantages")), advantages, 1e-9);

        var objective = new GrpoObjective(new GrpoOptions
        {
            Loss = profile,
            KlCoefficient = run.GetProperty("options").GetProperty("kl_coefficient").GetDouble(),
            MaxCompletionTokens = golden.GetProperty("max_completion_length").GetInt32(),
        });
        using var engine = ManagedEngine.Open(Shared.PathTo("golden/hf/llama-gqa-untied"));
        using var reference = engine.Freeze();
        var old = engine.Score(batch);
        AssertNear(golden.GetProperty("log_probs_before").EnumerateArray(), old);
        long tokens = batch.Sum(s => s.CompletionLength);
        Dictionary<string, float[]>? first = null;

        foreach (var step in run.GetProperty("steps").EnumerateArray())
        {
            var terms = new SequenceTerm[batch.Length];
            var held = objective.NeedsReference ? reference.Score(batch) : null;
            engine.Accumulate(batch, 1, (i, now) => (terms[i] = objective.Evaluate(
                now, old[i].LogProbs, held?[i].LogProbs, advantages[i], objective.TokenWeight(batch.Length, tokens, now.LogProbs.Length))).Gradients);
            first ??= engine.TrainedTensors.ToDictionary(tensor => tensor.Name, tensor => engine.Gradient(tensor.Name));
            var report = engine.Step(new OptimizerOptions { LearningRate = LearningRate });

            double Expected(string key) => step.GetProperty(key).GetDouble();
            // Clip ratios are shares of tokens, of sequences where the ratio is a sequence's.
            double Share(Func<SequenceTerm, int> clipped) => profile == LossProfile.Gspo ? terms.Count(term => clipped(term) > 0) / (double)terms.Length : terms.Sum(clipped) / (double)tokens;
            Assert.Equal(Expected("loss"), terms.Sum(term => term.Loss), 1e-4);
            Assert.Equal(Expected("gradient_norm_before_clipping"), report.GradientNorm, 1e-4 * Math.Max(1, report.GradientNorm));
            Assert.Equal(Expected("entropy"), terms.Sum(term => term.Entropy) / tokens, 1e-4);
            if (objective.NeedsReference) Assert.Equal(Expected("kl"), terms.Sum(term => term.Kl) / tokens, 1e-4);
            if (profile == LossProfile.Cispo) Assert.Equal(Expected("cispo_clip_ratio"), Share(term => term.ClippedHigh), 1e-9);
            else
            {
                Assert.Equal(Expected("clip_ratio/low_mean"), Share(term => term.ClippedLow), 1e-9);
                Assert.Equal(Expected("clip_ratio/high_mean"), Share(term => term.ClippedHigh), 1e-9);
            }
        }

        AssertNear(run.GetProperty("log_probs_after").EnumerateArray(), engine.Score(batch));
        using var after = new SafetensorsFile(Shared.PathTo($"{Folder}/{run.GetProperty("weights_after").GetString()}"));
        Assert.Equal(after.Tensors.Keys.Order(), engine.TrainedTensors.Select(tensor => tensor.Name).Order());
        foreach (var tensor in after.Tensors.Values)
        {
            var (want, got, gradient) = (new float[tensor.Count], engine.Weight(tensor.Name).ToArray(), first![tensor.Name]);
            after.Read(tensor.Name, want);
            var largest = gradient.Max(MathF.Abs);
            for (var i = 0; i < want.Length; i++)
            {
                // AdamW's first step has the learning rate's size and a gradient's sign, and a gradient that is rounding has either.
                var tolerance = MathF.Abs(gradient[i]) < 1e-6f * largest ? 2 * LearningRate : LearningRate / 10;
                Assert.True(MathF.Abs(want[i] - got[i]) <= tolerance, $"{tensor.Name}[{i}] is {got[i]}, the reference {want[i]}, its first gradient {gradient[i]} of {largest}");
            }
        }
    }

    private static void AssertNear(IEnumerable<JsonElement> expected, TokenScores[] scores)
    {
        foreach (var (want, got) in expected.Zip(scores)) AssertNear(Doubles(want), [.. got.LogProbs.Select(l => (double)l)], 1e-4);
    }

    private static void AssertNear(double[] expected, double[] got, double tolerance)
    {
        Assert.Equal(expected.Length, got.Length);
        for (var i = 0; i < got.Length; i++) Assert.Equal(expected[i], got[i], tolerance);
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];

    private static double[] Doubles(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetDouble())];
}
