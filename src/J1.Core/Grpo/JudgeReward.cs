namespace J1.Grpo;

/// <summary>How one completion did against the label of its pair.</summary>
public enum Grade
{
    /// <summary>It chose the better response.</summary>
    Right,

    /// <summary>It chose the worse response.</summary>
    Wrong,

    /// <summary>It scored both alike.</summary>
    Tie,

    /// <summary>It holds no verdict: unparsed, truncated or refused. Never rewarded.</summary>
    Invalid,
}

/// <summary>What is rewarded. The defaults are the paper's main model: 1 for a right verdict in an order, 0 otherwise.</summary>
public sealed record RewardOptions
{
    /// <summary>Reward of a right verdict, order by order. Default 1.</summary>
    public double Correctness { get; init; } = 1;

    /// <summary>Reward of a verdict that is right in both orders. Default 0; the paper's consistency reward is 1 here and 0 above.</summary>
    public double Consistency { get; init; }

    /// <summary>Which rollouts of the two orders are compared for consistency. Default by index.</summary>
    public ConsistencyMatching Matching { get; init; } = ConsistencyMatching.Index;

    /// <summary>Added for a wrong verdict; the paper's ablation uses -1. Default 0.</summary>
    public double Negative { get; init; }

    /// <summary>Added for a verdict that can be read, whatever it says; an ablation of the paper. Default 0.</summary>
    public double Format { get; init; }

    /// <exception cref="ArgumentException">Nothing is rewarded, or a weight has the wrong sign.</exception>
    public void Validate()
    {
        if (!(Correctness >= 0)) throw new ArgumentException($"{nameof(Correctness)} is {Correctness}; it must be at least 0.");
        if (!(Consistency >= 0)) throw new ArgumentException($"{nameof(Consistency)} is {Consistency}; it must be at least 0.");
        if (!(Negative <= 0)) throw new ArgumentException($"{nameof(Negative)} is {Negative}; it must be at most 0.");
        if (!(Format >= 0)) throw new ArgumentException($"{nameof(Format)} is {Format}; it must be at least 0.");
        if (Correctness == 0 && Consistency == 0) throw new ArgumentException($"{nameof(Correctness)} and {nameof(Consistency)} are both 0: no verdict would be rewarded.");
    }
}

/// <summary>Which rollouts of one order stand against which of the other.</summary>
public enum ConsistencyMatching
{
    /// <summary>The i-th against the i-th.</summary>
    Index,

    /// <summary>Each against all: the reward is the share of the other order's rollouts that are right. Less noise, the same expectation.</summary>
    All,
}

/// <summary>Grades to rewards. Pure functions; nothing is given for a tie or an invalid completion.</summary>
public static class JudgeReward
{
    /// <summary>The rewards of one pair's rollouts in both orders.</summary>
    /// <param name="first">Grades in the first order, shape [G].</param>
    /// <param name="second">Grades in the second order, shape [G]; never empty: a pair enters a batch in both orders or not at all.</param>
    /// <param name="options">What is rewarded.</param>
    /// <exception cref="ArgumentException">The two orders do not have the same number of rollouts.</exception>
    public static (double[] First, double[] Second) Of(ReadOnlySpan<Grade> first, ReadOnlySpan<Grade> second, RewardOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (first.Length != second.Length || first.Length == 0)
            throw new ArgumentException($"Half a pair: {first.Length} rollouts in the first order, {second.Length} in the second. Both orders must be in the batch.");
        return (OneOrder(first, second, options), OneOrder(second, first, options));
    }

    private static double[] OneOrder(ReadOnlySpan<Grade> mine, ReadOnlySpan<Grade> other, RewardOptions options)
    {
        var shareRight = other.Count(Grade.Right) / (double)other.Length;
        var rewards = new double[mine.Length];
        for (var i = 0; i < mine.Length; i++)
            rewards[i] = mine[i] switch
            {
                Grade.Right => options.Format + options.Correctness + options.Consistency * (options.Matching == ConsistencyMatching.All ? shareRight : other[i] == Grade.Right ? 1 : 0),
                Grade.Wrong => options.Format + options.Negative,
                _ => 0,
            };
        return rewards;
    }
}
