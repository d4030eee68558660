using J1.Engines.Managed;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed;

/// <summary>One small shape an architecture, with sizes that are no multiples of a vector.</summary>
internal static class TinyModels
{
    public static ModelConfig Llama { get; } = new()
    {
        Architecture = Architecture.Llama,
        HiddenSize = 28,
        IntermediateSize = 43,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 6,
        VocabularySize = 37,
        ContextLength = 48,
        EndTokens = [0],
    };

    /// <summary>Biases on q, k and v; the head is the embedding.</summary>
    public static ModelConfig Qwen2 { get; } = Llama with { Architecture = Architecture.Qwen2, HiddenSize = 21, HeadCount = 3, KeyValueHeadCount = 1, HeadSize = 10, TieEmbeddings = true };

    /// <summary>Norms on query and key heads.</summary>
    public static ModelConfig Qwen3 { get; } = Llama with { Architecture = Architecture.Qwen3, HeadSize = 18, Rope = new RopeConfig { Scaling = RopeScaling.Linear, Factor = 2 } };

    public static ManagedEngine Open(ModelConfig config, ulong seed, EngineOptions? options = null) =>
        ManagedEngine.Open(config, new RandomWeights(config, seed), new IdTokenizer(config.VocabularySize, config.EndTokens), options);
}
