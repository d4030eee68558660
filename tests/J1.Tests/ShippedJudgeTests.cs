using J1.Data;
using J1.Engines;
using J1.Engines.Managed;
using J1.Evaluation;
using J1.Judging;

namespace J1.Tests;

/// <summary>The quickstart's judge as the repository ships it.</summary>
public sealed class ShippedJudgeTests
{
    private static readonly string s_folder = Path.Combine(Shared.RepositoryRoot, "experiments", "quickstart", "judge");

    [Fact]
    public async Task It_judges_problems_that_it_has_not_seen()
    {
        var file = JudgeFile.Find(s_folder)!;
        using var engine = ManagedEngine.Open(s_folder);
        var judge = new TwoOrderJudge(new EngineJudge(engine, file.Format, new() { Sampling = SamplingOptions.Greedy(file.MaxCompletionTokens) }), 1, new Calibration(file.CalibrationScale!.Value));
        // The run's own test pairs: the first that the generator makes for its seed.
        var (_, test) = ProblemGenerator.Generate([ProblemKind.Count, ProblemKind.Lift], 8000, 300, seed: 0);
        PreferencePair[] pairs = [.. test.Take(100)];
        var judgements = await judge.JudgeAsync(pairs);
        var summary = EvaluationSummary.Of(pairs, judgements);
        Assert.InRange(summary.ConsistentAccuracy, 0.85, 1);
        Assert.InRange(summary.Flips, 0, 0.1);
        Assert.Equal(0, summary.Invalid);

        // Exchanged, every comparison is negated.
        var exchanged = await judge.JudgeAsync([.. pairs.Select(pair => pair.Swap())]);
        Assert.Equal(judgements.Select(judgement => judgement.Comparison), exchanged.Select(judgement => -judgement.Comparison));
    }
}
