using System.Globalization;
using System.Text.Json;
using J1.Cli.Configuration;
using J1.Data;
using J1.Evaluation;
using J1.Judging;
using Spectre.Console;

namespace J1.Cli.Running;

/// <summary>What a run says at its end.</summary>
internal static class RunReport
{
    /// <summary>The measurements beside each other.</summary>
    public static Table Table(Experiment experiment, RunState state)
    {
        var columns = Columns(experiment, state);
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumn($"On {state.After!.N} unseen pairs");
        foreach (var (name, _) in columns) table.AddColumn(new TableColumn(Markup.Escape(name)).RightAligned());
        Row("consistent accuracy (right in both orders)", s => $"{Share(s.ConsistentAccuracy)} [{Share(s.Interval95[0])}, {Share(s.Interval95[1])}]");
        Row("flips (the orders disagree)", s => Share(s.Flips));
        Row("accuracy, better answer as labelled", s => Share(s.AccuracyFirstOrder));
        Row("accuracy, answers exchanged", s => Share(s.AccuracySecondOrder));
        Row("accuracy of both orders together", s => Share(s.AccuracyBothOrders));
        Row("ties", s => Share(s.Ties));
        Row("invalid", s => Share(s.Invalid));
        Row("says the first answer", s => s.ARate is { } rate ? Share(rate) : "-");
        Row("for comparison: the longer answer", s => Share(s.LongerBaseline));
        if (state.AfterPointwise is { } alone)
        {
            Row("pointwise: accuracy", s => ReferenceEquals(s, state.After) ? $"{Share(alone.ConsistentAccuracy)} [{Share(alone.Interval95[0])}, {Share(alone.Interval95[1])}]" : "-");
            Row("pointwise: ties", s => ReferenceEquals(s, state.After) ? Share(alone.Ties) : "-");
        }
        foreach (var source in state.After.BySource?.Keys ?? [])
        {
            Row($"{source}: consistent accuracy", s => s.BySource?.GetValueOrDefault(source) is { } own ? $"{Share(own.ConsistentAccuracy)} [{Share(own.Interval95[0])}, {Share(own.Interval95[1])}]" : "-");
            Row($"{source}: flips", s => s.BySource?.GetValueOrDefault(source) is { } own ? Share(own.Flips) : "-");
        }
        return table;

        void Row(string name, Func<EvaluationSummary, string> value) =>
            table.AddRow([Markup.Escape(name), .. columns.Select(column => Markup.Escape(value(column.Summary)))]);
    }

    /// <summary>What was shown to the model, what it found out, and where the results are.</summary>
    public static string Lesson(Experiment experiment, RunState state, int trainPairs, string folder)
    {
        var taught = experiment.WarmStartOfRun is { } warm
            ? $"Supervised: {state.WarmStartSteps} steps of {warm.PairsPerStep} pairs with their labels{(experiment.Judge.Thinking ? ", thoughts to imitate" : "")}, both orders (loss {Number(state.FirstLoss)} to {Number(state.LastLoss)})."
            : "Supervised: nothing.";
        var (before, after) = (state.Before!, state.After!);
        var learned = experiment.Grpo.Steps == 0
            ? "Reinforced: nothing."
            : $"Reinforced: {experiment.Grpo.Steps} steps of GRPO on {trainPairs:N0} pairs, told only whether verdicts were right{(experiment.Reward.Correctness == 0 ? " in both orders" : "")}, never how to think: "
                + $"consistent accuracy {Share(before.ConsistentAccuracy)} to {Share(after.ConsistentAccuracy)}, flips {Share(before.Flips)} to {Share(after.Flips)}.";
        return $"{taught}\n{learned}\nThe judge is in {Path.Combine(folder, "model")}, the report in {Path.Combine(folder, RunFolder.Report)}, the numbers in {Path.Combine(folder, RunFolder.Summary)}.";
    }

    /// <summary>A judgement in full: what was asked, and what the judge wrote in each order.</summary>
    public static string Judgement(PreferencePair pair, PairJudgement judgement)
    {
        var label = pair.Label is { } better ? $" (better: {better})" : "";
        var lines = new List<string> { $"Question  {pair.Instruction}", $"       A  {pair.ResponseA}", $"       B  {pair.ResponseB}{label}" };
        lines.Add($" A first  {Words(judgement.First[0])}");
        lines.Add($" B first  {Words(judgement.Second[0])}");
        lines.Add($" Verdict  {Verdict(judgement)}");
        return string.Join('\n', lines);
    }

    /// <summary>The verdict in a few words.</summary>
    public static string Verdict(PairJudgement judgement)
    {
        var verdict = judgement.Outcome switch
        {
            Outcome.A => "A is better",
            Outcome.B => "B is better",
            Outcome.Tie => "neither is better",
            _ => $"none ({Names.Snake(judgement.Invalid?.ToString() ?? "unparsed")})",
        };
        var probability = judgement.Probability is { } p ? string.Create(CultureInfo.InvariantCulture, $", probability that A is better {p:0.00}") : "";
        return $"{verdict}{(judgement.Flipped ? "; the two orders disagree" : "")}{probability}";
    }

    /// <summary>One sentence of what one order gave.</summary>
    private static string Words(Judgement judgement)
    {
        if (judgement.LogOdds is { } odds) return string.Create(CultureInfo.InvariantCulture, $"log-odds of the first answer {odds:0.00}");
        var text = string.Concat(judgement.Text.Trim().ReplaceLineEndings(" ").Select(c => char.IsControl(c) ? '\uFFFD' : c));
        return text.Length > 0 ? text : $"(nothing: {judgement.Invalid})";
    }

    /// <summary>The content of <c>summary.json</c>.</summary>
    public static string Summary(LoadedExperiment loaded, RunState state, UsablePairs pairs, long parameters, long trainable)
    {
        var experiment = loaded.Experiment;
        return JsonSerializer.Serialize(new
        {
            experiment.Name,
            experiment.Seed,
            config_hash = loaded.Hash,
            version = Environments.Version,
            untrained = state.Untrained,
            before = state.Before,
            after = state.After,
            after_pointwise = state.AfterPointwise,
            calibration = state.Calibrated,
            pairs = new { train = pairs.Train.Count, calibration = pairs.Calibration.Count, test = pairs.Test.Count, train_too_long = pairs.TrainDropped, test_too_long = pairs.TestDropped },
            model = new { parameters, trainable },
            warm_start = new { steps = state.WarmStartSteps, first_loss = state.FirstLoss, last_loss = state.LastLoss, seconds = Math.Round(state.WarmStartSeconds, 1) },
            grpo = new { steps = state.GrpoSteps, generated_tokens = state.GeneratedTokens, seconds = Math.Round(state.GrpoSeconds, 1) },
            evaluation = new { seconds = Math.Round(state.EvaluationSeconds, 1) },
            seconds = Math.Round(state.WarmStartSeconds + state.GrpoSeconds + state.EvaluationSeconds, 1),
        }, Json.Indented) + "\n";
    }

    public static string Share(double share) => share.ToString("0.00", CultureInfo.InvariantCulture);

    private static string Number(double? value) => value?.ToString("0.00", CultureInfo.InvariantCulture) ?? "-";

    private static List<(string Name, EvaluationSummary Summary)> Columns(Experiment experiment, RunState state)
    {
        var columns = new List<(string, EvaluationSummary)>();
        if (state.Untrained is { } untrained) columns.Add(("untrained", untrained));
        columns.Add((experiment.WarmStartOfRun is null ? "before" : "after the warm start", state.Before!));
        if (experiment.Grpo.Steps > 0) columns.Add(("after GRPO", state.After!));
        return columns;
    }
}
