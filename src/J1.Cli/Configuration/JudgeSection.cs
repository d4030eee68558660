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

    public void Validate()
    {
        if (MaxCompletionTokens < 1) throw new ArgumentException($"{nameof(MaxCompletionTokens)} is {MaxCompletionTokens}; it must be at least 1.");
        if (Prompt is { } prompt && !Path.IsPathRooted(prompt) && !JudgePrompt.BuiltInNames.Contains(prompt))
            throw new ArgumentException($"{nameof(Prompt)} is '{prompt}'; it must be {string.Join(", ", JudgePrompt.BuiltInNames)}, or a file such as ./prompt.txt.");
    }

    /// <summary>The format this describes.</summary>
    /// <exception cref="Data.DataException">The prompt file is missing or lacks a placeholder.</exception>
    public JudgeFormat Format => JudgeFormats.Of(Mode, Thinking, Prompt);
}
