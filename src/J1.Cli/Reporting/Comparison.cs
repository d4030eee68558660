using System.Globalization;
using System.Text;
using J1.Evaluation;
using J1.Judging;

namespace J1.Cli.Reporting;

/// <summary>Runs beside each other: those that differ in their seed alone make a row.</summary>
internal static class Comparison
{
    /// <summary>Runs by what they have in common, in the order they were named.</summary>
    public static IReadOnlyList<(string Name, RunRecord[] Runs)> Groups(IReadOnlyList<RunRecord> runs)
    {
        // What all names begin with tells nothing apart.
        var names = runs.Select(run => run.Group).Distinct().ToList();
        var shared = names.Count > 1 && names[0].IndexOf('/', StringComparison.Ordinal) is > 0 and var slash && names.TrueForAll(name => name.StartsWith(names[0][..(slash + 1)], StringComparison.Ordinal)) ? slash + 1 : 0;
        return [.. runs.GroupBy(run => run.Group).Select(group => (group.Key[shared..], group.ToArray()))];
    }

    /// <summary>A table in Markdown: after the last step, mean and standard deviation over seeds.</summary>
    public static string Markdown(IReadOnlyList<RunRecord> runs)
    {
        var table = new StringBuilder("| run | seeds | consistent accuracy | accuracy, both orders | flips | ties | invalid | tokens a thought |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
        foreach (var (name, group) in Groups(runs))
        {
            EvaluationSummary[] last = [.. group.Select(run => run.Last).OfType<EvaluationSummary>()];
            if (last.Length == 0) continue;
            double[] lengths = [.. group.Select(run => run.Grpo.Count > 0 ? RunRecord.Number(run.Grpo[^1], "completion_tokens") : null).OfType<double>()];
            table.Append(CultureInfo.InvariantCulture, $"| {name.Replace("|", "\\|", StringComparison.Ordinal)} | {last.Length} | {Spread(last, s => s.ConsistentAccuracy)} | {Spread(last, s => s.AccuracyBothOrders)} | {Spread(last, s => s.Flips)} | {Spread(last, s => s.Ties)} | {Spread(last, s => s.Invalid)} | {(lengths.Length > 0 ? lengths.Average().ToString("0", CultureInfo.InvariantCulture) : "–")} |\n");
        }
        return table.ToString();
    }

    /// <summary>Mean ± standard deviation (n - 1) over runs.</summary>
    public static string Spread(IReadOnlyList<EvaluationSummary> runs, Func<EvaluationSummary, double> value)
    {
        var values = runs.Select(value).ToArray();
        var mean = values.Average();
        return values.Length == 1 ? mean.ToString("0.000", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{mean:0.000} ± {Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1)):0.000}");
    }

    /// <summary>
    /// How much more often <paramref name="other"/> is right in both orders than <paramref name="first"/>, on the pairs that both judged, with a 95% interval of the mean of the paired differences; null where they share none.
    /// </summary>
    public static (double Difference, double Low, double High, int Pairs)? Paired(RunRecord first, RunRecord other)
    {
        if (first.LastJudgements is null || other.LastJudgements is null) return null;
        var labels = first.Pairs.ToDictionary(pair => pair.Id, StringComparer.Ordinal);
        var theirs = other.Pairs.ToDictionary(pair => pair.Id, StringComparer.Ordinal);
        var right = first.LastJudgements.ToDictionary(judgement => judgement.Id, StringComparer.Ordinal);
        double[] differences = [.. other.LastJudgements
            .Where(judgement => right.ContainsKey(judgement.Id) && labels.TryGetValue(judgement.Id, out var pair) && theirs.GetValueOrDefault(judgement.Id) is { } same && same.Instruction == pair.Instruction && same.ResponseA == pair.ResponseA)
            .Select(judgement => (IsRight(judgement, labels[judgement.Id]) ? 1.0 : 0) - (IsRight(right[judgement.Id], labels[judgement.Id]) ? 1 : 0))];
        if (differences.Length < 2) return null;
        var mean = differences.Average();
        var half = 1.96 * Math.Sqrt(differences.Sum(d => (d - mean) * (d - mean)) / (differences.Length - 1) / differences.Length);
        return (mean, mean - half, mean + half, differences.Length);
    }

    /// <summary>Right in both orders.</summary>
    public static bool IsRight(PairJudgement judgement, Data.PreferencePair pair)
    {
        var better = pair.Label switch { Data.Preference.A => Outcome.A, Data.Preference.B => Outcome.B, _ => Outcome.Invalid };
        return better != Outcome.Invalid && judgement.FirstOrder == better && judgement.SecondOrder == better;
    }
}
