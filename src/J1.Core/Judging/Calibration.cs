using J1.Data;

namespace J1.Judging;

/// <summary>
/// Turns margins into probabilities by one scale (temperature scaling; Guo et al., 2017): p = 1 / (1 + e^(-scale · margin)).
/// There is no bias term, so exchanging the responses still gives exactly the complement.
/// </summary>
/// <param name="Scale">Multiplies the margin; at least 0.</param>
public sealed record Calibration(double Scale)
{
    /// <summary>Log-odds taken at their word: scale 1.</summary>
    public static Calibration None { get; } = new(1);

    /// <summary>The probability that A is better, 0 to 1.</summary>
    public double Probability(double margin)
    {
        // Computed from the size and then mirrored: 1 - p is exact for p in [1/2, 1], so p(-m) = 1 - p(m) to the last bit.
        var ahead = 1 / (1 + Math.Exp(-Scale * Math.Abs(margin)));
        return margin < 0 ? 1 - ahead : ahead;
    }

    /// <summary>
    /// The scale under which the labels are most likely, with Platt's (1999) smoothed targets, so that it stays finite where every verdict is right.
    /// Invalid judgements and pairs without a label A or B do not count.
    /// </summary>
    /// <exception cref="ArgumentException">No judgement with a margin has a label.</exception>
    public static Calibration Fit(IEnumerable<(double Margin, Preference Label)> judged)
    {
        ArgumentNullException.ThrowIfNull(judged);
        double[] margins = [.. judged.Where(j => j.Label != Preference.Tie).Select(j => j.Label == Preference.A ? j.Margin : -j.Margin).Where(double.IsFinite)];
        if (margins.Length == 0)
            throw new ArgumentException("Nothing to calibrate on: no judgement has both a margin and a label A or B.", nameof(judged));
        var typical = Math.Sqrt(margins.Average(m => m * m));
        if (typical == 0) return None;

        // loss(s) = mean of -t log σ(s m) - (1 - t) log σ(-s m) is convex in s: bisect its slope, mean of (σ(s m) - t) m.
        var target = (margins.Length + 1.0) / (margins.Length + 2.0);
        var (low, high) = (0.0, 1 / typical);
        while (Slope(high) < 0 && high < 1e6 / typical) high *= 2;
        for (var i = 0; i < 200 && high - low > 1e-12 * high; i++)
            (low, high) = Slope((low + high) / 2) < 0 ? ((low + high) / 2, high) : (low, (low + high) / 2);
        return new((low + high) / 2);

        double Slope(double scale) => margins.Average(m => (1 / (1 + Math.Exp(-scale * m)) - target) * m);
    }

    /// <summary>Fits to judgements of labelled pairs, matched by id.</summary>
    /// <exception cref="ArgumentException">No judgement with a margin has a label.</exception>
    public static Calibration Fit(IReadOnlyList<PreferencePair> pairs, IReadOnlyList<PairJudgement> judgements)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentNullException.ThrowIfNull(judgements);
        var labels = pairs.Where(pair => pair.Label is not null).ToDictionary(pair => pair.Id, pair => pair.Label!.Value, StringComparer.Ordinal);
        return Fit(judgements.Where(j => j.Margin is not null && labels.ContainsKey(j.Id)).Select(j => (j.Margin!.Value, labels[j.Id])));
    }
}
