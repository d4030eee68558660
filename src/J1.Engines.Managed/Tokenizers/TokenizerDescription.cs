namespace J1.Engines.Managed.Tokenizers;

/// <summary>What the symbols of a vocabulary are.</summary>
internal enum VocabularyKind
{
    /// <summary>Bytes, written in <see cref="ByteAlphabet"/> (GPT-2, Llama 3, Qwen).</summary>
    ByteLevel,

    /// <summary>Characters with spaces as <c>▁</c>, and <c>&lt;0xNN&gt;</c> for the bytes of characters outside the vocabulary (Llama 2).</summary>
    SentencePiece,
}

/// <summary>Where the mark for a space is put before text that is to be encoded.</summary>
internal enum SpacePrefix
{
    None,

    /// <summary>Before every stretch of text between control tokens (Hugging Face's normalizer Prepend).</summary>
    Every,

    /// <summary>The same, but not before a stretch that brings its own space (Metaspace, always).</summary>
    EveryWithout,

    /// <summary>Only at the beginning of the text, and not where it brings its own space (Metaspace, first).</summary>
    FirstWithout,
}

/// <summary>All there is to a tokenizer, whichever file it came from; what the readers make and the writer writes.</summary>
internal sealed record TokenizerDescription
{
    public required VocabularyKind Kind { get; init; }

    public PreTokenizerKind PreTokenizer { get; init; }

    /// <summary>Whether text is first brought into Unicode's composed form, NFC.</summary>
    public bool Composes { get; init; }

    /// <summary>Whether a piece that is in the vocabulary is taken whole, even where merges would not build it.</summary>
    public bool IgnoresMerges { get; init; }

    public SpacePrefix SpacePrefix { get; init; }

    /// <summary>Whether decoding drops one space at the front (the one <see cref="SpacePrefix"/> put there).</summary>
    public bool StripsLeadingSpace { get; init; }

    /// <summary>The vocabulary by id, as it is written in its file; empty where an id has no token.</summary>
    public required IReadOnlyList<string> Tokens { get; init; }

    public required IReadOnlyList<MergeRule> Merges { get; init; }

    public IReadOnlyList<AddedToken> Added { get; init; } = [];

    /// <summary>Tokens that the model's own convention puts before any text.</summary>
    public IReadOnlyList<int> Prefix { get; init; } = [];

    /// <summary>Tokens that the model's own convention puts after any text.</summary>
    public IReadOnlyList<int> Suffix { get; init; } = [];

    public IReadOnlyList<int> EndTokens { get; init; } = [];

    public int? UnknownToken { get; init; }

    public required ChatFormat Chat { get; init; }

    /// <summary>The template as the model's files spell it, if they do.</summary>
    public string? ChatTemplate { get; init; }
}
