using J1.Engines;

namespace J1.Judging;

/// <summary>How an engine is asked.</summary>
public sealed record EngineJudgeOptions
{
    /// <summary>How completions are drawn. Default greedy, 256 tokens; voting needs a temperature (the paper: top-p 0.95, temperature 1 for Llama, 0.6 for Qwen3). An instant verdict draws nothing.</summary>
    public SamplingOptions Sampling { get; init; } = new() { Temperature = 0 };

    /// <summary>Seed of the sampling. Default 0.</summary>
    public ulong Seed { get; init; }

    /// <summary>What becomes of prompts that leave no room for a completion. Default refuse.</summary>
    public LongPromptPolicy LongPrompts { get; init; } = LongPromptPolicy.Refuse;

    /// <summary>Prompts an engine call; both orders of a pair stand next to each other. Default 64.</summary>
    public int PromptsPerCall { get; init; } = 64;

    /// <exception cref="ArgumentException">Names the option, its value and its range.</exception>
    public void Validate()
    {
        Sampling.Validate();
        if (PromptsPerCall < 1) throw new ArgumentException($"{nameof(PromptsPerCall)} is {PromptsPerCall}; it must be at least 1.");
    }
}

/// <summary>
/// A language model as a judge of what it is shown, in one order; <see cref="TwoOrderJudge"/> makes a judge of pairs of it. A thinking judge generates
/// and what it wrote is read; an instant verdict is the log-odds of its two letters, scored in one forward pass without sampling.
/// Calls from several threads wait for each other.
/// </summary>
public sealed class EngineJudge : IOrderedJudge
{
    private readonly IEngine _engine;
    private readonly JudgeFormat _format;
    private readonly EngineJudgeOptions _options;
    private readonly AnswerLetters? _letters;
    private readonly int _limit;

    /// <exception cref="ArgumentException">An option is out of range, the context cannot hold a completion, or an instant judge's letters are no tokens.</exception>
    public EngineJudge(IEngine engine, JudgeFormat format, EngineJudgeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(format);
        options ??= new();
        options.Validate();
        (_engine, _format, _options) = (engine, format, options);
        if (format.IsInstantVerdict) _letters = new AnswerLetters(engine.Tokenizer, format.AssistantPrefix);
        var completion = format.IsInstantVerdict ? 1 : options.Sampling.MaxTokens;
        _limit = engine.ContextLength - completion;
        if (_limit < 1)
            throw new ArgumentException($"A completion of {completion} tokens leaves no room for a prompt in a context of {engine.ContextLength}; lower {nameof(SamplingOptions.MaxTokens)}.", nameof(options));
    }

    public JudgeMode Mode => _format.Mode;

    /// <summary>Model, prompt, sampling and seed, as they are now: weights that are trained change it.</summary>
    public Provenance Provenance
    {
        get
        {
            var (model, sampling) = (_engine.Identity, _format.IsInstantVerdict ? null : _options.Sampling);
            return new Provenance
            {
                Judge = sampling is null ? Hashes.Of("instant", model, _format.Hash)
                    : Hashes.Of("engine", model, _format.Hash, sampling.MaxTokens, sampling.Temperature, sampling.TopK, sampling.TopP, sampling.MinP, _options.Seed),
                Model = model,
                Prompt = _format.Hash,
                Sampling = sampling,
                Seed = sampling is null ? 0 : _options.Seed,
            };
        }
    }

    /// <summary>Reads what is shown.</summary>
    /// <exception cref="ContextOverflowException">A prompt is too long and the policy is to refuse; the message names pair, length and limit.</exception>
    public ValueTask<IReadOnlyList<Judgement[]>> ReadAsync(IReadOnlyList<ShownPair> shown, int votes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(shown);
        ArgumentOutOfRangeException.ThrowIfLessThan(votes, 1);
        var read = new Judgement[shown.Count][];
        var (prompts, places) = (new List<int[]>(), new List<int>());
        for (var i = 0; i < shown.Count; i++)
        {
            var request = _format.Render(shown[i]);
            var prompt = _engine.Tokenizer.EncodeChat(request.Messages, request.AssistantPrefix);
            if (prompt.Length <= _limit)
            {
                prompts.Add(prompt);
                places.Add(i);
                continue;
            }
            if (_options.LongPrompts == LongPromptPolicy.Refuse) throw LongPromptError.Of(shown[i].Id, prompt.Length, _limit, _engine.ContextLength);
            read[i] = [Judgement.Without(InvalidReason.TooLong)];
        }
        for (var from = 0; from < prompts.Count; from += _options.PromptsPerCall)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var part = prompts.GetRange(from, Math.Min(_options.PromptsPerCall, prompts.Count - from));
            var answers = _letters is null ? Generate(part, votes, cancellationToken) : Score(part, _letters, cancellationToken);
            for (var i = 0; i < answers.Length; i++) read[places[from + i]] = answers[i];
        }
        return new(read);
    }

    private Judgement[][] Generate(List<int[]> prompts, int votes, CancellationToken cancellationToken)
    {
        Sample[][] samples;
        lock (_engine) samples = _engine.Generate(prompts, votes, _options.Sampling, _options.Seed, cancellationToken);
        return [.. samples.Select(group => group.Select(sample => _format.Read(_engine.Tokenizer.Decode(sample.Tokens), sample.Finish == FinishReason.Length)).ToArray())];
    }

    private Judgement[][] Score(List<int[]> prompts, AnswerLetters letters, CancellationToken cancellationToken)
    {
        int[] tokens = [.. letters.A, .. letters.B];
        TokenSequence[] batch = [.. prompts.SelectMany(prompt => tokens.Select(token => TokenSequence.Of(prompt, [token])))];
        TokenScores[] scores;
        lock (_engine) scores = _engine.Score(batch, 1, cancellationToken);
        return [.. prompts.Select((_, i) =>
        {
            var own = scores.AsSpan(i * tokens.Length, tokens.Length);
            var logOdds = LogSum(own[..letters.A.Count]) - LogSum(own[letters.A.Count..]);
            return new[] { double.IsFinite(logOdds) ? new Judgement { Outcome = Outcomes.OfMargin(logOdds), LogOdds = logOdds } : Judgement.Without(InvalidReason.Failed) };
        })];
    }

    private static double LogSum(ReadOnlySpan<TokenScores> scores)
    {
        var max = double.NegativeInfinity;
        foreach (var score in scores) max = Math.Max(max, score.LogProbs[0]);
        var sum = 0.0;
        foreach (var score in scores) sum += Math.Exp(score.LogProbs[0] - max);
        return max + Math.Log(sum);
    }
}
