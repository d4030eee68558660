using System.Text.Json;
using J1.Data;
using J1.Evaluation;
using J1.Judging;

namespace J1.Tests.Evaluation;

public sealed class EvaluationSummaryTests
{
    [Fact]
    public void Every_column_counts_what_it_says()
    {
        // label; first and second order in the pair's frame; probability of A
        (Preference?, Outcome, Outcome, double?)[] rows =
        [
            (Preference.A, Outcome.A, Outcome.A, 0.9),
            (Preference.B, Outcome.B, Outcome.B, 0.2),
            (Preference.A, Outcome.B, Outcome.B, 0.4),
            (Preference.A, Outcome.A, Outcome.B, 0.5),
            (Preference.B, Outcome.A, Outcome.B, null),
            (Preference.A, Outcome.A, Outcome.Tie, null),
            (Preference.B, Outcome.Invalid, Outcome.B, null),
            (Preference.B, Outcome.Invalid, Outcome.Tie, null),
            (Preference.Tie, Outcome.A, Outcome.A, 0.9),
            (null, Outcome.A, Outcome.A, 0.9),
        ];
        PreferencePair[] pairs = [.. rows.Select((row, i) => new PreferencePair { Id = $"{i}", Instruction = "q", ResponseA = i == 0 ? "longer" : "a", ResponseB = i == 1 ? "longer" : i == 2 ? "longer" : "b", Label = row.Item1, Source = i < 4 ? "one" : "two" })];
        var summary = EvaluationSummary.Of(pairs, [.. rows.Select((row, i) => Judged($"{i}", row.Item2, row.Item3, row.Item4)).Reverse()]);
        Assert.Equal(8, summary.N);
        Assert.Equal(4 / 8.0, summary.AccuracyFirstOrder);
        Assert.Equal(4 / 8.0, summary.AccuracySecondOrder);
        Assert.Equal(2 / 8.0, summary.ConsistentAccuracy);
        Assert.Equal(2 / 8.0, summary.Flips);
        Assert.Equal(1 / 8.0, summary.Ties);
        Assert.Equal(2 / 8.0, summary.Invalid);
        // Decisive verdicts: first order A B B A A A (4 name the first), second order A B B B B B (5 name B, shown first).
        Assert.Equal(9 / 12.0, summary.ARate);
        Assert.Equal(2 / 8.0, summary.AccuracyBothOrders);
        Assert.Equal((1 + 1 + 0 + 5 * 0.5) / 8, summary.LongerBaseline);
        Assert.Equal((0.01 + 0.04 + 0.36 + 0.25) / 4, summary.Brier!.Value, 12);
        Assert.Equal((0.1 + 0.2 + 0.6 + 0.0) / 4, summary.CalibrationError!.Value, 12);
        Assert.Equal(["one", "two"], summary.BySource!.Keys);
        Assert.Equal((4, 0.5, 0.25), (summary.BySource["one"].N, summary.BySource["one"].ConsistentAccuracy, summary.BySource["one"].Flips));
        Assert.Null(summary.BySource["two"].Brier);
    }

    [Theory] // Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3
    [InlineData(81, 263, 0.2553, 0.3662)]
    [InlineData(15, 148, 0.0624, 0.1605)]
    [InlineData(0, 20, 0, 0.1611)]
    [InlineData(1, 29, 0.0061, 0.1718)]
    [InlineData(20, 20, 0.8389, 1)]
    public void The_interval_is_Wilsons(int count, int n, double low, double high)
    {
        Assert.Equal(low, EvaluationSummary.Wilson(count, n)[0], 4);
        Assert.Equal(high, EvaluationSummary.Wilson(count, n)[1], 4);
    }

    [Fact]
    public void The_JSON_has_the_names_that_readers_look_for()
    {
        var summary = EvaluationSummary.Of([new() { Id = "1", Instruction = "q", ResponseA = "a", ResponseB = "b", Label = Preference.A }], [Judged("1", Outcome.A, Outcome.A, null)]);
        using var json = JsonDocument.Parse(summary.ToJson());
        foreach (var name in (string[])["n", "accuracy_first_order", "accuracy_second_order", "consistent_accuracy", "flips", "ties", "invalid", "a_rate", "interval_95", "accuracy_both_orders", "longer_baseline", "brier", "calibration_error"])
            Assert.True(json.RootElement.TryGetProperty(name, out _), name);
        Assert.Equal(2, json.RootElement.GetProperty("interval_95").GetArrayLength());
        Assert.Equal(JsonSerializer.Serialize(summary), JsonSerializer.Serialize(JsonSerializer.Deserialize<EvaluationSummary>(summary.ToJson())));
    }

    [Fact]
    public void What_does_not_match_is_refused_by_id()
    {
        PreferencePair[] pairs = [new() { Id = "x7", Instruction = "q", ResponseA = "a", ResponseB = "b", Label = Preference.A }];
        Assert.Contains("'x7' has no judgement", Assert.Throws<DataException>(() => EvaluationSummary.Of(pairs, [])).Message, StringComparison.Ordinal);
        var judgement = Judged("x7", Outcome.A, Outcome.A, null);
        Assert.Contains("two judgements of the pair 'x7'", Assert.Throws<DataException>(() => EvaluationSummary.Of(pairs, [judgement, judgement])).Message, StringComparison.Ordinal);
        Assert.Contains("No pair has the label", Assert.Throws<DataException>(() => EvaluationSummary.Of([], [])).Message, StringComparison.Ordinal);
    }

    [SharedFact("data/pairs/judge_logs")]
    public void Published_statistics_of_published_judges_are_reproduced()
    {
        var logs = File.ReadAllText(Shared.PathTo("data/pairs/judge_logs/llmeval2_judge_logs.jsonl")).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement).ToLookup(row => (Text(row, "judge"), Text(row, "strategy")));
        using var published = JsonDocument.Parse(File.ReadAllText(Shared.PathTo("data/pairs/judge_logs/llmeval2_expected.json")));
        var checkedRows = 0;
        foreach (var expected in published.RootElement.EnumerateArray())
        {
            var rows = logs[(Text(expected, "judge"), Text(expected, "strategy"))].ToArray();
            PreferencePair[] pairs = [.. rows.Select(row => new PreferencePair { Id = Text(row, "id"), Instruction = "q", ResponseA = "a", ResponseB = "b", Label = Text(row, "gold") == "1" ? Preference.A : Preference.B })];
            var summary = EvaluationSummary.Of(pairs, [.. rows.Select(row => Judged(Text(row, "id"), Said(row, "winner_original_order"), Said(row, "winner_swapped_order"), null))]);
            var n = expected.GetProperty("n").GetInt32();
            Assert.Equal(n, summary.N);
            Assert.Equal(expected.GetProperty("correct_original_order").GetInt32(), summary.AccuracyFirstOrder * n, 9);
            Assert.Equal(expected.GetProperty("correct_swapped_order").GetInt32(), summary.AccuracySecondOrder * n, 9);
            Assert.Equal(expected.GetProperty("correct_both_orders").GetInt32(), summary.ConsistentAccuracy * n, 9);
            // "Same winner" in the logs counts two undecided verdicts of one kind as the same; here they have a column of their own.
            var undecidedAlike = rows.Count(row => Said(row, "winner_original_order") == Outcome.Invalid && Text(row, "winner_original_order") == Text(row, "winner_swapped_order"));
            var undecided = rows.Count(row => Said(row, "winner_original_order") == Outcome.Invalid || Said(row, "winner_swapped_order") == Outcome.Invalid);
            Assert.Equal(undecided, summary.Invalid * n, 9);
            Assert.Equal(expected.GetProperty("same_winner_both_orders").GetInt32() - undecidedAlike, n * (1 - summary.Flips - summary.Invalid), 9);
            checkedRows++;
        }
        Assert.Equal(8, checkedRows);

        static string Text(JsonElement row, string name) => row.GetProperty(name).ToString();

        static Outcome Said(JsonElement row, string name) => Text(row, name) switch { "1" => Outcome.A, "2" => Outcome.B, _ => Outcome.Invalid };
    }

    private static PairJudgement Judged(string id, Outcome first, Outcome second, double? probability)
    {
        Judgement Vote(Outcome outcome) => new() { Outcome = outcome, Invalid = outcome == Outcome.Invalid ? InvalidReason.Unparsed : null };
        return PairJudgement.Combine(id, JudgeMode.Verdict, [Vote(first)], [Vote(second.Swap())], new Provenance { Judge = "test" }) with { Probability = probability };
    }
}
