using J1.Data;
using J1.Evaluation;
using J1.Judging;
using J1.MLNet.Stages;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet;

/// <summary>A share of the labelled rows with its 95% interval (Wilson, 1927).</summary>
/// <param name="Value">0 to 1.</param>
/// <param name="Low">The interval's lower end.</param>
/// <param name="High">Its upper end.</param>
public readonly record struct Share(double Value, double Low, double High)
{
    internal static Share Of(double value, int n)
    {
        var interval = EvaluationSummary.Wilson((int)Math.Round(value * n), n);
        return new(value, interval[0], interval[1]);
    }
}

/// <summary>How a judge of pairs did on labelled rows. An invalid verdict is never right, and counts in no other column.</summary>
public sealed class JudgeMetrics
{
    private JudgeMetrics(EvaluationSummary summary, bool hasResponses)
    {
        Summary = hasResponses ? summary : null;
        Rows = summary.N;
        (AccuracyFirstOrder, AccuracySecondOrder) = (Share.Of(summary.AccuracyFirstOrder, summary.N), Share.Of(summary.AccuracySecondOrder, summary.N));
        (ConsistentAccuracy, Accuracy) = (Share.Of(summary.ConsistentAccuracy, summary.N), Share.Of(summary.AccuracyBothOrders, summary.N));
        (Flips, Ties, Invalid) = (Share.Of(summary.Flips, summary.N), Share.Of(summary.Ties, summary.N), Share.Of(summary.Invalid, summary.N));
        (FirstShownRate, Brier, CalibrationError) = (summary.ARate, summary.Brier, summary.CalibrationError);
        LongerBaseline = hasResponses ? summary.LongerBaseline : null;
    }

    /// <summary>Rows with a label A or B.</summary>
    public int Rows { get; }

    /// <summary>The verdict of both orders together is right.</summary>
    public Share Accuracy { get; }

    /// <summary>Right in both orders: the paper's position-consistent accuracy.</summary>
    public Share ConsistentAccuracy { get; }

    /// <summary>Right with ResponseA shown first.</summary>
    public Share AccuracyFirstOrder { get; }

    /// <summary>Right with ResponseB shown first.</summary>
    public Share AccuracySecondOrder { get; }

    /// <summary>The orders name different responses.</summary>
    public Share Flips { get; }

    /// <summary>Valid in both orders, a tie in at least one.</summary>
    public Share Ties { get; }

    /// <summary>Invalid in at least one order.</summary>
    public Share Invalid { get; }

    /// <summary>Of all single-order verdicts that name a response, the share that names the one shown first; near 0.5 without position bias. Null where there are none.</summary>
    public double? FirstShownRate { get; }

    /// <summary>Mean squared error of the probabilities; null where there are none.</summary>
    public double? Brier { get; }

    /// <summary>Expected calibration error over ten bins of confidence; null where there are no probabilities.</summary>
    public double? CalibrationError { get; }

    /// <summary>The longer response is the better one: the bias to beat. Null where the responses are not among the columns.</summary>
    public double? LongerBaseline { get; }

    /// <summary>The same as <c>j1</c> writes it; null where the responses are not among the columns.</summary>
    public EvaluationSummary? Summary { get; }

    /// <summary>For example <c>200 rows: consistent accuracy 0.81 [0.75, 0.86], flips 0.05, ties 0.00, invalid 0.01</c>.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"{Rows} rows: consistent accuracy {ConsistentAccuracy.Value:0.00} [{ConsistentAccuracy.Low:0.00}, {ConsistentAccuracy.High:0.00}], flips {Flips.Value:0.00}, ties {Ties.Value:0.00}, invalid {Invalid.Value:0.00}");

    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="DataException">No row has a label.</exception>
    internal static JudgeMetrics Of(IDataView data, string labelColumnName, ScorePairsOptions options)
    {
        var schema = data.Schema;
        string[] verdicts = [options.VerdictColumnName, options.FirstOrderColumnName, options.SecondOrderColumnName];
        foreach (var name in verdicts) Columns.Require(schema, new StageInput(name));
        const string Expected = "Boolean (true: A is better) or text (A or B)";
        if (schema.GetColumnOrNull(labelColumnName) is not { } label) throw Columns.Missing(labelColumnName, Expected, schema.Select(column => column.Name));
        if (label.Type is not (BooleanDataViewType or TextDataViewType)) throw Columns.Mismatch(labelColumnName, $"{label.Type}", Expected);
        if (schema.GetColumnOrNull(options.ProbabilityColumnName) is not { } probability) throw Columns.Missing(options.ProbabilityColumnName, "Single", schema.Select(column => column.Name));
        if (!probability.Type.Equals(NumberDataViewType.Single)) throw Columns.Mismatch(options.ProbabilityColumnName, $"{probability.Type}", "Single");
        string[] responses = [options.ResponseAColumnName, options.ResponseBColumnName];
        var hasResponses = responses.All(name => schema.GetColumnOrNull(name) is { Type: TextDataViewType });

        DataViewSchema.Column[] needed = [label, probability, .. verdicts.Concat(hasResponses ? responses : []).Select(name => schema[name])];
        using var cursor = data.GetRowCursor(needed);
        var texts = needed.Where(column => column.Type is TextDataViewType).ToDictionary(column => column.Index, column => cursor.GetGetter<ReadOnlyMemory<char>>(column));
        var readLabel = label.Type is BooleanDataViewType ? cursor.GetGetter<bool>(label) : null;
        var readProbability = cursor.GetGetter<float>(probability);
        var (pairs, judgements) = (new List<PreferencePair>(), new List<PairJudgement>());
        while (cursor.MoveNext())
        {
            if (Label() is not { } better) continue;
            var (id, chance) = ($"{cursor.Position}", 0f);
            readProbability(ref chance);
            pairs.Add(new PreferencePair { Id = id, Instruction = "", ResponseA = hasResponses ? Text(responses[0]) : "", ResponseB = hasResponses ? Text(responses[1]) : "", Label = better });
            judgements.Add(new PairJudgement
            {
                Id = id,
                Outcome = Read(options.VerdictColumnName),
                FirstOrder = Read(options.FirstOrderColumnName),
                SecondOrder = Read(options.SecondOrderColumnName),
                Probability = float.IsNaN(chance) ? null : chance,
                First = [],
                Second = [],
                Provenance = new Provenance { Judge = "" },
            });
        }
        if (pairs.Count == 0) throw new DataException($"Column '{labelColumnName}': no row says A or B (or true or false), so there is nothing to hold verdicts against.");
        return new JudgeMetrics(EvaluationSummary.Of(pairs, judgements), hasResponses);

        string Text(string name)
        {
            ReadOnlyMemory<char> value = default;
            texts[schema[name].Index](ref value);
            return value.ToString();
        }

        Outcome Read(string name) => Enum.TryParse<Outcome>(Text(name), out var outcome) ? outcome
            : throw new DataException($"Column '{name}', row {cursor.Position}: it is '{Text(name)}'; expected A, B, Tie or Invalid, as ScorePairs writes it.");

        Preference? Label()
        {
            if (readLabel is null) return Text(labelColumnName) switch { "A" => Preference.A, "B" => Preference.B, _ => null };
            var value = false;
            readLabel(ref value);
            return value ? Preference.A : Preference.B;
        }
    }
}
