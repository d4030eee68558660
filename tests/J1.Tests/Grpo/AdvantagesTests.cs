using System.Text.Json;
using J1.Engines;
using J1.Grpo;

namespace J1.Tests.Grpo;

public sealed class AdvantagesTests
{
    [SharedFact("golden/grpo_loss.json")]
    public void Advantages_equal_the_reference_trainers()
    {
        using var golden = JsonDocument.Parse(File.ReadAllText(Shared.PathTo("golden/grpo_loss.json")));
        var compared = 0;
        foreach (var item in golden.RootElement.GetProperty("advantages").GetProperty("cases").EnumerateArray())
        {
            var weights = item.GetProperty("weights").EnumerateArray().Select(x => x.GetDouble()).ToArray();
            var rewards = item.GetProperty("rewards").EnumerateArray().Select(row => Weighted(row, weights)).ToArray();
            foreach (var (name, scaling) in new[] { ("group", AdvantageScaling.Group), ("batch", AdvantageScaling.Batch), ("none", AdvantageScaling.None) })
            {
                if (!item.TryGetProperty(name, out var expected)) continue;
                var actual = Advantages.Of(rewards, 4, scaling);
                foreach (var (want, got) in expected.EnumerateArray().Zip(actual)) Assert.Equal(want.GetDouble(), got, 1e-6);
                compared++;
            }
        }
        Assert.Equal(7, compared);
    }

    [Fact]
    public void Advantages_of_equal_rewards_are_zero() => Assert.All(Advantages.Of([1, 1, 1, 1], 4, AdvantageScaling.Group), a => Assert.Equal(0, a));

    [Fact]
    public void Advantages_sum_to_zero_and_ignore_a_shift()
    {
        for (var seed = 0UL; seed < 50; seed++)
        {
            var random = SplitMix.For(seed, 2);
            var rewards = Enumerable.Range(0, 12).Select(_ => random.NextDouble()).ToArray();
            var shifted = rewards.Select(r => r + 3).ToArray();
            var advantages = Advantages.Of(rewards, 4, AdvantageScaling.Group);
            Assert.Equal(0, advantages.Take(4).Sum(), 1e-9);
            foreach (var (a, b) in advantages.Zip(Advantages.Of(shifted, 4, AdvantageScaling.Group))) Assert.Equal(a, b, 1e-9);
        }
    }

    [Fact]
    public void A_reward_that_cannot_be_scored_moves_nobody()
    {
        var advantages = Advantages.Of([1, double.NaN, 0, double.NaN], 4, AdvantageScaling.None);
        Assert.Equal([0.5, 0, -0.5, 0], advantages);
    }

    [Fact]
    public void Half_a_group_is_refused()
    {
        var error = Assert.Throws<ArgumentException>(() => Advantages.Of([1, 0, 1], 2, AdvantageScaling.Group));
        Assert.Contains("3 rewards do not fill groups of 2", error.Message, StringComparison.Ordinal);
    }

    private static double Weighted(JsonElement row, double[] weights)
    {
        var parts = row.EnumerateArray().Select((x, i) => x.ValueKind == JsonValueKind.Null ? (double?)null : x.GetDouble() * weights[i]).Where(x => x is not null).ToArray();
        return parts.Length == 0 ? double.NaN : parts.Sum()!.Value;
    }
}
