using J1.Grpo;

namespace J1.Tests.Grpo;

public sealed class JudgeRewardTests
{
    // mine, the other order's rollout of the same index -> correctness, consistency, with a penalty of -1, with a format reward of 0.5
    [Theory]
    [InlineData(Grade.Right, Grade.Right, 1, 1, 1, 1.5)]
    [InlineData(Grade.Right, Grade.Wrong, 1, 0, 1, 1.5)]
    [InlineData(Grade.Right, Grade.Tie, 1, 0, 1, 1.5)]
    [InlineData(Grade.Right, Grade.Invalid, 1, 0, 1, 1.5)]
    [InlineData(Grade.Wrong, Grade.Right, 0, 0, -1, 0.5)]
    [InlineData(Grade.Wrong, Grade.Wrong, 0, 0, -1, 0.5)]
    [InlineData(Grade.Tie, Grade.Right, 0, 0, 0, 0)]
    [InlineData(Grade.Invalid, Grade.Right, 0, 0, 0, 0)]
    [InlineData(Grade.Invalid, Grade.Invalid, 0, 0, 0, 0)]
    public void The_truth_table_of_the_paper(Grade mine, Grade other, double correctness, double consistency, double negative, double format)
    {
        double Reward(RewardOptions options) => JudgeReward.Of([mine], [other], options).First[0];
        Assert.Equal(correctness, Reward(new RewardOptions()));
        Assert.Equal(consistency, Reward(new RewardOptions { Correctness = 0, Consistency = 1 }));
        Assert.Equal(negative, Reward(new RewardOptions { Negative = -1 }));
        Assert.Equal(format, Reward(new RewardOptions { Format = 0.5 }));
    }

    [Fact]
    public void Matching_all_gives_the_share_of_the_other_order_that_is_right()
    {
        var options = new RewardOptions { Correctness = 0, Consistency = 1, Matching = ConsistencyMatching.All };
        var (first, second) = JudgeReward.Of([Grade.Right, Grade.Wrong], [Grade.Right, Grade.Right], options);
        Assert.Equal([1, 0], first);
        Assert.Equal([0.5, 0.5], second);
    }

    [Fact]
    public void Swapping_the_orders_swaps_the_rewards()
    {
        Grade[] a = [Grade.Right, Grade.Wrong, Grade.Right, Grade.Invalid], b = [Grade.Right, Grade.Right, Grade.Tie, Grade.Right];
        var options = new RewardOptions { Consistency = 0.5, Negative = -0.25, Format = 0.1 };
        var (first, second) = JudgeReward.Of(a, b, options);
        var swapped = JudgeReward.Of(b, a, options);
        Assert.Equal(second, swapped.First);
        Assert.Equal(first, swapped.Second);
    }

    [Fact]
    public void Half_a_pair_is_refused()
    {
        var error = Assert.Throws<ArgumentException>(() => JudgeReward.Of([Grade.Right], [], new RewardOptions()));
        Assert.Contains("Half a pair: 1 rollouts in the first order, 0 in the second", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rewarding_nothing_is_refused() =>
        Assert.Contains("no verdict would be rewarded", Assert.Throws<ArgumentException>(() => new RewardOptions { Correctness = 0 }.Validate()).Message, StringComparison.Ordinal);
}
