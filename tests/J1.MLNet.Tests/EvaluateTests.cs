using J1.Data;
using J1.Judging;
using Microsoft.ML;

namespace J1.MLNet.Tests;

public sealed class EvaluateTests
{
    private readonly MLContext _context = new(1);

    [Fact]
    public void Metrics_are_those_of_the_verdicts_with_intervals()
    {
        var scored = _context.J1().Transforms.ScorePairs(Judge.From(new ScriptedJudge())).Fit(View()).Transform(View());
        var metrics = _context.J1().Evaluate(scored);
        Assert.Equal(70, metrics.Rows);
        // Ties, a seventh of the rows, are no right answers.
        Assert.Equal(6 / 7.0, metrics.ConsistentAccuracy.Value, 12);
        Assert.Equal(1 / 7.0, metrics.Ties.Value, 12);
        Assert.Equal((0, 0), (metrics.Flips.Value, metrics.Invalid.Value));
        Assert.Equal(metrics.AccuracyFirstOrder, metrics.AccuracySecondOrder);
        Assert.InRange(metrics.ConsistentAccuracy.Value, metrics.ConsistentAccuracy.Low, metrics.ConsistentAccuracy.High);
        Assert.True(metrics.ConsistentAccuracy.Low > 0.7 && metrics.ConsistentAccuracy.High < 0.95);
        Assert.Equal(0.5, metrics.FirstShownRate);
        Assert.InRange(metrics.Brier!.Value, 0, 0.2);
        Assert.NotNull(metrics.CalibrationError);
        Assert.NotNull(metrics.LongerBaseline);
        Assert.Equal(metrics.ConsistentAccuracy.Value, metrics.Summary!.ConsistentAccuracy);
        Assert.StartsWith("70 rows: consistent accuracy 0.86 [", $"{metrics}", StringComparison.Ordinal);
    }

    [Fact]
    public void A_position_bias_shows_as_flips()
    {
        var judge = ScriptedJudge.Always(new Judgement { Outcome = Outcome.A });
        var metrics = _context.J1().Evaluate(_context.J1().Transforms.ScorePairs(Judge.From(judge)).Fit(View()).Transform(View()));
        Assert.Equal((1.0, 0.0, 1.0), (metrics.Flips.Value, metrics.ConsistentAccuracy.Value, metrics.FirstShownRate!.Value));
        Assert.Equal(1, metrics.AccuracyFirstOrder.Value + metrics.AccuracySecondOrder.Value, 12);
        Assert.Null(metrics.Brier);
    }

    [Fact]
    public void Invalid_verdicts_have_their_own_column()
    {
        var judge = new ScriptedJudge { Say = (shown, _) => shown.Instruction.EndsWith('0') ? Judgement.Without(InvalidReason.Unparsed) : new Judgement { Outcome = Outcomes.OfMargin(shown.First.Length - shown.Second!.Length) } };
        var metrics = _context.J1().Evaluate(_context.J1().Transforms.ScorePairs(Judge.From(judge)).Fit(View()).Transform(View()));
        Assert.Equal(0.1, metrics.Invalid.Value, 12);
    }

    [Fact]
    public void Text_labels_count_where_they_say_A_or_B_and_columns_may_have_other_names()
    {
        var rows = new[] { "A", "B", "tie", "" }.Select(label => new TextLabelled { Q = "?", X = "aa", Y = "b", Best = label });
        var options = new ScorePairsOptions { InstructionColumnName = "Q", ResponseAColumnName = "X", ResponseBColumnName = "Y", VerdictColumnName = "V" };
        var view = _context.Data.LoadFromEnumerable(rows);
        var scored = _context.J1().Transforms.ScorePairs(Judge.From(new ScriptedJudge()), options).Fit(view).Transform(view);
        var metrics = _context.J1().Evaluate(scored, "Best", options);
        Assert.Equal((2, 0.5), (metrics.Rows, metrics.Accuracy.Value));
        // Without the responses there is no baseline of the longer one.
        var without = _context.Transforms.DropColumns("X", "Y").Fit(scored).Transform(scored);
        Assert.Equal((2, (double?)null), (_context.J1().Evaluate(without, "Best", options).Rows, _context.J1().Evaluate(without, "Best", options).LongerBaseline));
    }

    [Fact]
    public void Wrong_columns_are_named()
    {
        var scored = _context.J1().Transforms.ScorePairs(Judge.From(new ScriptedJudge())).Fit(View()).Transform(View());
        Assert.Contains("Column 'Verdict' is missing; expected text", Assert.Throws<ArgumentOutOfRangeException>(() => _context.J1().Evaluate(View())).Message, StringComparison.Ordinal);
        Assert.Contains("'Nope' is missing; expected Boolean", Assert.Throws<ArgumentOutOfRangeException>(() => _context.J1().Evaluate(scored, "Nope")).Message, StringComparison.Ordinal);
        Assert.Contains("'Weight': it is Single; expected Boolean", Assert.Throws<ArgumentOutOfRangeException>(() => _context.J1().Evaluate(scored, "Weight")).Message, StringComparison.Ordinal);
        Assert.Contains("no row says A or B", Assert.Throws<DataException>(() => _context.J1().Evaluate(scored, "Instruction")).Message, StringComparison.Ordinal);
    }

    private IDataView View() => _context.Data.LoadFromEnumerable(PairItem.Many(70));

    private sealed class TextLabelled
    {
        public string Q { get; set; } = "";
        public string X { get; set; } = "";
        public string Y { get; set; } = "";
        public string Best { get; set; } = "";
    }
}
