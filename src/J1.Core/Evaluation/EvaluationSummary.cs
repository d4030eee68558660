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
        => throw new NotSupportedException();

    /// <summary>As indented JSON, names in snake_case.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Indented);

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
}
