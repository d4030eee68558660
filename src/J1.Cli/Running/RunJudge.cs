using J1.Cli.Configuration;
using J1.Data;
using J1.Engines;
using J1.Grpo;
using J1.Judging;

namespace J1.Cli.Running;

/// <summary>The engine as it is now, as a judge with the experiment's settings.</summary>
internal static class RunJudge
{
    /// <summary>Pairs judged in one call.</summary>
    public const int PairsPerCall = 32;

    /// <summary>Judges pairs in both orders.</summary>
    /// <param name="engine">As it is now.</param>
    /// <param name="task">How it asks.</param>
    /// <param name="experiment">Sampling, votes and seed.</param>
    /// <param name="pairs">Any.</param>
    /// <param name="calibration">Margin to probability; null for none.</param>
    /// <param name="onDone">Told how many are judged, after every call.</param>
    /// <param name="cancellationToken">Stops between two calls.</param>
    public static IReadOnlyList<PairJudgement> Judge(IEngine engine, JudgeTask task, Experiment experiment, IReadOnlyList<PreferencePair> pairs, Calibration? calibration, Action<int>? onDone, CancellationToken cancellationToken)
    {
        var evaluate = experiment.Evaluate;
        var sampling = new SamplingOptions { MaxTokens = task.MaxCompletionTokens, Temperature = evaluate.Temperature, TopP = evaluate.TopP };
        var votes = task.Format.IsInstantVerdict ? 1 : evaluate.Votes;
        var judge = new TwoOrderJudge(new EngineJudge(engine, task.Format, new EngineJudgeOptions { Sampling = sampling, Seed = experiment.Seed }), votes, calibration);
        var judgements = new List<PairJudgement>(pairs.Count);
        foreach (var some in pairs.Chunk(PairsPerCall))
        {
            cancellationToken.ThrowIfCancellationRequested();
            judgements.AddRange(judge.JudgeAsync(some, cancellationToken).AsTask().GetAwaiter().GetResult());
            onDone?.Invoke(judgements.Count);
        }
        return judgements;
    }
}
