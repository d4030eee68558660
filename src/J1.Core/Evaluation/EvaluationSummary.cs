using System.Text.Json;
using System.Text.Json.Serialization;
using J1.Data;
using J1.Judging;

namespace J1.Evaluation;

/// <summary>
/// How a judge did on labelled pairs. Shares are of all <see cref="N"/> pairs, 0 to 1, unless they say otherwise: an invalid judgement is never right, and
/// counts in no other column. Pairs without a label A or B are left out.
/// </summary>
public sealed record EvaluationSummary
{
    /// <summary>Pairs with a label A or B.</summary>
    [JsonPropertyName("n")]
    public required int N { get; init; }

    /// <summary>Right with ResponseA shown first.</summary>
    [JsonPropertyName("accuracy_first_order")]
    public required double AccuracyFirstOrder { get; init; }

    /// <summary>Right with ResponseB shown first.</summary>
    [JsonPropertyName("accuracy_second_order")]
    public required double AccuracySecondOrder { get; init; }

    /// <summary>Right in both orders: the paper's position-consistent accuracy.</summary>
    [JsonPropertyName("consistent_accuracy")]
    public required double ConsistentAccuracy { get; init; }

    /// <summary>The orders name different responses.</summary>
    [JsonPropertyName("flips")]
    public required double Flips { get; init; }

    /// <summary>Valid in both orders, a tie in at least one.</summary>
    [JsonPropertyName("ties")]
    public required double Ties { get; init; }

    /// <summary>Invalid in at least one order.</summary>
    [JsonPropertyName("invalid")]
    public required double Invalid { get; init; }

    /// <summary>Of all single-order verdicts that name a response, the share that names the one shown first; null where there are none. A judge without position bias is near 0.5.</summary>
    [JsonPropertyName("a_rate")]
    public required double? ARate { get; init; }

    /// <summary>95% interval of <see cref="ConsistentAccuracy"/>, [low, high] (Wilson, 1927): right for small n and near 0 and 1.</summary>
    [JsonPropertyName("interval_95")]
    public required double[] Interval95 { get; init; }

    /// <summary>The verdict of both orders together (<see cref="PairJudgement.Outcome"/>) is right; with log-odds or scores, that is the sign of their sum.</summary>
    [JsonPropertyName("accuracy_both_orders")]
    public required double AccuracyBothOrders { get; init; }

    /// <summary>The longer response (in characters) is the better one; equal lengths count half. The bias to beat.</summary>
    [JsonPropertyName("longer_baseline")]
    public required double LongerBaseline { get; init; }

    /// <summary>Mean squared error of the probabilities; null where there are none.</summary>
    [JsonPropertyName("brier")]
    public double? Brier { get; init; }

    /// <summary>Expected calibration error over ten bins of confidence (Guo et al., 2017); null where there are no probabilities.</summary>
    [JsonPropertyName("calibration_error")]
    public double? CalibrationError { get; init; }

    /// <summary>The same by source, where there are several; null within a source.</summary>
    [JsonPropertyName("by_source")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, EvaluationSummary>? BySource { get; init; }

    /// <summary>Holds judgements against labels.</summary>
    /// <param name="pairs">Labelled pairs; others are left out.</param>
    /// <param name="judgements">One for each pair, matched by id, in any order.</param>
    /// <exception cref="DataException">A pair has no judgement, or an id is there twice, or nothing is labelled.</exception>
    public static EvaluationSummary Of(IReadOnlyList<PreferencePair> pairs, IReadOnlyList<PairJudgement> judgements)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentNullException.ThrowIfNull(judgements);
        var said = new Dictionary<string, PairJudgement>(StringComparer.Ordinal);
        foreach (var judgement in judgements)
            if (!said.TryAdd(judgement.Id, judgement)) throw new DataException($"There are two judgements of the pair '{judgement.Id}'; ids must be unique over all that is evaluated together.");
        var judged = new List<Judged>();
        foreach (var pair in pairs.Where(pair => pair.Label is Preference.A or Preference.B))
        {
            if (!said.Remove(pair.Id, out var judgement)) throw new DataException($"The pair '{pair.Id}' has no judgement of its own; judge every pair, under ids that are unique.");
            judged.Add(new Judged(pair, judgement, pair.Label == Preference.A ? Outcome.A : Outcome.B));
        }
        if (judged.Count == 0) throw new DataException("No pair has the label A or B: there is nothing to hold judgements against.");
        var bySource = judged.GroupBy(one => one.Pair.Source, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal).ToArray();
        return Of(judged) with { BySource = bySource.Length < 2 ? null : bySource.ToDictionary(group => group.Key, group => Of([.. group])) };
    }

    /// <summary>Wilson's (1927) 95% interval of a share, [low, high].</summary>
    /// <param name="count">How many of them.</param>
    /// <param name="n">Of how many; at least 1.</param>
    public static double[] Wilson(int count, int n)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        const double Z = 1.959963984540054;
        var (share, spread) = (count / (double)n, Z * Z / n);
        var (centre, half) = ((share + spread / 2) / (1 + spread), Z * Math.Sqrt(share * (1 - share) / n + spread / n / 4) / (1 + spread));
        return [count == 0 ? 0 : centre - half, count == n ? 1 : centre + half];
    }

    /// <summary>As indented JSON, names in snake_case.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Indented);

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private static EvaluationSummary Of(IReadOnlyList<Judged> judged)
    {
        var valid = judged.Where(one => !one.IsInvalid).ToArray();
        var consistent = judged.Count(one => one.FirstOrder == one.Better && one.SecondOrder == one.Better);
        // In the second order B is shown first: to name B there is to name the first.
        var namesFirst = judged.Count(one => one.FirstOrder == Outcome.A) + judged.Count(one => one.SecondOrder == Outcome.B);
        var names = judged.Count(one => one.FirstOrder.IsDecisive()) + judged.Count(one => one.SecondOrder.IsDecisive());
        var probable = judged.Where(one => one.ProbabilityOfBetter is not null).ToArray();
        return new EvaluationSummary
        {
            N = judged.Count,
            AccuracyFirstOrder = Share(judged.Count(one => one.FirstOrder == one.Better)),
            AccuracySecondOrder = Share(judged.Count(one => one.SecondOrder == one.Better)),
            ConsistentAccuracy = Share(consistent),
            Flips = Share(valid.Count(one => one.FirstOrder.IsDecisive() && one.SecondOrder.IsDecisive() && one.FirstOrder != one.SecondOrder)),
            Ties = Share(valid.Count(one => one.FirstOrder == Outcome.Tie || one.SecondOrder == Outcome.Tie)),
            Invalid = Share(judged.Count - valid.Length),
            ARate = names == 0 ? null : namesFirst / (double)names,
            Interval95 = Wilson(consistent, judged.Count),
            AccuracyBothOrders = Share(judged.Count(one => one.Judgement.Outcome == one.Better)),
            LongerBaseline = judged.Average(one => Math.Sign(one.Pair.ResponseA.Length - one.Pair.ResponseB.Length) * (one.Better == Outcome.A ? 0.5 : -0.5) + 0.5),
            Brier = probable.Length == 0 ? null : probable.Average(one => Math.Pow(1 - one.ProbabilityOfBetter!.Value, 2)),
            CalibrationError = probable.Length == 0 ? null : ExpectedCalibrationError([.. probable.Select(one => one.ProbabilityOfBetter!.Value)]),
        };

        double Share(int count) => count / (double)judged.Count;
    }

    /// <summary>Confidence is the probability of the likelier response, 0.5 to 1, in ten bins; at exactly 0.5 a guess is right half the time.</summary>
    private static double ExpectedCalibrationError(double[] probabilitiesOfBetter) => probabilitiesOfBetter
        .Select(p => (Confidence: Math.Max(p, 1 - p), Right: p > 0.5 ? 1 : p < 0.5 ? 0 : 0.5))
        .GroupBy(one => Math.Min(9, (int)((one.Confidence - 0.5) * 20)))
        .Sum(bin => Math.Abs(bin.Average(one => one.Confidence) - bin.Average(one => one.Right)) * bin.Count() / probabilitiesOfBetter.Length);

    private sealed record Judged(PreferencePair Pair, PairJudgement Judgement, Outcome Better)
    {
        public Outcome FirstOrder => Judgement.FirstOrder;

        public Outcome SecondOrder => Judgement.SecondOrder;

        public bool IsInvalid => FirstOrder == Outcome.Invalid || SecondOrder == Outcome.Invalid;

        public double? ProbabilityOfBetter => Better == Outcome.A ? Judgement.Probability : 1 - Judgement.Probability;
    }
}
