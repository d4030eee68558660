// What a judged request looks like in a trace. Any OpenTelemetry exporter shows the same: listen to the source and the meter "J1.MLNet".
//   dotnet run --project examples/PrintATrace
using System.Diagnostics;
using J1.Extensions.AI;
using J1.Judging;
using Microsoft.Extensions.AI;

var spans = new List<Activity>();
using var listener = new ActivityListener
{
    ShouldListenTo = source => source.Name == JudgeTelemetry.Name,
    Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
    ActivityStarted = spans.Add,
};
ActivitySource.AddActivityListener(listener);

using var chat = new Canned("Paris, I think.", "Paris is the capital of France.").UseJudge(new JudgeOptions
{
    Rater = new LengthRater(),
    Threshold = 7,
    MaxAttempts = 2,
    RecordReasons = true,
    OnJudgeFailure = JudgeFailure.Block,
    Streaming = JudgeStreaming.Refuse,
});
Console.WriteLine((await chat.GetResponseAsync("What is the capital of France?")).Text);
foreach (var span in spans.Where(span => span.Parent is null)) Print(span, "");

void Print(Activity span, string indent)
{
    Console.WriteLine($"{indent}{span.DisplayName}{Tags(span.TagObjects)}");
    foreach (var happening in span.Events) Console.WriteLine($"{indent}  * {happening.Name}{Tags(happening.Tags)}");
    foreach (var child in spans.Where(child => child.ParentSpanId == span.SpanId)) Print(child, indent + "  ");
}

static string Tags(IEnumerable<KeyValuePair<string, object?>> tags) => string.Concat(tags.Where(tag => tag.Value is not null).Select(tag => FormattableString.Invariant($" {tag.Key}={tag.Value}")));

/// <summary>Stands for a judge: the longer, the better.</summary>
internal sealed class LengthRater : IAnswerRater
{
    public string Name => "length";

    public ValueTask<Rating> RateAsync(string question, string answer, CancellationToken cancellationToken = default) =>
        new(answer.Length == 0 ? Rating.Without(InvalidReason.Unparsed) : Rating.Of(Math.Min(10, answer.Length / 3), "A full sentence is better."));
}

/// <summary>Stands for a model: gives its answers in turn.</summary>
internal sealed class Canned(params string[] answers) : IChatClient
{
    private int _next;

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, answers[_next++ % answers.Length])) { ResponseId = $"response-{_next}" });

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose() { }
}
