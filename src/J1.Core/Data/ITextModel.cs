using J1.Engines;

namespace J1.Data;

/// <summary>Something that writes: an engine, a chat client, a script of a test.</summary>
public interface ITextModel
{
    /// <summary>A name for all that its words depend on, but for what it is asked and the seed.</summary>
    string Identity { get; }

    /// <summary>Writes replies to every conversation.</summary>
    /// <param name="conversations">Each ends with the user's turn.</param>
    /// <param name="samples">Replies a conversation.</param>
    /// <param name="seed">The same conversations, samples and seed give the same words where the model can keep to a seed at all.</param>
    /// <param name="cancellationToken">Stops asking.</param>
    /// <returns>Shape [conversations][samples]; null where nothing whole was written: cut off, or refused.</returns>
    Task<string?[][]> WriteAsync(IReadOnlyList<IReadOnlyList<ChatMessage>> conversations, int samples, ulong seed, CancellationToken cancellationToken = default);
}

/// <summary>An engine that writes. Calls from several threads wait for each other.</summary>
public sealed class EngineTextModel : ITextModel
{
    private readonly IEngine _engine;
    private readonly SamplingOptions _sampling;

    /// <param name="engine">Stays the caller's.</param>
    /// <param name="sampling">Null: temperature 0.7, top-p 0.9 (Self-Taught Evaluator's), at most 1,024 tokens.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public EngineTextModel(IEngine engine, SamplingOptions? sampling = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        (_engine, _sampling) = (engine, sampling ?? new() { MaxTokens = 1024, Temperature = 0.7f, TopP = 0.9f });
        _sampling.Validate();
    }

    public string Identity => Judging.Hashes.Of("engine writes", _engine.Identity, _sampling.MaxTokens, _sampling.Temperature, _sampling.TopK, _sampling.TopP, _sampling.MinP);

    public Task<string?[][]> WriteAsync(IReadOnlyList<IReadOnlyList<ChatMessage>> conversations, int samples, ulong seed, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(conversations);
        var written = new string?[conversations.Count][];
        var (prompts, places) = (new List<int[]>(), new List<int>());
        for (var i = 0; i < written.Length; i++)
        {
            var prompt = _engine.Tokenizer.EncodeChat(conversations[i]);
            written[i] = new string?[samples];
            // What leaves no room for a reply cannot be answered whole.
            if (prompt.Length >= _engine.ContextLength) continue;
            prompts.Add(prompt);
            places.Add(i);
        }
        if (prompts.Count == 0) return Task.FromResult(written);
        Sample[][] drawn;
        lock (_engine) drawn = _engine.Generate(prompts, samples, _sampling, seed, cancellationToken);
        for (var i = 0; i < drawn.Length; i++)
            written[places[i]] = [.. drawn[i].Select(sample => sample.Finish == FinishReason.Stop ? _engine.Tokenizer.Decode(sample.Tokens) : null)];
        return Task.FromResult(written);
    }
}

/// <summary>A reply to one conversation; null where nothing whole was written.</summary>
public delegate Task<string?> WriteReply(IReadOnlyList<ChatMessage> messages, ulong seed, CancellationToken cancellationToken);

/// <summary>Any function as a model that writes, a chat client among them.</summary>
public sealed class DelegateTextModel : ITextModel
{
    private readonly WriteReply _write;
    private readonly int _atOnce;

    /// <param name="identity">A name for the model and its settings: what was written under one name is taken up again under it.</param>
    /// <param name="write">Called once a reply; with a seed of its own each time.</param>
    /// <param name="atOnce">Replies that are awaited at the same time. Default 1.</param>
    public DelegateTextModel(string identity, WriteReply write, int atOnce = 1)
    {
        ArgumentException.ThrowIfNullOrEmpty(identity);
        ArgumentNullException.ThrowIfNull(write);
        ArgumentOutOfRangeException.ThrowIfLessThan(atOnce, 1);
        (Identity, _write, _atOnce) = (identity, write, atOnce);
    }

    public string Identity { get; }

    public async Task<string?[][]> WriteAsync(IReadOnlyList<IReadOnlyList<ChatMessage>> conversations, int samples, ulong seed, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(conversations);
        string?[][] written = [.. conversations.Select(_ => new string?[samples])];
        await Parallel.ForAsync(0, conversations.Count * samples, new ParallelOptions { MaxDegreeOfParallelism = _atOnce, CancellationToken = cancellationToken }, async (at, token) =>
        {
            var (i, j) = (at / samples, at % samples);
            written[i][j] = await _write(conversations[i], SplitMix.For(seed, (ulong)i, (ulong)j).Next(), token).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return written;
    }
}
