using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace J1.Extensions.AI;

/// <summary>
/// Traces, metrics and logs. A request is a span <c>judge_answer</c>, each rating in it a span <c>evaluate {name}</c> with the event <c>gen_ai.evaluation.result</c>
/// of OpenTelemetry's conventions for generative AI, which is also logged where there is a logger.
/// </summary>
public static partial class JudgeTelemetry
{
    /// <summary>The name of the activity source and of the meter.</summary>
    public const string Name = "J1.MLNet";

    /// <summary>The name of the evaluation event.</summary>
    public const string EvaluationEvent = "gen_ai.evaluation.result";

    internal static readonly ActivitySource Source = new(Name);

    private static readonly Meter Meter = new(Name);
    private static readonly Histogram<double> Scores = Meter.CreateHistogram<double>("j1.judge.score", "{point}", "Scores of rated answers, 0 to 10.");
    private static readonly Histogram<double> Durations = Meter.CreateHistogram<double>("j1.judge.duration", "s", "Time of a rating or choice.");
    private static readonly Counter<long> Verdicts = Meter.CreateCounter<long>("j1.judge.verdicts", "{request}", "Judged requests by outcome.");
    private static readonly Counter<long> Answers = Meter.CreateCounter<long>("j1.judge.answers", "{answer}", "Answers asked for by judged requests.");
    private static readonly Counter<long> Tokens = Meter.CreateCounter<long>("j1.judge.tokens", "{token}", "Tokens of the answers and ratings of judged requests.");

    internal static void Rated(Activity? span, JudgeOptions options, Rating rating, string? responseId, TimeSpan duration)
    {
        var name = options.Rater!.Name;
        var label = rating.Score is not { } score ? "invalid" : options.Threshold is not { } least ? "rated" : score >= least ? "pass" : "fail";
        var tag = new KeyValuePair<string, object?>("gen_ai.evaluation.name", name);
        if (rating.Score is { } number) Scores.Record(number, tag);
        Durations.Record(duration.TotalSeconds, tag);
        if (options.Logger is { } logger) Log(logger, name, rating.Score, label, options.RecordReasons ? rating.Reason : null, responseId, rating.Invalid?.ToString());
        if (span is null) return;

        var tags = new ActivityTagsCollection { { "gen_ai.evaluation.name", name }, { "gen_ai.evaluation.score.label", label } };
        if (rating.Score is { } value) tags.Add("gen_ai.evaluation.score.value", value);
        if (responseId is not null) tags.Add("gen_ai.response.id", responseId);
        if (rating.Invalid is { } invalid) tags.Add("error.type", invalid.ToString());
        if (options.RecordReasons && rating.Reason.Length > 0) tags.Add("gen_ai.evaluation.explanation", rating.Reason);
        foreach (var (key, content) in tags) span.SetTag(key, content);
        if (rating.Invalid is not null) span.SetStatus(ActivityStatusCode.Error);
        span.AddEvent(new ActivityEvent(EvaluationEvent, tags: tags));
    }

    internal static void Decided(Activity? span, AnswerVerdict verdict)
    {
        Verdicts.Add(1, new KeyValuePair<string, object?>("j1.outcome", verdict.Outcome.ToString()), new("j1.blocked", verdict.Blocked));
        Answers.Add(verdict.Answers);
        Tokens.Add(verdict.Tokens);
        if (span is null) return;
        span.SetTag("j1.outcome", verdict.Outcome.ToString()).SetTag("j1.score", verdict.Score).SetTag("j1.answers", verdict.Answers).SetTag("j1.chosen", verdict.Chosen)
            .SetTag("j1.tokens", verdict.Tokens).SetTag("j1.blocked", verdict.Blocked).SetTag("j1.stopped", verdict.Stopped?.ToString());
    }

    private static void Log(ILogger logger, string name, double? score, string label, string? explanation, string? responseId, string? error)
    {
        // A structured log record whose event name is the convention's; OpenTelemetry's bridge makes an event of it.
        var state = new List<KeyValuePair<string, object?>> { new("gen_ai.evaluation.name", name), new("gen_ai.evaluation.score.label", label) };
        if (score is not null) state.Add(new("gen_ai.evaluation.score.value", score));
        if (responseId is not null) state.Add(new("gen_ai.response.id", responseId));
        if (error is not null) state.Add(new("error.type", error));
        if (!string.IsNullOrEmpty(explanation)) state.Add(new("gen_ai.evaluation.explanation", explanation));
        logger.Log(error is null ? LogLevel.Information : LogLevel.Warning, new EventId(1, EvaluationEvent), state, null,
            static (values, _) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{EvaluationEvent}: {string.Join(", ", values.Select(value => $"{value.Key}={value.Value}"))}"));
    }
}
