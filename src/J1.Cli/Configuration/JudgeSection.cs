using J1.Judging;

namespace J1.Cli.Configuration;

/// <summary>How pairs are put to the model.</summary>
internal sealed record JudgeSection
{
    /// <summary>What is asked for. Default verdict.</summary>
    public JudgeMode Mode { get; init; } = JudgeMode.Verdict;

    /// <summary>Whether the judge writes a thought first; without, an instant judge's verdict is read off its letter's probabilities. Default true.</summary>
    public bool Thinking { get; init; } = true;

    /// <summary>A prompt that comes with the library, or a text file (a name with a slash or a dot). Default: the full prompt of the mode.</summary>
    [PromptValue]
    public string? Prompt { get; init; }

    /// <summary>The most tokens of a thought and its answer; an instant verdict takes one. Default 256.</summary>
    public int MaxCompletionTokens { get; init; } = 256;

    /// <summary>Whether the model also learns to score each response alone, on the same pairs (the paper's multitask judge). It is measured both ways. Default false.</summary>
    public bool Multitask { get; init; }

    /// <summary>The prompt of <see cref="Multitask"/>'s other way. Default: the full pointwise prompt.</summary>
    [PromptValue]
    public string? PointwisePrompt { get; init; }

    /// <summary>Scores of the better and of the worse response that a warm start teaches in the score modes, since pairs tell none, as in [8, 2]. Default none: such a warm start is refused.</summary>
    public IReadOnlyList<double> TargetScores { get; init; } = [];

    public void Validate()
    {
        if (TargetScores is not ([] or [>= 0 and <= 10, >= 0 and <= 10]) || (TargetScores is [var better, var worse] && better <= worse))
            throw new ArgumentException($"{nameof(TargetScores)} is [{string.Join(", ", TargetScores)}]; it must be two numbers from 0 to 10, the better response's first and higher.");
        if (Multitask && Mode == JudgeMode.Pointwise) throw new ArgumentException($"{nameof(Multitask)} adds the pointwise mode; {nameof(Mode)} is to be another.");
        if (Multitask && !Thinking && Mode == JudgeMode.Verdict) throw new ArgumentException($"{nameof(Multitask)} and an instant verdict do not fit: one letter is no score; set {nameof(Thinking)}, or {nameof(Mode)} scores.");
        foreach (var (name, text) in new[] { (nameof(Prompt), Prompt), (nameof(PointwisePrompt), PointwisePrompt) })
            if (text is not null && !Path.IsPathRooted(text) && !JudgePrompt.BuiltInNames.Contains(text))
                throw new ArgumentException($"{name} is '{text}'; it must be {string.Join(", ", JudgePrompt.BuiltInNames)}, or a file such as ./prompt.txt.");
        if (MaxCompletionTokens < 1) throw new ArgumentException($"{nameof(MaxCompletionTokens)} is {MaxCompletionTokens}; it must be at least 1.");
    }

    /// <summary>The format this describes.</summary>
    /// <exception cref="Data.DataException">The prompt file is missing or lacks a placeholder.</exception>
    public JudgeFormat Format => JudgeFormats.Of(Mode, Thinking, Prompt);

    /// <summary>The format of the other way of a multitask judge; null without.</summary>
    public JudgeFormat? PointwiseFormat => Multitask ? JudgeFormats.Of(JudgeMode.Pointwise, Thinking, PointwisePrompt) : null;
}
