using J1.Data;
using J1.Judging;
using Microsoft.Extensions.AI;

namespace J1.Extensions.AI;

/// <summary>
/// Any chat client as a judge of pairs, in both orders, or of single answers (<see cref="JudgeRater"/>). A call that fails for good is an Invalid reading
/// (<see cref="InvalidReason.Failed"/>, its text the error), never an exception and never a number. Safe to use from several threads. The client stays the caller's.
/// </summary>
public sealed class ChatClientJudge : IJudge, IOrderedJudge, IDisposable
{
    private readonly IChatClient _client;
    private readonly JudgeFormat _format;
    private readonly ChatClientJudgeOptions _options;
    private readonly SemaphoreSlim _turn;
    private readonly TwoOrderJudge _pairs;

    /// <param name="client">Asked. Its own retries, if any, come on top of those of the options.</param>
    /// <param name="format">What is asked for; the prefix is left out, since a chat client cannot go on with a begun reply.</param>
    /// <param name="options">How it is asked.</param>
    /// <exception cref="ArgumentException">An option is out of range, or log-probabilities are wanted of a judge that is not instant.</exception>
    public ChatClientJudge(IChatClient client, JudgeFormat format, ChatClientJudgeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(format);
        options ??= new();
        options.Validate();
        if (options.Reply == JudgeReply.LogProbs && !format.IsInstantVerdict)
            throw new ArgumentException($"Log-probabilities are read of an instant verdict alone; the format is {(format.Thinking ? "a thinking" : "an instant")} {format.Mode}. Set Thinking = false and Mode = Verdict, or another {nameof(ChatClientJudgeOptions.Reply)}.", nameof(options));
        (_client, _format, _options, _turn) = (client, format, options, new SemaphoreSlim(options.MaxConcurrency));
        _pairs = new TwoOrderJudge(this, options.Votes, options.Calibration);
    }

    public JudgeMode Mode => _format.Mode;

    /// <summary>A hash over provider, model, prompt, sampling, seed and kind of reply. What a host changes behind a model's name it cannot know.</summary>
    public string Identity => _pairs.Identity;

    /// <summary>Provider, model, prompt, sampling and seed.</summary>
    public Provenance Provenance
    {
        get
        {
            var metadata = _client.GetService<ChatClientMetadata>();
            var model = $"{metadata?.ProviderName} {metadata?.ProviderUri} {_options.Model ?? metadata?.DefaultModelId}".Trim();
            var (prompt, sampling) = (Hashes.Of(_format.Mode, _format.Thinking, _format.Prompt.Text, _format.Rules)[..16], _options.Sampling);
            return new Provenance
            {
                Judge = Hashes.Of("chat", model, prompt, _options.Reply, sampling.MaxTokens, sampling.Temperature, sampling.TopK, sampling.TopP, _options.Seed),
                Model = model,
                Prompt = prompt,
                Sampling = sampling,
                Seed = _options.Seed ?? 0,
            };
        }
    }

    public ValueTask<IReadOnlyList<PairJudgement>> JudgeAsync(IReadOnlyList<PreferencePair> pairs, CancellationToken cancellationToken = default) => _pairs.JudgeAsync(pairs, cancellationToken);

    public async ValueTask<IReadOnlyList<Judgement[]>> ReadAsync(IReadOnlyList<ShownPair> shown, int votes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(shown);
        ArgumentOutOfRangeException.ThrowIfLessThan(votes, 1);
        if (_options.Reply == JudgeReply.LogProbs) votes = 1;
        var calls = shown.SelectMany(pair =>
        {
            var prompt = _format.Render(pair).Messages[0].Content;
            return Enumerable.Range(0, votes).Select(vote => ReadAsync(prompt, vote, cancellationToken));
        }).ToArray();
        var read = await Task.WhenAll(calls).ConfigureAwait(false);
        return [.. read.Chunk(votes)];
    }

    public void Dispose() => _turn.Dispose();

    private async Task<Judgement> ReadAsync(string prompt, int vote, CancellationToken cancellationToken)
    {
        var (sampling, asksForLogProbs) = (_options.Sampling, false);
        var options = new ChatOptions
        {
            ModelId = _options.Model,
            MaxOutputTokens = sampling.MaxTokens,
            Temperature = sampling.Temperature,
            TopP = sampling.TopP < 1 ? sampling.TopP : null,
            TopK = sampling.TopK > 0 ? sampling.TopK : null,
            Seed = _options.Seed is { } seed ? unchecked((long)(seed + (ulong)vote)) : null,
        };
        List<ChatMessage> messages = [new(ChatRole.User, prompt)];
        if (_options.Reply == JudgeReply.LogProbs) asksForLogProbs = _options.Host.AskForLogProbs(options);
        if (_options.Reply == JudgeReply.Json)
        {
            options.ResponseFormat = JsonVerdict.Format(_format);
            messages.Insert(0, new(ChatRole.System, JsonVerdict.Instruction(_format)));
        }
        ChatResponse response;
        try
        {
            response = await SendAsync(messages, options, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            return Judgement.Without(InvalidReason.Failed, $"{error.GetType().Name}: {error.Message}");
        }
        return Read(response, asksForLogProbs) with { Tokens = response.Usage?.TotalTokenCount };
    }

    private Judgement Read(ChatResponse response, bool asksForLogProbs)
    {
        var contents = response.Messages.SelectMany(message => message.Contents).ToArray();
        var text = response.Text;
        if (response.FinishReason == ChatFinishReason.ContentFilter || text.Length == 0 && contents.OfType<ErrorContent>().Any())
            return Judgement.Without(InvalidReason.Refused, text.Length > 0 ? text : contents.OfType<ErrorContent>().FirstOrDefault()?.Message ?? "");
        var truncated = response.FinishReason == ChatFinishReason.Length;
        var read = _options.Reply == JudgeReply.Json ? JsonVerdict.Read(text, _format.Mode, truncated) : JudgementParser.Parse(text, _format.Mode, truncated, _format.Rules);
        // Models that think apart from their answer.
        if (read.Thought is null && string.Concat(contents.OfType<TextReasoningContent>().Select(content => content.Text)) is { Length: > 0 } thought) read = read with { Thought = thought };
        return asksForLogProbs && _options.Host.LogProbs(response) is { } tokens && LetterOdds.Of(tokens) is { } odds ? read with { Outcome = Outcomes.OfMargin(odds), Invalid = null, LogOdds = odds } : read;
    }

    private async Task<ChatResponse> SendAsync(List<ChatMessage> messages, ChatOptions options, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            for (var (call, delay) = (1, _options.RetryDelay); ; call++, delay *= 2)
            {
                using var timeout = new CancellationTokenSource(_options.Timeout, _options.Clock);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
                try
                {
                    return await _client.GetResponseAsync(messages, options, either.Token).ConfigureAwait(false);
                }
                catch (Exception error) when (!cancellationToken.IsCancellationRequested)
                {
                    var fault = error is OperationCanceledException ? new HostFault(timeout.IsCancellationRequested) : _options.Host.Fault(error);
                    var wait = fault.RetryAfter ?? (delay < _options.MaxRetryDelay ? delay : _options.MaxRetryDelay);
                    if (!fault.IsTransient || call >= _options.MaxCalls || wait > _options.MaxRetryDelay)
                    {
                        if (timeout.IsCancellationRequested && error is OperationCanceledException) throw new TimeoutException($"No reply within {_options.Timeout}, {call} times.", error);
                        throw;
                    }
                    // The place among the calls under way is kept: a host that is too busy gets fewer calls meanwhile.
                    await Task.Delay(wait, _options.Clock, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            _turn.Release();
        }
    }
}
