using System.Text.Json;
using J1.Engines;
using J1.Engines.Managed;

namespace J1.Tests.Engines.Managed.Models;

/// <summary>A real model, read from its 4-bit file, against what transformers computes with the same dequantised weights in double precision.</summary>
public sealed class SmolLm2Tests
{
    private const string Model = "models/smollm2-135m-instruct";

    [SharedFact(Model)]
    public void SmolLM2_scores_generates_and_differentiates_as_transformers_does()
    {
        var golden = JsonDocument.Parse(File.ReadAllBytes(Shared.PathTo("golden/hf/smollm2.json"))).RootElement;
        using var engine = ManagedEngine.Open(Shared.PathTo(Model), new EngineOptions { ContextLength = 1024 });
        Assert.Equal(134_515_008, engine.ParameterCount);

        foreach (var score in golden.GetProperty("score").EnumerateArray())
        {
            var expected = Doubles(score.GetProperty("log_probs"));
            var got = engine.Score([new TokenSequence(Ints(score.GetProperty("ids")), 1)])[0].LogProbs;
            for (var t = 0; t < expected.Length; t++) Assert.Equal(expected[t], got[t], 1e-3);
        }

        var runs = golden.GetProperty("generate").EnumerateArray().ToArray();
        var most = runs.Max(run => run.GetProperty("tokens").GetArrayLength());
        var samples = engine.Generate([.. runs.Select(run => Ints(run.GetProperty("prompt_ids")))], 1, SamplingOptions.Greedy(most), 0);
        for (var i = 0; i < runs.Length; i++)
        {
            var (tokens, logProbs, margins) = (Ints(runs[i].GetProperty("tokens")), Doubles(runs[i].GetProperty("log_probs")), Doubles(runs[i].GetProperty("margins")));
            for (var t = 0; t < tokens.Length && margins[t] > 0.02; t++)
            {
                Assert.Equal(tokens[t], samples[i][0].Tokens[t]);
                Assert.Equal(logProbs[t], samples[i][0].LogProbs[t], 1e-3);
            }
        }

        var gradient = golden.GetProperty("gradient");
        var ids = Ints(gradient.GetProperty("ids"));
        var loss = 0.0;
        engine.Accumulate([new TokenSequence(ids, 63)], 1, (_, scores) =>
        {
            loss = -scores.LogProbs.Average(l => (double)l);
            return new TokenGradients([.. scores.LogProbs.Select(_ => -1f / scores.LogProbs.Length)]);
        });
        Assert.Equal(gradient.GetProperty("value").GetDouble(), loss, 1e-3);
        var all = Math.Sqrt(engine.TrainedTensors.Sum(tensor => Math.Pow(Norm(engine.Gradient(tensor.Name)), 2)));
        AssertRelative(gradient.GetProperty("norm").GetDouble(), all, "all");
        foreach (var tensor in gradient.GetProperty("tensor_norms").EnumerateObject())
            AssertRelative(tensor.Value.GetDouble(), Norm(engine.Gradient(tensor.Name)), tensor.Name);
    }

    private static void AssertRelative(double expected, double got, string name) =>
        Assert.True(Math.Abs(expected - got) <= 1e-3 * expected, $"the gradient norm of {name} is {got}, the reference {expected}");

    private static double Norm(float[] values) => Math.Sqrt(values.Sum(v => (double)v * v));

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];

    private static double[] Doubles(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetDouble())];
}
