namespace J1.Grpo;

/// <summary>Rewards to advantages: how much better a sample did than the others of its group.</summary>
public static class Advantages
{
    /// <summary>Added to standard deviations, as the reference trainers do.</summary>
    public const double Epsilon = 1e-4;

    /// <summary>
    /// A_i = (r_i - mean of its group) / (s + 1e-4), with s by <paramref name="scaling"/> the unbiased standard deviation of the group, of the batch, or absent.
    /// A NaN reward means "not scorable": it takes no part in any mean and its advantage is 0.
    /// </summary>
    /// <param name="rewards">Shape [groups × groupSize], groups one after the other.</param>
    /// <param name="groupSize">Samples a group; divides the number of rewards.</param>
    /// <param name="scaling">What to divide by.</param>
    /// <exception cref="ArgumentException">The rewards do not fill whole groups.</exception>
    public static double[] Of(ReadOnlySpan<double> rewards, int groupSize, AdvantageScaling scaling)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(groupSize);
        if (rewards.Length % groupSize != 0)
            throw new ArgumentException($"{rewards.Length} rewards do not fill groups of {groupSize}.");

        var advantages = new double[rewards.Length];
        var ofBatch = StandardDeviation(rewards);
        for (var start = 0; start < rewards.Length; start += groupSize)
        {
            var group = rewards.Slice(start, groupSize);
            var mean = Mean(group);
            var scale = scaling switch
            {
                AdvantageScaling.Group => StandardDeviation(group) + Epsilon,
                AdvantageScaling.Batch => ofBatch + Epsilon,
                _ => 1,
            };
            for (var i = 0; i < groupSize; i++)
                advantages[start + i] = double.IsNaN(group[i]) ? 0 : (group[i] - mean) / scale;
        }
        return advantages;
    }

    private static double Mean(ReadOnlySpan<double> values)
    {
        var (sum, count) = (0.0, 0);
        foreach (var value in values)
            if (!double.IsNaN(value)) (sum, count) = (sum + value, count + 1);
        return count == 0 ? 0 : sum / count;
    }

    // Unbiased (n - 1), as torch.std; 0 where there are fewer than two values.
    private static double StandardDeviation(ReadOnlySpan<double> values)
    {
        var mean = Mean(values);
        var (sum, count) = (0.0, 0);
        foreach (var value in values)
            if (!double.IsNaN(value)) (sum, count) = (sum + (value - mean) * (value - mean), count + 1);
        return count < 2 ? 0 : Math.Sqrt(sum / (count - 1));
    }
}
