namespace J1.Data;

/// <summary>An instruction and two responses, one of which may be known to be better.</summary>
public sealed record PreferencePair
{
    /// <summary>A name that is unique within its data set.</summary>
    public required string Id { get; init; }

    /// <summary>What was asked.</summary>
    public required string Instruction { get; init; }

    public required string ResponseA { get; init; }

    public required string ResponseB { get; init; }

    /// <summary>Which response is better; null where nobody knows.</summary>
    public Preference? Label { get; init; }

    /// <summary>Where the pair comes from, for tables by source.</summary>
    public string Source { get; init; } = "";

    public string Category { get; init; } = "";

    /// <summary>A worked thought that leads to the right verdict for (A, B) in this order, for supervised warm starts; null where there is none.</summary>
    public string? Thought { get; init; }

    /// <summary>The thought for the swapped order (B shown first); null where there is none.</summary>
    public string? SwappedThought { get; init; }

    /// <summary>The same pair with its responses exchanged, and the label with them.</summary>
    public PreferencePair Swap() => this with
    {
        ResponseA = ResponseB,
        ResponseB = ResponseA,
        Label = Label switch { Preference.A => Preference.B, Preference.B => Preference.A, var same => same },
        Thought = SwappedThought,
        SwappedThought = Thought,
    };
}

/// <summary>A known preference between two responses.</summary>
public enum Preference
{
    A,
    B,
    Tie,
}
