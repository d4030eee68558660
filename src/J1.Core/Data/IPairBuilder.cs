namespace J1.Data;

/// <summary>What a preference pair is made of.</summary>
public sealed record PairSource
{
    /// <summary>A name that is unique within its data set; the pair gets it.</summary>
    public required string Id { get; init; }

    public required string Instruction { get; init; }

    /// <summary>A good response. A noisy instruction needs one; a wrong answer takes one of the right solutions where it is null.</summary>
    public string? Response { get; init; }

    /// <summary>The key: what a right solution ends with. Only a wrong answer needs it.</summary>
    public string? Answer { get; init; }

    /// <summary>Where it comes from, for tables by source.</summary>
    public string Source { get; init; } = "";

    public string Category { get; init; } = "";
}

/// <summary>Why no pair was made.</summary>
public enum PairSkip
{
    /// <summary>Nothing whole was written, or not in the form that was asked for.</summary>
    Unparsed,

    /// <summary>What was written is the original again: the instruction unchanged, or the response.</summary>
    Same,

    /// <summary>No solution reaches the key.</summary>
    NoneRight,

    /// <summary>No solution ends with another answer than the key.</summary>
    NoneWrong,
}

/// <summary>What became of a source: a labelled pair, or the reason why there is none.</summary>
/// <param name="Id">The source's.</param>
/// <param name="Pair">Labelled A or B, the side drawn from seed and id; null where none could be made.</param>
/// <param name="Skip">Null where there is a pair.</param>
public sealed record BuiltPair(string Id, PreferencePair? Pair, PairSkip? Skip);

/// <summary>Makes preference pairs by having a rejected response written, as the J1 paper does.</summary>
public interface IPairBuilder
{
    /// <summary>A name for all that its pairs depend on, but for the sources: model, prompt, samples, seed.</summary>
    string Identity { get; }

    /// <summary>Makes a pair of each source. The same sources, in the same order, give the same pairs.</summary>
    /// <returns>One entry a source, in their order.</returns>
    /// <exception cref="DataException">A source lacks what is needed.</exception>
    Task<IReadOnlyList<BuiltPair>> BuildAsync(IReadOnlyList<PairSource> sources, CancellationToken cancellationToken = default);
}
