using System.Text.Json;
using J1.Engines;
using J1.Engines.Managed.Kernels;

namespace J1.Tests.Engines;

public sealed class SamplerTests
{
    [SharedFact("golden/hf/sampling.json")]
    public void Filtered_probabilities_are_the_references()
    {
        var cases = JsonDocument.Parse(File.ReadAllBytes(Shared.PathTo("golden/hf/sampling.json"))).RootElement.GetProperty("cases");
        Assert.True(cases.GetArrayLength() >= 20);
        foreach (var one in cases.EnumerateArray())
        {
            float Option(string name, float otherwise) => one.GetProperty("options").TryGetProperty(name, out var value) ? value.GetSingle() : otherwise;
            var sampling = new SamplingOptions { Temperature = Option("temperature", 1), TopK = (int)Option("top_k", 0), TopP = Option("top_p", 1), MinP = Option("min_p", 0) };
            sampling.Validate();
            var logits = Doubles(one.GetProperty("logits")).Select(z => (float)z).ToArray();
            var probabilities = Sampler.Filter(Naive.LogSoftmax(logits, sampling.Temperature).LogProbs, sampling);
            var expected = Doubles(one.GetProperty("probabilities"));
            for (var v = 0; v < expected.Length; v++)
            {
                Assert.Equal(expected[v], probabilities[v], 1e-6);
                Assert.True(expected[v] == 0 == (probabilities[v] == 0), $"{one.GetProperty("options")}: token {v} has {probabilities[v]}, the reference {expected[v]}");
            }
        }
    }

    [Fact]
    public void A_draw_follows_the_filtered_probabilities()
    {
        double[] logProbs = [Math.Log(0.5), Math.Log(0.3), Math.Log(0.15), Math.Log(0.05)];
        var sampling = new SamplingOptions { TopP = 0.75f };
        var random = SplitMix.For(9, 0);
        var drawn = new int[4];
        for (var i = 0; i < 8000; i++) drawn[Sampler.Draw(logProbs, sampling, ref random)]++;
        Assert.Equal((0, 0), (drawn[2], drawn[3]));
        Assert.InRange(drawn[0], 8000 * 0.625 - 220, 8000 * 0.625 + 220);
    }

    [Theory]
    [InlineData("MaxTokens is 0")]
    [InlineData("Temperature is -1")]
    [InlineData("Temperature is NaN")]
    [InlineData("TopK is -1")]
    [InlineData("TopP is 0")]
    [InlineData("MinP is 1")]
    public void A_value_out_of_range_is_refused_by_name(string start)
    {
        var (name, value) = (start.Split(" is ")[0], float.Parse(start.Split(" is ")[1], System.Globalization.CultureInfo.InvariantCulture));
        var sampling = name switch
        {
            "MaxTokens" => new SamplingOptions { MaxTokens = (int)value },
            "Temperature" => new SamplingOptions { Temperature = value },
            "TopK" => new SamplingOptions { TopK = (int)value },
            "TopP" => new SamplingOptions { TopP = value },
            _ => new SamplingOptions { MinP = value },
        };
        Assert.StartsWith(start, Assert.Throws<ArgumentException>(sampling.Validate).Message, StringComparison.Ordinal);
    }

    private static double[] Doubles(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetDouble())];
}
