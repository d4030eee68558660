using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Files;

/// <summary>
/// Reads <c>config.json</c>: the layout with <c>rope_parameters</c>, the published one with <c>rope_theta</c> and <c>rope_scaling.rope_type</c>, and the old
/// one with <c>rope_scaling.type</c>. Absent fields take the defaults of the transformers library; what would change the computation and is not computed is refused by name.
/// </summary>
internal static class HuggingFaceConfig
{
    private static readonly (string Type, string Class, Architecture Architecture)[] s_supported =
    [
        ("llama", "LlamaForCausalLM", Architecture.Llama),
        ("qwen2", "Qwen2ForCausalLM", Architecture.Qwen2),
        ("qwen3", "Qwen3ForCausalLM", Architecture.Qwen3),
    ];

    /// <summary>How an architecture is named in <c>model_type</c> and <c>architectures</c>.</summary>
    public static (string Type, string Class) NameOf(Architecture architecture)
    {
        var (type, name, _) = s_supported.Single(row => row.Architecture == architecture);
        return (type, name);
    }

    public static ModelConfig Read(string folder)
    {
        var json = JsonSettings.Read(Path.Combine(folder, "config.json"));
        var generation = JsonSettings.ReadIfPresent(Path.Combine(folder, "generation_config.json"));
        var architecture = ReadArchitecture(json);
        RefuseUnsupported(json, architecture);

        var hidden = json.Size("hidden_size");
        var heads = json.Size("num_attention_heads");
        var layers = json.Size("num_hidden_layers");
        RefuseSlidingWindow(json, architecture, layers);
        var ends = generation?.Integers("eos_token_id") ?? [];
        var context = json.Size("max_position_embeddings");

        var config = new ModelConfig
        {
            Architecture = architecture,
            HiddenSize = hidden,
            IntermediateSize = json.Size("intermediate_size"),
            LayerCount = layers,
            HeadCount = heads,
            KeyValueHeadCount = json.Size("num_key_value_heads", json.Integer("num_key_value_heads") ?? heads),
            HeadSize = json.Size("head_dim", json.Integer("head_dim") ?? (architecture == Architecture.Qwen3 ? 128 : hidden / heads)),
            VocabularySize = json.Size("vocab_size"),
            ContextLength = context,
            RmsEpsilon = (float)json.PositiveNumber("rms_norm_eps", 1e-6),
            Rope = ReadRope(json, context),
            TieEmbeddings = json.Flag("tie_word_embeddings"),
            PaddingToken = json.Integers("pad_token_id").Select(id => (int?)id).FirstOrDefault(),
            BosToken = json.Integers("bos_token_id").Concat(generation?.Integers("bos_token_id") ?? []).Select(id => (int?)id).FirstOrDefault(),
            EndTokens = ends.Count > 0 ? ends : json.Integers("eos_token_id"),
        };
        CheckHeads(json, config);
        return config;
    }

    private static Architecture ReadArchitecture(JsonSettings json)
    {
        var classes = json.Texts("architectures");
        var type = json.Text("model_type");
        if (type is null && classes.Count == 0)
            throw json.Missing("model_type");
        foreach (var row in s_supported)
            if ((type is null || type == row.Type) && (classes.Count == 0 || classes.Contains(row.Class)))
                return row.Architecture;

        var known = s_supported.Any(row => row.Type == type);
        throw new ModelFileException(
            json.Path, $"the architecture '{(classes.Count > 0 && (known || type is null) ? classes[0] : type)}' (model_type '{type ?? "absent"}', architectures [{string.Join(", ", classes)}]) is not one this engine computes",
            $"Supported: {string.Join(", ", s_supported.Select(row => $"{row.Class} ({row.Type})"))}.");
    }

    private static void RefuseUnsupported(JsonSettings json, Architecture architecture)
    {
        if (json.Text("hidden_act") is { } activation and not ("silu" or "swish"))
            throw json.Unsupported("hidden_act", $"'{activation}'", "silu");
        // Qwen2 has its biases by definition and does not look at this field.
        if (architecture != Architecture.Qwen2 && json.Flag("attention_bias"))
            throw json.Unsupported("attention_bias", "true", "false (biases on q, k and v are computed for qwen2 only)");
        if (json.Flag("mlp_bias"))
            throw json.Unsupported("mlp_bias", "true", "false");
        if (json.Number("partial_rotary_factor") is { } part && part != 1)
            throw json.Unsupported("partial_rotary_factor", part, "1");
        if (json.Section("quantization_config") is { } quantization)
            throw json.Unsupported("quantization_config", $"'{quantization.Text("quant_method") ?? "present"}'", "F32, F16 and BF16 weights, or a GGUF file");
    }

    private static void RefuseSlidingWindow(JsonSettings json, Architecture architecture, int layers)
    {
        var kinds = json.Texts("layer_types");
        if (kinds.FirstOrDefault(kind => kind != "full_attention") is { } other)
            throw json.Unsupported("layer_types", $"'{other}' for some layers", "full_attention");
        if (architecture == Architecture.Llama || kinds.Count > 0)
            return;
        if (json.Flag("use_sliding_window") && json.Integer("sliding_window") is { } window && (json.Integer("max_window_layers") ?? 28) < layers)
            throw json.Unsupported("sliding_window", $"{window} and in use", "full attention (use_sliding_window false)");
    }

    private static RopeConfig ReadRope(JsonSettings json, int context)
    {
        var rope = json.Section("rope_parameters") ?? json.Section("rope_scaling");
        var theta = rope?.Has("rope_theta") == true ? rope.PositiveNumber("rope_theta") : json.PositiveNumber("rope_theta", 10_000);
        var plain = new RopeConfig { Theta = theta };
        if (rope is null)
            return plain;
        if (rope.Number("partial_rotary_factor") is { } part && part != 1)
            throw rope.Unsupported("partial_rotary_factor", part, "1");

        var field = rope.Has("rope_type") ? "rope_type" : "type";
        return rope.Text(field) switch
        {
            // A scaling without a kind is plain unless it says more than the base.
            null when rope.Present.All(given => given.Name is "rope_theta" or "partial_rotary_factor") => plain,
            null => throw rope.Missing("rope_type"),
            "default" => plain,
            "linear" => plain with { Scaling = RopeScaling.Linear, Factor = rope.PositiveNumber("factor") },
            "llama3" => Llama3(rope, plain, context),
            { } other => throw rope.Unsupported(field, $"'{other}'", "default, linear, llama3"),
        };
    }

    private static RopeConfig Llama3(JsonSettings rope, RopeConfig plain, int context)
    {
        var scaled = plain with
        {
            Scaling = RopeScaling.Llama3,
            Factor = rope.PositiveNumber("factor"),
            LowFrequencyFactor = rope.PositiveNumber("low_freq_factor"),
            HighFrequencyFactor = rope.PositiveNumber("high_freq_factor"),
            OriginalContextLength = rope.Size("original_max_position_embeddings", rope.Integer("original_max_position_embeddings") ?? context),
        };
        return scaled.HighFrequencyFactor > scaled.LowFrequencyFactor
            ? scaled
            : throw rope.Wrong("high_freq_factor", FormattableString.Invariant($"more than low_freq_factor ({scaled.LowFrequencyFactor})"), scaled.HighFrequencyFactor);
    }

    private static void CheckHeads(JsonSettings json, ModelConfig config)
    {
        if (!json.Has("head_dim") && config.Architecture != Architecture.Qwen3 && config.HiddenSize % config.HeadCount != 0)
            throw json.Wrong("num_attention_heads", $"a divisor of hidden_size ({config.HiddenSize}), or a head_dim beside it", config.HeadCount);
        if (config.HeadCount % config.KeyValueHeadCount != 0)
            throw json.Wrong("num_key_value_heads", $"a divisor of num_attention_heads ({config.HeadCount})", config.KeyValueHeadCount);
        if (config.HeadSize % 2 != 0)
            throw json.Wrong("head_dim", "an even number", config.HeadSize);
    }
}
