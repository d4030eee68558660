using System.Globalization;
using J1.Data;
using J1.Engines;
using J1.Judging;

namespace J1.Grpo;

/// <summary>
/// Pairs as a judge's prompts, completions as grades. An instant verdict is a completion of one token, the letter; a thinking judge's completion is
/// what follows its prefix, to the end token.
/// </summary>
public sealed class JudgeTask : IJudgeTask
{
    private readonly ITokenizer _tokenizer;
    private readonly AnswerLetters? _letters;
    private readonly int _context;

    /// <param name="tokenizer">The engine's.</param>
    /// <param name="format">How pairs are asked and read.</param>
    /// <param name="contextLength">Tokens a prompt and its completion may hold together.</param>
    /// <param name="maxCompletionTokens">The longest completion, its end token included; an instant verdict takes 1, whatever is given.</param>
    /// <param name="longPrompts">What <see cref="Filter"/> does with pairs that do not fit.</param>
    /// <exception cref="ArgumentException">The context cannot hold a completion, the tokenizer has no end token, or an instant judge's letters are no tokens.</exception>
    public JudgeTask(ITokenizer tokenizer, JudgeFormat format, int contextLength, int maxCompletionTokens, LongPromptPolicy longPrompts = LongPromptPolicy.Refuse)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(format);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxCompletionTokens, 1);
        (_tokenizer, Format, _context, LongPrompts) = (tokenizer, format, contextLength, longPrompts);
        MaxCompletionTokens = format.IsInstantVerdict ? 1 : maxCompletionTokens;
        if (MaxPromptTokens < 1)
            throw new ArgumentException($"A completion of {MaxCompletionTokens} tokens leaves no room for a prompt in a context of {contextLength}; lower it.", nameof(maxCompletionTokens));
        if (format.IsInstantVerdict) _letters = new AnswerLetters(tokenizer, format.AssistantPrefix);
        else if (tokenizer.EndTokens.Count == 0) throw new ArgumentException("The tokenizer has no end token, so a completion could never end.", nameof(tokenizer));
    }

    /// <summary>How pairs are asked and read.</summary>
    public JudgeFormat Format { get; }

    /// <summary>The longest completion to draw; 1 for an instant verdict. Give it to <see cref="GrpoOptions.MaxCompletionTokens"/>.</summary>
    public int MaxCompletionTokens { get; }

    /// <summary>The longest prompt that leaves room for a completion.</summary>
    public int MaxPromptTokens => _context - MaxCompletionTokens;

    /// <summary>What <see cref="Filter"/> does with pairs that do not fit.</summary>
    public LongPromptPolicy LongPrompts { get; }

    /// <summary>Scores of the better and of the worse response to imitate in the score modes, since pairs tell none; null leaves those modes without targets. Default null.</summary>
    public (double Better, double Worse)? TargetScores { get; init; }

    /// <summary>Both prompts of a pair.</summary>
    /// <exception cref="ContextOverflowException">One does not fit; <see cref="Filter"/> finds such pairs before a run.</exception>
    public int[][] Prompts(PreferencePair pair)
    {
        ArgumentNullException.ThrowIfNull(pair);
        var prompts = Encode(pair);
        if (prompts.FirstOrDefault(prompt => prompt.Length > MaxPromptTokens) is { } tooLong)
            throw LongPromptError.Of(pair.Id, tooLong.Length, MaxPromptTokens, _context);
        return prompts;
    }

    /// <summary>Grades the completions of both prompts. A pointwise judge's i-th scores of the two responses are one verdict, which both are graded by.</summary>
    /// <exception cref="DataException">The pair has no label A or B.</exception>
    public Grade[][] Grade(PreferencePair pair, Sample[][] samples)
    {
        ArgumentNullException.ThrowIfNull(pair);
        ArgumentNullException.ThrowIfNull(samples);
        var better = Better(pair);
        if (Format.Mode != JudgeMode.Pointwise)
            return [.. samples.Select((group, order) => group.Select(sample => Grade(Read(sample).Outcome, order == 0 ? better : better.Swap())).ToArray())];
        Grade[] joint = [.. samples[0].Zip(samples[1], (a, b) => (Read(a).ScoreA, Read(b).ScoreA) is ({ } scoreA, { } scoreB) ? Grade(Outcomes.OfMargin(scoreA - scoreB), better) : Grpo.Grade.Invalid)];
        return [joint, [.. joint]];
    }

    /// <summary>
    /// Instant verdict: the letter. Thinking verdict: the pair's thought and the verdict, encoded as text that follows the prompt, and the end token.
    /// In the score modes the scores are <see cref="TargetScores"/>. Null where those, a label or a thought are missing.
    /// </summary>
    /// <exception cref="DataException">A thought holds the tags of thoughts, or is longer than a completion may be.</exception>
    public int[][]? Targets(PreferencePair pair)
    {
        ArgumentNullException.ThrowIfNull(pair);
        if (pair.Label is not (Preference.A or Preference.B) || (Format.Mode != JudgeMode.Verdict && TargetScores is null)) return null;
        var better = Better(pair);
        if (_letters is not null) return [Letter(better), Letter(better.Swap())];
        if (Format.Thinking && (pair.Thought is null || pair.SwappedThought is null)) return null;
        return [Target(pair, pair.Thought, better), Target(pair, pair.SwappedThought, better.Swap())];
    }

    /// <summary>Reads one completion as shown.</summary>
    public Judgement Read(Sample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        var text = _tokenizer.Decode(sample.Tokens);
        if (_letters is null) return Format.Read(text, sample.Finish == FinishReason.Length);
        var letter = sample.Tokens.Length > 0 ? _letters.Read(sample.Tokens[0]) : Outcome.Invalid;
        return letter == Outcome.Invalid ? Judgement.Without(InvalidReason.Unparsed, text) : new Judgement { Outcome = letter, Text = text };
    }

    /// <summary>The pairs to train on: those whose prompts both fit, with room for a completion.</summary>
    /// <exception cref="ContextOverflowException">A pair does not fit, and the policy is to refuse.</exception>
    /// <exception cref="DataException">A pair has no label A or B.</exception>
    public FilteredPairs Filter(IEnumerable<PreferencePair> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var (kept, dropped) = (new List<PreferencePair>(), new List<DroppedPair>());
        foreach (var pair in pairs)
        {
            _ = Better(pair);
            var longest = Encode(pair).Max(prompt => prompt.Length);
            if (longest <= MaxPromptTokens)
                kept.Add(pair);
            else if (LongPrompts == LongPromptPolicy.Refuse)
                throw LongPromptError.Of(pair.Id, longest, MaxPromptTokens, _context);
            else
                dropped.Add(new DroppedPair(pair.Id, longest, MaxPromptTokens));
        }
        return new FilteredPairs(kept, dropped);
    }

    private int[][] Encode(PreferencePair pair)
    {
        JudgeRequest[] requests = Format.Mode == JudgeMode.Pointwise
            ? [Format.RenderOne(pair.Instruction, pair.ResponseA), Format.RenderOne(pair.Instruction, pair.ResponseB)]
            : [Format.Render(pair.Instruction, pair.ResponseA, pair.ResponseB), Format.Render(pair.Instruction, pair.ResponseB, pair.ResponseA)];
        return [.. requests.Select(request => _tokenizer.EncodeChat(request.Messages, request.AssistantPrefix))];
    }

    private int[] Letter(Outcome better) => [better == Outcome.A ? _letters!.A[0] : _letters!.B[0]];

    private int[] Target(PreferencePair pair, string? thought, Outcome better)
    {
        var text = Answer(better);
        if (Format.Thinking)
        {
            if (thought!.Contains("<think>", StringComparison.Ordinal) || thought.Contains("</think>", StringComparison.Ordinal))
                throw new DataException($"The thought of pair '{pair.Id}' holds <think> or </think>, and would teach to end a thought in its middle. Take the tags out.");
            text = $"<think> {thought.Trim()} </think> {text}";
        }
        // The tag that is put in the judge's mouth is not written again.
        var opened = Format.AssistantPrefix.LastIndexOf('<') is >= 0 and var at ? Format.AssistantPrefix[at..].TrimEnd() : "";
        if (text.StartsWith(opened, StringComparison.Ordinal)) text = text[opened.Length..];
        int[] target = [.. _tokenizer.Encode(text), EndOfTurn()];
        return target.Length <= MaxCompletionTokens ? target
            : throw new DataException($"The thought of pair '{pair.Id}' makes a completion of {target.Length} tokens; at most {MaxCompletionTokens} may be drawn. Shorten it, or allow longer completions.");
    }

    /// <summary>What follows the thought. A pointwise judge's "better" is of the response it sees.</summary>
    private string Answer(Outcome better)
    {
        var (a, b) = better == Outcome.A ? (Number(TargetScores?.Better), Number(TargetScores?.Worse)) : (Number(TargetScores?.Worse), Number(TargetScores?.Better));
        return Format.Mode switch
        {
            JudgeMode.Verdict => $"<answer> [[{better}]] </answer>",
            JudgeMode.Scores => $"<score_A> {a} </score_A> <score_B> {b} </score_B>",
            JudgeMode.ScoresAndVerdict => $"<score_A> {a} </score_A> <score_B> {b} </score_B> <answer> [[{better}]] </answer>",
            _ => $"<score> {a} </score>",
        };

        static string? Number(double? score) => score?.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Of a model's end tokens, the one that ends a turn of its chat format; where the format has none, its first.</summary>
    private int EndOfTurn()
    {
        var turn = _tokenizer.EncodeChat([ChatMessage.User("?")]);
        var last = Array.FindLastIndex(turn, token => _tokenizer.EndTokens.Contains(token));
        return last >= 0 ? turn[last] : _tokenizer.EndTokens[0];
    }

    private static Grade Grade(Outcome outcome, Outcome better) => outcome switch
    {
        Outcome.Invalid => Grpo.Grade.Invalid,
        Outcome.Tie => Grpo.Grade.Tie,
        _ => outcome == better ? Grpo.Grade.Right : Grpo.Grade.Wrong,
    };

    private static Outcome Better(PreferencePair pair) => pair.Label switch
    {
        Preference.A => Outcome.A,
        Preference.B => Outcome.B,
        _ => throw new DataException($"Pair '{pair.Id}' has {(pair.Label is null ? "no label" : "the label tie")}; training needs to know which response is better. Leave it out, or label it A or B."),
    };
}

/// <summary>What a run trains on, and what it leaves out.</summary>
/// <param name="Kept">In their order.</param>
/// <param name="Dropped">Too long.</param>
public sealed record FilteredPairs(IReadOnlyList<PreferencePair> Kept, IReadOnlyList<DroppedPair> Dropped);

/// <summary>A pair whose prompt does not fit.</summary>
/// <param name="Id">The pair's.</param>
/// <param name="Length">Tokens of its longer prompt.</param>
/// <param name="Limit">Tokens a prompt may have.</param>
public sealed record DroppedPair(string Id, int Length, int Limit);
