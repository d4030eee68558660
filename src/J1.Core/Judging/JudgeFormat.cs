using J1.Engines;

namespace J1.Judging;

/// <summary>How a pair becomes a conversation, and how what comes back is read.</summary>
public sealed record JudgeFormat
{
    /// <summary>What is asked for. Default a verdict.</summary>
    public JudgeMode Mode { get; init; } = JudgeMode.Verdict;

    /// <summary>
    /// Whether the judge writes a thought before its answer. Default true. Without one, a verdict is read from the probabilities of its letter, in one forward pass
    /// an order; scores are written, with nothing before them.
    /// </summary>
    public bool Thinking { get; init; } = true;

    /// <summary>The prompt's text. Default <see cref="JudgePrompt.For"/> the mode.</summary>
    public JudgePrompt Prompt { get => field ?? JudgePrompt.For(Mode, Thinking); init; }

    /// <summary>
    /// What is put in the judge's mouth. Default <c>&lt;think&gt;</c> where it thinks, so that the thought is always begun; otherwise the answer's opening: <c>&lt;answer&gt; [[</c>, <c>&lt;score_A&gt;</c> or <c>&lt;score&gt;</c>.
    /// </summary>
    public string AssistantPrefix
    {
        get => field ?? (Thinking ? "<think>" : Mode switch { JudgeMode.Verdict => "<answer> [[", JudgeMode.Pointwise => "<score>", _ => "<score_A>" });
        init;
    }

    /// <summary>How completions are read. Default <see cref="ParserRules.Strict"/>.</summary>
    public ParserRules Rules { get; init; } = ParserRules.Strict;

    /// <summary>Whether the verdict is read from its letter's probabilities: no thought, and a verdict is all that is asked for.</summary>
    public bool IsInstantVerdict => !Thinking && Mode == JudgeMode.Verdict;

    /// <summary>A name for all of this.</summary>
    public string Hash => Hashes.Of("format", Mode, Thinking, Prompt.Text, AssistantPrefix, Rules)[..16];

    /// <summary>A pair as a conversation, <paramref name="a"/> shown first. Both answers and the instruction are untrusted (<see cref="UntrustedText"/>).</summary>
    /// <exception cref="InvalidOperationException">The mode is pointwise, or the prompt is.</exception>
    public JudgeRequest Render(string instruction, string a, string b)
    {
        ArgumentNullException.ThrowIfNull(instruction);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        Check(isPointwise: false);
        return new([ChatMessage.User(Prompt.Fill(instruction, a, b))], AssistantPrefix);
    }

    /// <summary>One response as a conversation, for <see cref="JudgeMode.Pointwise"/>.</summary>
    /// <exception cref="InvalidOperationException">The mode or the prompt is for pairs.</exception>
    public JudgeRequest RenderOne(string instruction, string response)
    {
        ArgumentNullException.ThrowIfNull(instruction);
        ArgumentNullException.ThrowIfNull(response);
        Check(isPointwise: true);
        return new([ChatMessage.User(Prompt.Fill(instruction, response, null))], AssistantPrefix);
    }

    /// <summary>What a judge sees as a conversation.</summary>
    public JudgeRequest Render(ShownPair shown)
    {
        ArgumentNullException.ThrowIfNull(shown);
        return shown.Second is null ? RenderOne(shown.Instruction, shown.First) : Render(shown.Instruction, shown.First, shown.Second);
    }

    /// <summary>Reads what the model wrote after the prefix.</summary>
    public Judgement Read(string completion, bool truncated) =>
        JudgementParser.Parse(AssistantPrefix + completion, Mode, truncated, Rules) with { Text = completion };

    private void Check(bool isPointwise)
    {
        if ((Mode == JudgeMode.Pointwise) != isPointwise)
            throw new InvalidOperationException(isPointwise ? $"The mode {Mode} needs two responses." : "A pointwise judge sees one response at a time.");
        if (Prompt.IsPointwise != isPointwise)
            throw new InvalidOperationException(isPointwise ? "The mode is pointwise, but the prompt shows two responses; use one with {response}." : $"The mode is {Mode}, but the prompt shows one response; use one with {{response_a}} and {{response_b}}.");
    }
}

/// <summary>What is sent to a model.</summary>
/// <param name="Messages">The conversation.</param>
/// <param name="AssistantPrefix">The first words of the reply, already written; a chat client that cannot continue a reply leaves them out.</param>
public sealed record JudgeRequest(IReadOnlyList<ChatMessage> Messages, string AssistantPrefix);
