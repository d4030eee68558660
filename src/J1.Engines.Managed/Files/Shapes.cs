using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Files;

/// <summary>Which tensors a decoder has, under their Hugging Face names. C, F, H, Hkv, D, V as in <see cref="ModelConfig"/>.</summary>
internal static class Shapes
{
    public const string Embedding = "model.embed_tokens.weight";
    public const string Head = "lm_head.weight";
    public const string FinalNorm = "model.norm.weight";

    /// <summary>Every tensor of the model; a tied head is not listed.</summary>
    public static IEnumerable<TensorInfo> Of(ModelConfig config)
    {
        var (c, f, d, v) = (config.HiddenSize, config.IntermediateSize, config.HeadSize, config.VocabularySize);
        int queries = config.HeadCount * d, keys = config.KeyValueHeadCount * d;

        yield return new TensorInfo(Embedding, [v, c]);
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            var name = $"model.layers.{layer}.";
            yield return new TensorInfo(name + "input_layernorm.weight", [c]);
            yield return new TensorInfo(name + "self_attn.q_proj.weight", [queries, c]);
            yield return new TensorInfo(name + "self_attn.k_proj.weight", [keys, c]);
            yield return new TensorInfo(name + "self_attn.v_proj.weight", [keys, c]);
            if (config.HasAttentionBias)
            {
                yield return new TensorInfo(name + "self_attn.q_proj.bias", [queries]);
                yield return new TensorInfo(name + "self_attn.k_proj.bias", [keys]);
                yield return new TensorInfo(name + "self_attn.v_proj.bias", [keys]);
            }

            if (config.HasQueryKeyNorm)
            {
                yield return new TensorInfo(name + "self_attn.q_norm.weight", [d]);
                yield return new TensorInfo(name + "self_attn.k_norm.weight", [d]);
            }

            yield return new TensorInfo(name + "self_attn.o_proj.weight", [c, queries]);
            yield return new TensorInfo(name + "post_attention_layernorm.weight", [c]);
            yield return new TensorInfo(name + "mlp.gate_proj.weight", [f, c]);
            yield return new TensorInfo(name + "mlp.up_proj.weight", [f, c]);
            yield return new TensorInfo(name + "mlp.down_proj.weight", [c, f]);
        }

        yield return new TensorInfo(FinalNorm, [c]);
        if (!config.TieEmbeddings)
            yield return new TensorInfo(Head, [v, c]);
    }

    /// <summary>Throws, naming tensor, file, found and expected, unless the file holds exactly the model's tensors; <paramref name="ignored"/> says which others may be there.</summary>
    public static void Check(string file, string configFile, ModelConfig config, IReadOnlyDictionary<string, TensorInfo> found, Func<string, bool> ignored)
    {
        // One at a time: a damaged configuration may ask for a billion layers, and the first that is missing ends it.
        var expected = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in Of(config))
        {
            expected.Add(tensor.Name);
            if (!found.TryGetValue(tensor.Name, out var there))
                throw new ModelFileException(file, $"has no tensor '{tensor.Name}'; {configFile} asks for one of shape {Text(tensor.Shape)}", "Take weights and configuration from the same model.");
            if (!there.Shape.SequenceEqual(tensor.Shape))
                throw new ModelFileException(file, $"tensor '{tensor.Name}' has shape {Text(there.Shape)}; {configFile} asks for {Text(tensor.Shape)}", "Take weights and configuration from the same model.");
        }

        foreach (var name in found.Keys)
            if (!expected.Contains(name) && !ignored(name))
                throw new ModelFileException(
                    file, $"has a tensor '{name}' of shape {Text(found[name].Shape)}, which a {config.Architecture} model as {configFile} describes it does not have",
                    "Its effect would be lost, so the model is refused: use one of a supported architecture.");
    }

    public static string Text(IEnumerable<int> shape) => $"[{string.Join(", ", shape)}]";
}
