using System.Globalization;
using J1.Extensions.AI;
using J1.Judging;
using Microsoft.Extensions.AI.Evaluation;

namespace J1.Apps.Tests.Evaluation;

public sealed class JudgeEvaluatorTests
{
    [Theory]
    [InlineData(9, EvaluationRating.Exceptional, true)]
    [InlineData(7, EvaluationRating.Good, true)]
    [InlineData(5, EvaluationRating.Average, false)]
    [InlineData(1, EvaluationRating.Poor, false)]
    [InlineData(0, EvaluationRating.Unacceptable, false)]
    public async Task An_answer_is_a_number_and_a_verdict_with_the_librarys_ratings(double score, EvaluationRating rating, bool passes)
    {
        var rater = new ScriptedRater(_ => Rating.Of(score, "Because.") with { Tokens = 12 });
        var evaluator = new JudgeEvaluator(rater, 6, JudgeFailure.Block);
        using var unused = new ScriptedChatClient("x");
        var result = await evaluator.EvaluateAsync("How?", "So.", new ChatConfiguration(unused));
        Assert.Equal(["scripted score", "scripted passed"], evaluator.EvaluationMetricNames);
        Assert.Equal([("How?", "So.")], rater.Asked);
        var (number, passed) = (result.Get<NumericMetric>("scripted score"), result.Get<BooleanMetric>("scripted passed"));
        Assert.Equal((score, passes, "Because."), (number.Value, passed.Value, number.Reason));
        Assert.Equal((rating, !passes), (number.Interpretation!.Rating, number.Interpretation.Failed));
        Assert.Equal("12", number.Metadata!["judge-tokens"]);
        Assert.Equal(0, unused.Calls);
    }

    [Theory]
    [InlineData(JudgeFailure.Block, true)]
    [InlineData(JudgeFailure.Release, false)]
    public async Task What_cannot_be_judged_is_inconclusive_and_fails_as_chosen(JudgeFailure failure, bool failed)
    {
        foreach (var rater in (ScriptedRater[])[new(_ => Rating.Without(InvalidReason.Unparsed, "I like it.")), new(_ => throw new InvalidOperationException("I like it."))])
        {
            var result = await new CompositeEvaluator(new JudgeEvaluator(rater, 6, failure)).EvaluateAsync("How?", "So.");
            foreach (var metric in result.Metrics.Values)
            {
                Assert.Equal((EvaluationRating.Inconclusive, failed), (metric.Interpretation!.Rating, metric.Interpretation.Failed));
                Assert.Contains("I like it.", metric.Diagnostics!.Single().Message, StringComparison.Ordinal);
            }
            Assert.Null(result.Get<NumericMetric>("scripted score").Value);
            Assert.Null(result.Get<BooleanMetric>("scripted passed").Value);
        }
    }

    [Fact]
    public async Task Numbers_do_not_depend_on_the_culture()
    {
        using var judge = new ChatClientJudge(new ScriptedChatClient("<score> 4.5 </score>"), new JudgeFormat { Mode = JudgeMode.Pointwise });
        var before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = { NumberDecimalSeparator = ",", NumberGroupSeparator = "." } };
            var result = await new JudgeEvaluator(new JudgeRater(judge), 4.25, JudgeFailure.Block).EvaluateAsync("How?", "So.");
            Assert.Equal(4.5, result.Get<NumericMetric>("j1 score").Value);
            Assert.Equal("4.5 of 10; 4.25 passes.", result.Get<NumericMetric>("j1 score").Interpretation!.Reason);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void What_is_out_of_range_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new JudgeEvaluator(ScriptedRater.ByNumber(), 11, JudgeFailure.Block));
        Assert.Throws<ArgumentOutOfRangeException>(() => new JudgeEvaluator(ScriptedRater.ByNumber(), 5, default));
    }
}
