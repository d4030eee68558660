using System.Globalization;
using J1.Judging;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.AI.Evaluation;

namespace J1.Extensions.AI;

/// <summary>
/// A judge as an evaluator: a number (<see cref="ScoreMetric"/>, 0 to 10) and whether it reaches the threshold (<see cref="PassedMetric"/>). The chat configuration is accepted and not used.
/// An answer that cannot be judged has metrics without values, rated Inconclusive, with an error among their diagnostics; whether they count as failed is chosen, not left to chance.
/// </summary>
public sealed class JudgeEvaluator : IEvaluator
{
    private readonly IAnswerRater _rater;
    private readonly double _threshold;
    private readonly bool _failsUnjudged;
    private readonly Func<IEnumerable<ChatMessage>, string> _question;

    /// <param name="rater">Rates the response.</param>
    /// <param name="threshold">The least score that passes, 0 to 10.</param>
    /// <param name="onJudgeFailure">Whether an unjudged response passes (release) or fails (block).</param>
    /// <param name="question">What the judge is told was asked. Default <see cref="Conversation.AsQuestion"/>.</param>
    public JudgeEvaluator(IAnswerRater rater, double threshold, JudgeFailure onJudgeFailure, Func<IEnumerable<ChatMessage>, string>? question = null)
    {
        ArgumentNullException.ThrowIfNull(rater);
        if (threshold is not (>= 0 and <= 10)) throw new ArgumentOutOfRangeException(nameof(threshold), threshold, "The threshold is from 0 to 10.");
        if (!Enum.IsDefined(onJudgeFailure)) throw new ArgumentOutOfRangeException(nameof(onJudgeFailure), onJudgeFailure, "Say Release or Block.");
        (_rater, _threshold, _failsUnjudged, _question) = (rater, threshold, onJudgeFailure == JudgeFailure.Block, question ?? Conversation.AsQuestion);
        (ScoreMetric, PassedMetric) = ($"{rater.Name} score", $"{rater.Name} passed");
        EvaluationMetricNames = [ScoreMetric, PassedMetric];
    }

    /// <summary>The name of the numeric metric.</summary>
    public string ScoreMetric { get; }

    /// <summary>The name of the boolean metric.</summary>
    public string PassedMetric { get; }

    public IReadOnlyCollection<string> EvaluationMetricNames { get; }

    public async ValueTask<EvaluationResult> EvaluateAsync(
        IEnumerable<ChatMessage> messages, ChatResponse modelResponse, ChatConfiguration? chatConfiguration = null, IEnumerable<EvaluationContext>? additionalContext = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ArgumentNullException.ThrowIfNull(modelResponse);
        Rating rating;
        try
        {
            rating = await _rater.RateAsync(_question(messages), modelResponse.Text, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            rating = Rating.Without(InvalidReason.Failed, $"{error.GetType().Name}: {error.Message}");
        }
        var (score, passed) = (new NumericMetric(ScoreMetric, rating.Score, rating.Reason), new BooleanMetric(PassedMetric, rating.Score is { } given ? given >= _threshold : null, rating.Reason));
        foreach (var metric in (EvaluationMetric[])[score, passed])
        {
            metric.Interpretation = Interpret(rating);
            if (rating.Tokens > 0) metric.AddOrUpdateMetadata("judge-tokens", rating.Tokens.ToString(CultureInfo.InvariantCulture));
            if (!rating.IsValid) metric.AddDiagnostics(EvaluationDiagnostic.Error($"The judge gave no score ({rating.Invalid}): {rating.Reason}"));
        }
        return new EvaluationResult(score, passed);
    }

    // The evaluators beside this one grade 1 to 5, above 4 being exceptional; 0 to 10 has the same five parts.
    private EvaluationMetricInterpretation Interpret(Rating rating) => rating.Score is not { } score
        ? new(EvaluationRating.Inconclusive, _failsUnjudged, $"No score: {rating.Invalid}.")
        : new(score switch
        {
            > 7.5 => EvaluationRating.Exceptional,
            > 5 => EvaluationRating.Good,
            > 2.5 => EvaluationRating.Average,
            > 0 => EvaluationRating.Poor,
            _ => EvaluationRating.Unacceptable,
        }, score < _threshold, string.Create(CultureInfo.InvariantCulture, $"{score:0.##} of 10; {_threshold:0.##} passes."));
}
