namespace J1.Engines.Managed.Models;

/// <summary>The decoder families this engine computes. All are pre-norm transformers with RMSNorm, rotary positions, SwiGLU and grouped-query attention.</summary>
public enum Architecture
{
    /// <summary>Llama 2 and 3 and what shares their layout (SmolLM2, TinyLlama, stories260K).</summary>
    Llama,

    /// <summary>Llama with biases on the query, key and value projections.</summary>
    Qwen2,

    /// <summary>Llama with an RMSNorm over each query and key head.</summary>
    Qwen3,
}

/// <summary>The shape of a decoder. The letters used in the numeric code are in brackets.</summary>
public sealed record ModelConfig
{
    public required Architecture Architecture { get; init; }

    /// <summary>Width of the residual stream (C).</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the feed-forward layer (F).</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Decoder layers (L).</summary>
    public required int LayerCount { get; init; }

    /// <summary>Query heads (H).</summary>
    public required int HeadCount { get; init; }

    /// <summary>Key and value heads (Hkv); divides <see cref="HeadCount"/>.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Width of a head (D); even. Not always HiddenSize / HeadCount.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Tokens in the vocabulary (V).</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The most positions the model was made for.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Added to the mean square in RMSNorm.</summary>
    public float RmsEpsilon { get; init; } = 1e-5f;

    public RopeConfig Rope { get; init; } = new();

    /// <summary>Whether the output head is the embedding itself (one tensor, one gradient).</summary>
    public bool TieEmbeddings { get; init; }

    /// <summary>Token put first by the model's own convention, where it has one.</summary>
    public int? BosToken { get; init; }

    /// <summary>Token that fills batches elsewhere; as in transformers, its row of the embedding learns nothing from being read. Null where the model names none.</summary>
    public int? PaddingToken { get; init; }

    /// <summary>Tokens that end a completion.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>Whether q, k and v projections carry biases.</summary>
    public bool HasAttentionBias => Architecture == Architecture.Qwen2;

    /// <summary>Whether query and key heads are normalised before rotation.</summary>
    public bool HasQueryKeyNorm => Architecture == Architecture.Qwen3;
}

/// <summary>Rotary position embedding (Su et al., 2021), on halves of a head as Hugging Face has it: element i is paired with i + D/2.</summary>
public sealed record RopeConfig
{
    public double Theta { get; init; } = 10_000;

    public RopeScaling Scaling { get; init; } = RopeScaling.None;

    /// <summary>Linear: positions are divided by it. Llama 3: low frequencies are.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Llama 3 only.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary>Llama 3 only.</summary>
    public double HighFrequencyFactor { get; init; } = 4;

    /// <summary>Llama 3 only: the context length before scaling.</summary>
    public int OriginalContextLength { get; init; } = 8192;
}

public enum RopeScaling
{
    None,
    Linear,
    Llama3,
}
