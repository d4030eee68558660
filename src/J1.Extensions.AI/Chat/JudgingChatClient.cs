using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace J1.Extensions.AI;

/// <summary>
/// A chat client whose answers are judged (<see cref="JudgeOptions"/>). The verdict is in the response's additional properties (<see cref="ChatJudging.GetVerdict(ChatResponse)"/>).
/// Responses that call tools are passed on unjudged. The caller's messages and options are left as they are.
/// </summary>
public sealed class JudgingChatClient : DelegatingChatClient
{
    /// <summary>Where the verdict stands in <see cref="ChatResponse.AdditionalProperties"/>.</summary>
    public const string VerdictKey = "j1.verdict";

    /// <summary>Where a request's own options stand in <see cref="ChatOptions.AdditionalProperties"/>; the inner client does not see them.</summary>
    internal const string OverrideKey = "j1.judge";

    private readonly AnswerLoop _loop;
    private readonly Func<IEnumerable<ChatMessage>, string> _question;

    /// <param name="innerClient">Answers.</param>
    /// <param name="options">How its answers are judged.</param>
    /// <param name="question">What the judge is told was asked. Default <see cref="Conversation.AsQuestion"/>.</param>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public JudgingChatClient(IChatClient innerClient, JudgeOptions options, Func<IEnumerable<ChatMessage>, string>? question = null) : base(innerClient)
    {
        _loop = new AnswerLoop(options);
        _question = question ?? Conversation.AsQuestion;
    }

    /// <exception cref="AnswerBlockedException">The answer was blocked and there is no <see cref="JudgeOptions.BlockedText"/>.</exception>
    public override async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var (loop, passed) = Requested(options);
        if (loop is null) return await base.GetResponseAsync(messages, passed, cancellationToken).ConfigureAwait(false);
        ChatMessage[] conversation = [.. messages];
        var judged = await loop.RunAsync(
            () => _question(conversation),
            async (request, token) => Read(await base.GetResponseAsync(Ask(loop, conversation, request), Vary(passed, request.Number), token).ConfigureAwait(false)),
            cancellationToken).ConfigureAwait(false);
        if (judged.Verdict is not { } verdict) return judged.Answer.Value;
        if (verdict.Blocked) return new ChatResponse(Refusal(loop, verdict)) { FinishReason = ChatFinishReason.ContentFilter, AdditionalProperties = new() { [VerdictKey] = verdict } };
        var response = judged.Answer.Value;
        response.AdditionalProperties = new(response.AdditionalProperties ?? []) { [VerdictKey] = verdict };
        return response;
    }

    /// <exception cref="NotSupportedException"><see cref="JudgeOptions.Streaming"/> refuses it.</exception>
    /// <exception cref="AnswerBlockedException">The answer was blocked and there is no <see cref="JudgeOptions.BlockedText"/>.</exception>
    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var (loop, passed) = Requested(options);
        if (loop is null)
        {
            await foreach (var update in base.GetStreamingResponseAsync(messages, passed, cancellationToken).ConfigureAwait(false)) yield return update;
            yield break;
        }
        if (loop.Options.Streaming == JudgeStreaming.Refuse)
            throw new NotSupportedException($"This client's answers are not streamed: {nameof(JudgeOptions)}.{nameof(JudgeOptions.Streaming)} is {nameof(JudgeStreaming.Refuse)}. Choose {nameof(JudgeStreaming.BufferThenRelease)} or {nameof(JudgeStreaming.ReleaseThenAnnotate)}.");
        ChatMessage[] conversation = [.. messages];
        if (loop.Options.Streaming == JudgeStreaming.ReleaseThenAnnotate)
        {
            var passedOn = new List<ChatResponseUpdate>();
            await foreach (var update in base.GetStreamingResponseAsync(conversation, passed, cancellationToken).ConfigureAwait(false))
            {
                passedOn.Add(update);
                yield return update;
            }
            var once = new AnswerLoop(loop.Options with { MaxAttempts = 1, Candidates = 1, Chooser = null });
            var rated = await once.RunAsync(() => _question(conversation), (_, _) => Task.FromResult(Read(passedOn)), cancellationToken).ConfigureAwait(false);
            if (rated.Verdict is not null) yield return Last(passedOn, rated.Verdict);
            yield break;
        }

        var judged = await loop.RunAsync(
            () => _question(conversation),
            async (request, token) =>
            {
                var held = new List<ChatResponseUpdate>();
                await foreach (var update in base.GetStreamingResponseAsync(Ask(loop, conversation, request), Vary(passed, request.Number), token).ConfigureAwait(false)) held.Add(update);
                return Read(held);
            },
            cancellationToken).ConfigureAwait(false);
        if (judged.Verdict?.Blocked == true)
        {
            yield return new ChatResponseUpdate(ChatRole.Assistant, Refusal(loop, judged.Verdict).Text) { FinishReason = ChatFinishReason.ContentFilter };
            yield return Last([], judged.Verdict);
            yield break;
        }
        foreach (var update in judged.Answer.Value) yield return update;
        if (judged.Verdict is not null) yield return Last(judged.Answer.Value, judged.Verdict);
    }

    public override object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is null && serviceType == typeof(JudgeOptions) ? _loop.Options : base.GetService(serviceType, serviceKey);
    }

    /// <summary>The loop for a request, none where it is not judged, and its options as the inner client may see them.</summary>
    private (AnswerLoop? Loop, ChatOptions? Passed) Requested(ChatOptions? options)
    {
        var loop = _loop;
        if (options?.AdditionalProperties?.TryGetValue(OverrideKey, out var own) == true)
        {
            options = options.Clone();
            options.AdditionalProperties!.Remove(OverrideKey);
            if (own is not Func<JudgeOptions, JudgeOptions?> vary)
                throw new ArgumentException($"The additional property {OverrideKey} is not what {nameof(ChatJudging.WithJudge)} or {nameof(ChatJudging.WithoutJudge)} sets.", nameof(options));
            loop = vary(_loop.Options) is { } varied ? new AnswerLoop(varied) : null;
        }
        if (AnswerLoop.IsJudging) return (null, options);
        if (options?.ConversationId is not null && loop is { Options: { MaxAttempts: > 1 } or { Candidates: > 1 } })
            throw new NotSupportedException($"The conversation is kept by the server (ConversationId), where a second answer would stay in it. Rate or gate only: set {nameof(JudgeOptions.MaxAttempts)} and {nameof(JudgeOptions.Candidates)} to 1 for this request.");
        return (loop, options);
    }

    private static ChatMessage[] Ask(AnswerLoop loop, ChatMessage[] conversation, AnswerRequest request) => request.Previous is not { } previous ? conversation
        : [.. conversation, new ChatMessage(ChatRole.Assistant, previous.Text), new ChatMessage(ChatRole.User, loop.Options.Feedback(previous.Rating))];

    // A second answer to the same question differs, from a model with a seed as from a cache.
    private static ChatOptions? Vary(ChatOptions? options, int number)
    {
        if (number == 0) return options;
        options = options?.Clone() ?? new ChatOptions();
        options.Seed = (options.Seed ?? 0) + number;
        return options;
    }

    private static Answer<ChatResponse> Read(ChatResponse response) => new(response, response.Text)
    {
        Tokens = response.Usage?.TotalTokenCount ?? (response.Usage is { } usage ? usage.InputTokenCount + usage.OutputTokenCount : null),
        Id = response.ResponseId,
        IsFinal = !IsCalling(response),
    };

    // A tool call that nobody has answered yet.
    private static bool IsCalling(ChatResponse response)
    {
        var contents = response.Messages.SelectMany(message => message.Contents).ToArray();
        return contents.OfType<FunctionCallContent>().Select(call => call.CallId).Except(contents.OfType<FunctionResultContent>().Select(result => result.CallId)).Any()
            || contents.Any(content => content is ToolApprovalRequestContent);
    }

    private static Answer<List<ChatResponseUpdate>> Read(List<ChatResponseUpdate> updates)
    {
        var read = Read(updates.ToChatResponse());
        return new(updates, read.Text) { Tokens = read.Tokens, Id = read.Id, IsFinal = read.IsFinal };
    }

    private static ChatMessage Refusal(AnswerLoop loop, AnswerVerdict verdict) => new(ChatRole.Assistant, loop.Options.BlockedText ?? throw new AnswerBlockedException(verdict));

    // It belongs to the response, not to a message: with a message's id its properties would become that message's.
    private static ChatResponseUpdate Last(List<ChatResponseUpdate> updates, AnswerVerdict verdict) => new()
    {
        Role = ChatRole.Assistant,
        ResponseId = updates.LastOrDefault()?.ResponseId,
        AdditionalProperties = new() { [VerdictKey] = verdict },
    };
}
