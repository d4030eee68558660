using System.Globalization;
using J1.Judging;

namespace J1.Tests.Judging;

public sealed class JudgementParserTests
{
    [Theory]
    [InlineData("<think> a thought </think> <answer> [[A]] </answer>", Outcome.A, "a thought")]
    [InlineData("<think>x</think><answer>[[B]]</answer>", Outcome.B, "x")]
    [InlineData("<answer>\n [[ B ]]\t</answer> and more", Outcome.B, null)]
    [InlineData("<think> <answer> [[A]] </answer> looks tempting </think> <answer> [[B]] </answer>", Outcome.B, "<answer> [[A]] </answer> looks tempting")]
    [InlineData("<think> one </think> <answer> [[A]] </answer> <think> two </think> <answer> [[B]] </answer>", Outcome.B, "one </think> <answer> [[A]] </answer> <think> two")]
    [InlineData("<answer> [[A]] </answer> <answer> [[A]] </answer>", Outcome.A, null)]
    public void A_verdict_is_the_tag_after_the_last_thought(string completion, Outcome expected, string? thought)
    {
        var judgement = JudgementParser.Parse(completion, JudgeMode.Verdict, truncated: false);
        Assert.Equal((expected, (InvalidReason?)null, thought, completion), (judgement.Outcome, judgement.Invalid, judgement.Thought, judgement.Text));
    }

    [Theory]
    [InlineData("", false, InvalidReason.Unparsed)]
    [InlineData("[[A]]", false, InvalidReason.Unparsed)]
    [InlineData("<answer> A </answer>", false, InvalidReason.Unparsed)]
    [InlineData("<answer> [[C]] </answer>", false, InvalidReason.Unparsed)]
    [InlineData("< answer> [[A]] </answer>", false, InvalidReason.Unparsed)]
    [InlineData("<answer> [ [A]] </answer>", false, InvalidReason.Unparsed)]
    [InlineData("<think> it goes on <answer> [[A]] </answer>", false, InvalidReason.Unparsed)]
    [InlineData("<think> it goes on <answer> [[A]] </answer>", true, InvalidReason.Truncated)]
    [InlineData("<think> t </think> <answer> [[", true, InvalidReason.Truncated)]
    [InlineData("<answer> [[A]] </answer> or <answer> [[B]] </answer>", false, InvalidReason.Conflicting)]
    [InlineData("<answer> [[A]] </answer> or <answer> [[B]] </answer>", true, InvalidReason.Conflicting)]
    public void What_holds_no_verdict_is_invalid_and_says_why(string completion, bool truncated, InvalidReason expected)
    {
        var judgement = JudgementParser.Parse(completion, JudgeMode.Verdict, truncated);
        Assert.Equal((Outcome.Invalid, (InvalidReason?)expected), (judgement.Outcome, judgement.Invalid));
    }

    [Theory]
    [InlineData("<score_A> 7 </score_A> <score_B> 6.5 </score_B>", Outcome.A, 7.0, 6.5)]
    [InlineData("<score_A>7.25</score_A><score_B>7.26/10</score_B>", Outcome.B, 7.25, 7.26)]
    [InlineData("<score_A> 10 / 10 </score_A> <score_B> 10.0 </score_B>", Outcome.Tie, 10.0, 10.0)]
    [InlineData("<think> <score_A> 1 </score_A> </think> <score_B> 0 </score_B> <score_A> 2 </score_A>", Outcome.A, 2.0, 0.0)]
    public void Scores_have_any_decimals_and_the_higher_wins(string completion, Outcome expected, double a, double b)
    {
        var before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            CultureInfo.CurrentCulture.NumberFormat.NumberDecimalSeparator = ",";
            var judgement = JudgementParser.Parse(completion, JudgeMode.Scores, truncated: false);
            Assert.Equal((expected, (double?)a, (double?)b), (judgement.Outcome, judgement.ScoreA, judgement.ScoreB));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Theory]
    [InlineData("<score_A> 7 </score_A>", false, InvalidReason.Unparsed)]
    [InlineData("<score_A> 7 </score_A>", true, InvalidReason.Truncated)]
    [InlineData("<score_A> 11 </score_A> <score_B> 1 </score_B>", false, InvalidReason.Unparsed)]
    [InlineData("<score_A> -1 </score_A> <score_B> 1 </score_B>", false, InvalidReason.Unparsed)]
    [InlineData("<score_A> 7,5 </score_A> <score_B> 1 </score_B>", false, InvalidReason.Unparsed)]
    [InlineData("<score_A> ٧ </score_A> <score_B> 1 </score_B>", false, InvalidReason.Unparsed)]
    [InlineData("<score_A> 7 </score_A> <score_A> 8 </score_A> <score_B> 1 </score_B>", false, InvalidReason.Conflicting)]
    public void A_score_that_cannot_be_read_is_never_a_number(string completion, bool truncated, InvalidReason expected)
    {
        var judgement = JudgementParser.Parse(completion, JudgeMode.Scores, truncated);
        Assert.Equal((Outcome.Invalid, (InvalidReason?)expected, (double?)null, (double?)null), (judgement.Outcome, judgement.Invalid, judgement.ScoreA, judgement.ScoreB));
    }

    [Fact]
    public void A_number_of_a_million_digits_is_out_of_range() =>
        Assert.Equal(InvalidReason.Unparsed, JudgementParser.Parse($"<score> {new string('9', 1_000_000)} </score>", JudgeMode.Pointwise, truncated: false).Invalid);

    [Fact]
    public void With_scores_and_a_verdict_the_verdict_alone_counts()
    {
        var judgement = JudgementParser.Parse("<score_A> 2 </score_A> <score_B> 9 </score_B> <answer> [[A]] </answer>", JudgeMode.ScoresAndVerdict, truncated: false);
        Assert.Equal((Outcome.A, (double?)2, (double?)9), (judgement.Outcome, judgement.ScoreA, judgement.ScoreB));
        Assert.Equal(InvalidReason.Unparsed, JudgementParser.Parse("<score_A> 2 </score_A> <score_B> 9 </score_B>", JudgeMode.ScoresAndVerdict, truncated: false).Invalid);
    }

    [Fact]
    public void A_pointwise_reading_has_a_score_and_no_winner()
    {
        var judgement = JudgementParser.Parse("<think> t </think> <score> 3.75 </score>", JudgeMode.Pointwise, truncated: false);
        Assert.Equal((Outcome.Tie, (double?)3.75), (judgement.Outcome, judgement.ScoreA));
    }

    [Fact]
    public void Official_rules_take_the_last_verdict_anywhere()
    {
        Assert.Equal(Outcome.B, JudgementParser.Parse("<answer> [[A]] </answer> <answer> [[B]] </answer>", JudgeMode.Verdict, false, ParserRules.Official).Outcome);
        Assert.Equal(Outcome.A, JudgementParser.Parse("<think> <answer> [[A]] </answer>", JudgeMode.Verdict, true, ParserRules.Official).Outcome);
    }

    [Fact]
    public void Official_rules_read_one_decimal_any_size_and_nought_for_a_missing_score()
    {
        var large = JudgementParser.Parse("<score_A> 12 </score_A> <score_B> 7.5/10 </score_B>", JudgeMode.Scores, false, ParserRules.Official);
        Assert.Equal((Outcome.A, (double?)12, (double?)7.5), (large.Outcome, large.ScoreA, large.ScoreB));
        var fine = JudgementParser.Parse("<score_A> 7.25 </score_A> <score_B> 1 </score_B>", JudgeMode.Scores, false, ParserRules.Official);
        Assert.Equal((Outcome.Tie, (double?)0, (double?)0), (fine.Outcome, fine.ScoreA, fine.ScoreB));
        Assert.Equal(0, JudgementParser.Parse("nothing", JudgeMode.Pointwise, false, ParserRules.Official).ScoreA);
    }

    [Theory]
    [InlineData("<answer>", " ")]
    [InlineData("<answer> [[", "\n")]
    [InlineData("<score_A> 7", " ")]
    [InlineData("", "<think>")]
    [InlineData("", "</think><answer> [[A]]")]
    public void A_completion_of_megabytes_is_read_in_linear_time(string start, string repeated)
    {
        // No time is asserted: read in quadratic time, these would take hours.
        var text = start + string.Concat(Enumerable.Repeat(repeated, 2_000_000 / repeated.Length));
        foreach (var mode in Enum.GetValues<JudgeMode>())
            Assert.Equal(Outcome.Invalid, JudgementParser.Parse(text, mode, truncated: true).Outcome);
    }

    [Fact]
    public void Half_characters_and_control_characters_are_only_text()
    {
        var judgement = JudgementParser.Parse("<think> \ud800 \0 \u001b </think> \udc00 <answer> [[A]] </answer> \ud83d", JudgeMode.Verdict, truncated: false);
        Assert.Equal(Outcome.A, judgement.Outcome);
    }
}
