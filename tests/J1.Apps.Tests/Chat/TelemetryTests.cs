using System.Diagnostics;
using System.Diagnostics.Metrics;
using J1.Extensions.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;

namespace J1.Apps.Tests.Chat;

[Collection(Alone.Name)]
public sealed class TelemetryTests
{
    private static readonly JudgeOptions Options = new() { Rater = ScriptedRater.ByNumber("A secret."), OnJudgeFailure = JudgeFailure.Release, Streaming = JudgeStreaming.BufferThenRelease, Threshold = 7, MaxAttempts = 2 };

    [Fact]
    public async Task A_request_is_a_span_and_each_rating_a_span_in_it_with_the_conventions_event()
    {
        using var trace = new Trace();
        await new ScriptedChatClient("a 3", "b 8").UseJudge(Options).GetResponseAsync("How?");
        Assert.Equal(["evaluate scripted", "evaluate scripted", "judge_answer"], trace.Spans.Select(span => span.DisplayName));
        var request = trace.Spans[2];
        Assert.All(trace.Spans[..2], span => Assert.Equal(request.SpanId, span.ParentSpanId));
        Assert.Equal(("Accepted", 8.0, 2), (request.GetTagItem("j1.outcome"), request.GetTagItem("j1.score"), request.GetTagItem("j1.answers")));
        var (first, second) = (trace.Spans[0].Events.Single(), trace.Spans[1].Events.Single());
        Assert.Equal("gen_ai.evaluation.result", first.Name);
        Assert.Equal(
            [new("gen_ai.evaluation.name", "scripted"), new("gen_ai.evaluation.score.label", "fail"), new("gen_ai.evaluation.score.value", 3.0), new("gen_ai.response.id", "r")],
            first.Tags.OrderBy(tag => tag.Key, StringComparer.Ordinal));
        Assert.Equal("pass", second.Tags.Single(tag => tag.Key == "gen_ai.evaluation.score.label").Value);
    }

    [Fact]
    public async Task A_failure_is_an_error_without_a_score()
    {
        using var trace = new Trace();
        await new ScriptedChatClient("x").UseJudge(Options).GetResponseAsync("How?");
        var span = trace.Spans[0];
        Assert.Equal((ActivityStatusCode.Error, "Unparsed", "invalid"), (span.Status, span.GetTagItem("error.type"), span.GetTagItem("gen_ai.evaluation.score.label")));
        Assert.Null(span.GetTagItem("gen_ai.evaluation.score.value"));
    }

    [Fact]
    public async Task Reasons_are_recorded_only_where_that_was_asked_for()
    {
        foreach (var records in (bool[])[false, true])
        {
            using var trace = new Trace();
            var log = new ListLogger();
            await new ScriptedChatClient("a 8").UseJudge(Options with { RecordReasons = records, Logger = log }).GetResponseAsync("How?");
            Assert.Equal(records ? "A secret." : null, trace.Spans[0].GetTagItem("gen_ai.evaluation.explanation"));
            var (id, state) = Assert.Single(log.Records);
            Assert.Equal("gen_ai.evaluation.result", id.Name);
            Assert.Equal(8.0, state["gen_ai.evaluation.score.value"]);
            Assert.Equal(records, state.ContainsKey("gen_ai.evaluation.explanation"));
        }
    }

    [Fact]
    public async Task Scores_verdicts_answers_and_tokens_are_measured()
    {
        var measured = new List<(string Name, double Value)>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, own) => { if (instrument.Meter.Name == JudgeTelemetry.Name) own.EnableMeasurementEvents(instrument); } };
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => measured.Add((instrument.Name, value)));
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => measured.Add((instrument.Name, value)));
        listener.Start();
        await new ScriptedChatClient("a 3", "b 8").UseJudge(Options).GetResponseAsync("How?");
        Assert.Equal([("j1.judge.answers", 2), ("j1.judge.score", 3), ("j1.judge.score", 8), ("j1.judge.tokens", 2), ("j1.judge.verdicts", 1)], measured.Where(one => one.Name != "j1.judge.duration").Order());
        Assert.Equal(2, measured.Count(one => one.Name == "j1.judge.duration"));
    }

    private sealed class Trace : IDisposable
    {
        private readonly ActivityListener _listener;

        public Trace()
        {
            _listener = new() { ShouldListenTo = source => source.Name == JudgeTelemetry.Name, Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded, ActivityStopped = Spans.Add };
            ActivitySource.AddActivityListener(_listener);
        }

        public List<Activity> Spans { get; } = [];

        public void Dispose() => _listener.Dispose();
    }

    private sealed class ListLogger : ILogger
    {
        public List<(EventId Id, Dictionary<string, object?> State)> Records { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Assert.StartsWith("gen_ai.evaluation.result: gen_ai.evaluation.name=scripted", formatter(state, exception), StringComparison.Ordinal);
            Records.Add((eventId, ((IEnumerable<KeyValuePair<string, object?>>)(object)state!).ToDictionary()));
        }
    }
}
