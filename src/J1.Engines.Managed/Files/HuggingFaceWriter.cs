using System.Globalization;
using System.Text;
using System.Text.Json;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Files;

/// <summary>Writes a model folder that Python's transformers (and <see cref="HuggingFaceFolder"/>) reads.</summary>
public static class HuggingFaceWriter
{
    /// <summary>
    /// Writes <c>model.safetensors</c> (float32), <c>tokenizer.json</c> where its text is given, <c>generation_config.json</c> and <c>config.json</c> into
    /// <paramref name="folder"/>, which is made where it is missing; other files in it stay. All are written in full before the first replaces an older one.
    /// </summary>
    /// <param name="folder">Where to.</param>
    /// <param name="config">The model's shape.</param>
    /// <param name="tensors">Exactly the tensors of that shape (no head where it is tied).</param>
    /// <param name="read">Gives a tensor's values.</param>
    /// <param name="tokenizerJson">The text of <c>tokenizer.json</c>, or null to write none.</param>
    /// <exception cref="ModelFileException">The tensors are not those of the configuration, or a file could not be written (a full disk, say); the older files stay.</exception>
    public static void Save(string folder, ModelConfig config, IEnumerable<TensorInfo> tensors, TensorReader read, string? tokenizerJson = null) =>
        Save(folder, config, tensors, read, tokenizerJson, create: null);

    internal static void Save(string folder, ModelConfig config, IEnumerable<TensorInfo> tensors, TensorReader read, string? tokenizerJson, Func<string, Stream>? create)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(read);
        var known = tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        var weights = Path.Combine(folder, "model.safetensors");
        Shapes.Check(weights, "the configuration given", config, known, _ => false);

        AtomicFiles.CreateFolder(folder);
        using var files = new AtomicFiles(create);
        files.Add(weights, stream => SafetensorsWriter.Write(stream, known.Values, read, SafetensorsType.F32));
        if (tokenizerJson is not null)
            files.Add(Path.Combine(folder, "tokenizer.json"), stream => stream.Write(Encoding.UTF8.GetBytes(tokenizerJson)));
        files.Add(Path.Combine(folder, "generation_config.json"), stream => JsonWriting.WriteObject(stream, json => WriteGeneration(json, config)));
        // Last, for a folder without it is not yet a model.
        files.Add(Path.Combine(folder, "config.json"), stream => JsonWriting.WriteObject(stream, json => WriteConfig(json, config)));
        files.Commit();
    }

    private static void WriteConfig(Utf8JsonWriter json, ModelConfig config)
    {
        var (type, name) = HuggingFaceConfig.NameOf(config.Architecture);
        json.WriteTexts("architectures", [name]);
        if (config.Architecture != Architecture.Qwen2)
            json.WriteBoolean("attention_bias", false);
        json.WriteFloat("attention_dropout", 0);
        WriteTokens(json, config);
        json.WriteNumber("head_dim", config.HeadSize);
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteFloat("initializer_range", 0.02);
        json.WriteNumber("intermediate_size", config.IntermediateSize);
        json.WriteNumber("max_position_embeddings", config.ContextLength);
        if (config.Architecture == Architecture.Llama)
            json.WriteBoolean("mlp_bias", false);
        json.WriteString("model_type", type);
        json.WriteNumber("num_attention_heads", config.HeadCount);
        json.WriteNumber("num_hidden_layers", config.LayerCount);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeadCount);
        if (config.PaddingToken is { } padding)
            json.WriteNumber("pad_token_id", padding);
        // The shortest decimal that is this float32: 1e-05, not 9.99999974e-06.
        json.WriteFloat("rms_norm_eps", double.Parse(config.RmsEpsilon.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture));
        WriteRope(json, config.Rope);
        if (config.Architecture != Architecture.Llama)
        {
            json.WriteNull("sliding_window");
            json.WriteBoolean("use_sliding_window", false);
            json.WriteNumber("max_window_layers", config.LayerCount);
        }

        json.WriteBoolean("tie_word_embeddings", config.TieEmbeddings);
        json.WriteString("torch_dtype", "float32");
        json.WriteBoolean("use_cache", true);
        json.WriteNumber("vocab_size", config.VocabularySize);
    }

    private static void WriteRope(Utf8JsonWriter json, RopeConfig rope)
    {
        json.WriteFloat("rope_theta", rope.Theta);
        if (rope.Scaling == RopeScaling.None)
        {
            json.WriteNull("rope_scaling");
            return;
        }

        json.WriteStartObject("rope_scaling");
        json.WriteFloat("factor", rope.Factor);
        if (rope.Scaling == RopeScaling.Llama3)
        {
            json.WriteFloat("high_freq_factor", rope.HighFrequencyFactor);
            json.WriteFloat("low_freq_factor", rope.LowFrequencyFactor);
            json.WriteNumber("original_max_position_embeddings", rope.OriginalContextLength);
        }

        json.WriteString("rope_type", rope.Scaling == RopeScaling.Llama3 ? "llama3" : "linear");
        json.WriteEndObject();
    }

    private static void WriteGeneration(Utf8JsonWriter json, ModelConfig config)
    {
        WriteTokens(json, config);
        if (config.EndTokens.Count > 0)
            json.WriteNumber("pad_token_id", config.EndTokens[^1]);
    }

    private static void WriteTokens(Utf8JsonWriter json, ModelConfig config)
    {
        if (config.BosToken is { } bos)
            json.WriteNumber("bos_token_id", bos);
        else
            json.WriteNull("bos_token_id");
        switch (config.EndTokens)
        {
            case []:
                json.WriteNull("eos_token_id");
                break;
            case [var only]:
                json.WriteNumber("eos_token_id", only);
                break;
            default:
                json.WriteStartArray("eos_token_id");
                foreach (var id in config.EndTokens)
                    json.WriteNumberValue(id);
                json.WriteEndArray();
                break;
        }
    }
}
