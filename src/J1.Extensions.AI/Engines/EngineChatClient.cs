using System.Runtime.CompilerServices;
using System.Threading.Channels;
using J1.Engines;
using Microsoft.Extensions.AI;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;
using EngineMessage = J1.Engines.ChatMessage;

namespace J1.Extensions.AI;

/// <summary>
/// A local engine as a chat client, in the model's own chat format. Text alone is read: other contents, tools and response formats are refused.
/// Streams token by token where the engine does (<see cref="IStreamingEngine"/>); a character is passed on when it is whole. Requests wait for each other. The engine stays the caller's.
/// </summary>
/// <param name="engine">Answers.</param>
/// <param name="sampling">How answers are drawn where a request does not say. Default greedy, 256 tokens.</param>
/// <param name="seed">Where a request has none. Default 0.</param>
public sealed class EngineChatClient(IEngine engine, SamplingOptions? sampling = null, ulong seed = 0) : IChatClient
{
    private readonly IEngine _engine = engine ?? throw new ArgumentNullException(nameof(engine));
    private readonly SamplingOptions _sampling = Checked(sampling ?? new SamplingOptions { Temperature = 0 });
    private readonly SemaphoreSlim _turn = new(1);
    private readonly ChatClientMetadata _metadata = new("j1", null, "j1-engine");

    /// <exception cref="ContextOverflowException">The conversation does not fit the model's context.</exception>
    /// <exception cref="NotSupportedException">The request holds more than text.</exception>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken).ConfigureAwait(false);

    /// <exception cref="ContextOverflowException">The conversation does not fit the model's context.</exception>
    /// <exception cref="NotSupportedException">The request holds more than text.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var (request, drawing, drawingSeed) = Read(messages, options);
        var prompt = _engine.Tokenizer.EncodeChat(request);
        var id = Guid.NewGuid().ToString("n");
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var pieces = Channel.CreateUnbounded<string>();
            var (text, stops) = (new StreamedText(_engine.Tokenizer, options?.StopSequences), false);
            var drawingTask = Task.Run(() =>
            {
                try
                {
                    return Draw(prompt, drawing, drawingSeed, token =>
                    {
                        if (stops) return;
                        if (text.Add(token) is { Length: > 0 } piece) pieces.Writer.TryWrite(piece);
                        // A stop sequence ends it, as its end token would.
                        if (stops = text.HasStopped) stopping.Cancel();
                    }, stopping.Token);
                }
                finally
                {
                    pieces.Writer.Complete();
                }
            }, CancellationToken.None);
            try
            {
                await foreach (var piece in pieces.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false)) yield return Update(piece);
            }
            finally
            {
                // A reader that leaves early ends the drawing; the engine is free when it has.
                if (!drawingTask.IsCompleted) await stopping.CancelAsync().ConfigureAwait(false);
                await ((Task)drawingTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            FinishReason finish = FinishReason.Stop;
            if (!text.HasStopped) finish = (await drawingTask.ConfigureAwait(false)).Finish;
            if (text.End() is { Length: > 0 } rest) yield return Update(rest);
            var last = Update(null);
            last.FinishReason = finish == FinishReason.Length ? ChatFinishReason.Length : ChatFinishReason.Stop;
            last.Contents.Add(new UsageContent(new UsageDetails { InputTokenCount = prompt.Length, OutputTokenCount = text.Count, TotalTokenCount = prompt.Length + text.Count }));
            yield return last;
        }
        finally
        {
            _turn.Release();
        }

        ChatResponseUpdate Update(string? piece) => new(ChatRole.Assistant, piece) { ResponseId = id, MessageId = id, ModelId = _metadata.DefaultModelId };
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null : serviceType == typeof(ChatClientMetadata) ? _metadata : serviceType == typeof(IEngine) ? _engine : serviceType.IsInstanceOfType(this) ? this : null;
    }

    public void Dispose() => _turn.Dispose();

    private Sample Draw(int[] prompt, SamplingOptions drawing, ulong drawingSeed, Action<int> drawn, CancellationToken cancellationToken)
    {
        lock (_engine)
        {
            if (_engine is IStreamingEngine streaming) return streaming.Generate(prompt, drawing, drawingSeed, drawn, cancellationToken);
            var sample = _engine.Generate([prompt], 1, drawing, drawingSeed, cancellationToken)[0][0];
            foreach (var token in sample.Tokens) drawn(token);
            return sample;
        }
    }

    private (EngineMessage[] Messages, SamplingOptions Sampling, ulong Seed) Read(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (options?.Tools is { Count: > 0 }) throw new NotSupportedException("A local engine calls no tools; leave ChatOptions.Tools empty.");
        if (options?.ResponseFormat is not (null or ChatResponseFormatText)) throw new NotSupportedException("A local engine writes text; leave ChatOptions.ResponseFormat empty.");
        var read = new List<EngineMessage>();
        if (!string.IsNullOrEmpty(options?.Instructions)) read.Add(EngineMessage.System(options.Instructions));
        foreach (var message in messages)
        {
            if (message.Contents.FirstOrDefault(content => content is not (TextContent or TextReasoningContent or UsageContent)) is { } other)
                throw new NotSupportedException($"A local engine reads text; message {read.Count + 1} holds {other.GetType().Name}.");
            read.Add(message.Role == ChatRole.System ? EngineMessage.System(message.Text) : message.Role == ChatRole.User ? EngineMessage.User(message.Text)
                : message.Role == ChatRole.Assistant ? EngineMessage.Assistant(message.Text)
                : throw new NotSupportedException($"A local engine knows the roles system, user and assistant, not {message.Role}."));
        }
        if (read.Count == 0) throw new ArgumentException("There is nothing to answer: no message.", nameof(messages));
        return ([.. read], Checked(_sampling with
        {
            MaxTokens = options?.MaxOutputTokens ?? _sampling.MaxTokens,
            Temperature = options?.Temperature ?? _sampling.Temperature,
            TopP = options?.TopP ?? _sampling.TopP,
            TopK = options?.TopK ?? _sampling.TopK,
        }), options?.Seed is { } own ? unchecked((ulong)own) : seed);
    }

    private static SamplingOptions Checked(SamplingOptions options)
    {
        options.Validate();
        return options;
    }
}
