namespace J1.Cli.Configuration;

/// <summary>How pairs are put to the model.</summary>
internal sealed record JudgeSection
{
    /// <summary>Whether the judge writes a thought first, or its answer is read off the token probabilities at once. Default thinking.</summary>
    public JudgeMode Mode { get; init; } = JudgeMode.Thinking;

    /// <summary>The most tokens of a thought and its answer. Default 256.</summary>
    public int MaxCompletionTokens { get; init; } = 256;

    public void Validate()
    {
        if (MaxCompletionTokens < 1) throw new ArgumentException($"{nameof(MaxCompletionTokens)} is {MaxCompletionTokens}; it must be at least 1.");
    }
}

/// <summary>Whether a judge thinks aloud.</summary>
internal enum JudgeMode
{
    Thinking,
    Instant,
}
