using System.Collections;
using System.Globalization;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Files;

/// <summary>The model's shape, read from GGUF metadata (<c>llama.block_count</c> and so on). What would change the computation and is not computed is refused by name.</summary>
internal sealed class GgufConfig
{
    private static readonly Dictionary<string, Architecture> s_supported = new()
    {
        ["llama"] = Architecture.Llama,
        ["qwen2"] = Architecture.Qwen2,
        ["qwen3"] = Architecture.Qwen3,
    };

    /// <summary>Keys that, when given and neither 0 nor their neutral value, ask for a computation that this engine does not do.</summary>
    private static readonly (string Key, double Neutral)[] s_unsupported =
    [
        ("expert_count", 0),
        ("logit_scale", 1),
        ("embedding_scale", 1),
        ("residual_scale", 1),
        ("attention.scale", 0),
        ("attn_logit_softcapping", 0),
        ("final_logit_softcapping", 0),
        ("attention.clamp_kqv", 0),
        ("attention.max_alibi_bias", 0),
        ("rope.scaling.attn_factor", 1),
    ];

    private readonly string _path;
    private readonly IReadOnlyDictionary<string, object> _metadata;
    private readonly string _architecture;

    private GgufConfig(string path, IReadOnlyDictionary<string, object> metadata)
    {
        _path = path;
        _metadata = metadata;
        _architecture = metadata.GetValueOrDefault("general.architecture") as string ?? throw Missing("general.architecture");
    }

    /// <summary>Factors are the values of <c>rope_freqs.weight</c> (what each frequency is divided by), or null.</summary>
    public static ModelConfig Read(string path, GgufHeader header, float[]? ropeFactors) =>
        new GgufConfig(path, header.Metadata).Read(header.Tensors, ropeFactors);

    private ModelConfig Read(Dictionary<string, GgufTensor> tensors, float[]? ropeFactors)
    {
        if (!s_supported.TryGetValue(_architecture, out var architecture))
            throw new ModelFileException(_path, $"the architecture '{_architecture}' is not one this engine computes", $"Supported: {string.Join(", ", s_supported.Keys)}.");
        if (_metadata.TryGetValue("split.count", out var parts) && Convert.ToInt32(parts, CultureInfo.InvariantCulture) > 1)
            throw new ModelFileException(_path, $"is one of {parts} parts of a model", "Join them with llama-gguf-split --merge.");
        foreach (var (key, neutral) in s_unsupported)
            if (Number(key) is { } value && value != 0 && value != neutral)
                throw Unsupported(key, value, "models without it");

        var hidden = Size("embedding_length");
        var heads = Size("attention.head_count");
        var context = Size("context_length");
        var headSize = Integer("attention.key_length") ?? hidden / heads;
        RequireEqual("attention.value_length", headSize);
        RequireEqual("rope.dimension_count", headSize);
        if (Integer("attention.sliding_window") is { } window && window > 0 && window < context)
            throw Unsupported("attention.sliding_window", window, "full attention");

        var config = new ModelConfig
        {
            Architecture = architecture,
            HiddenSize = hidden,
            IntermediateSize = Size("feed_forward_length"),
            LayerCount = Size("block_count"),
            HeadCount = heads,
            KeyValueHeadCount = Integer("attention.head_count_kv") ?? heads,
            HeadSize = headSize,
            VocabularySize = Vocabulary(tensors),
            ContextLength = context,
            RmsEpsilon = (float)(Number("attention.layer_norm_rms_epsilon") ?? throw Missing(Full("attention.layer_norm_rms_epsilon"))),
            Rope = Rope(headSize, ropeFactors),
            TieEmbeddings = !tensors.ContainsKey("output.weight"),
            BosToken = Token("bos_token_id"),
            PaddingToken = Token("padding_token_id"),
            EndTokens = [.. new[] { Token("eos_token_id"), Token("eot_token_id"), Token("eom_token_id") }.OfType<int>().Distinct()],
        };
        if (config.KeyValueHeadCount < 1 || heads % config.KeyValueHeadCount != 0)
            throw Wrong("attention.head_count_kv", config.KeyValueHeadCount, $"a divisor of the {heads} heads");
        if (headSize < 2 || headSize % 2 != 0)
            throw Wrong("attention.key_length", headSize, "an even number");
        return config;
    }

    /// <summary>The embedding's rows; the token list may be shorter (padding), not longer.</summary>
    private int Vocabulary(Dictionary<string, GgufTensor> tensors)
    {
        if (!tensors.TryGetValue("token_embd.weight", out var embedding) || embedding.Sizes.Count != 2)
            throw new ModelFileException(_path, "has no matrix 'token_embd.weight', the embedding", "Take a file that holds the whole model.");
        var rows = embedding.Sizes[1];
        if (_metadata.GetValueOrDefault("tokenizer.ggml.tokens") is ICollection tokens && tokens.Count > rows)
            throw new ModelFileException(_path, $"lists {tokens.Count} tokens, and the embedding 'token_embd.weight' has rows for {rows}", "Convert the model again.");
        return rows;
    }

    private RopeConfig Rope(int headSize, float[]? factors)
    {
        var plain = new RopeConfig { Theta = Number("rope.freq_base") ?? 10_000 };
        if (plain.Theta <= 0)
            throw Wrong("rope.freq_base", plain.Theta, "a number above 0");
        // Where a factor stands without a kind, linear is meant.
        var kind = _metadata.GetValueOrDefault(Full("rope.scaling.type")) as string ?? "linear";
        var factor = Number("rope.scaling.factor") ?? Number("rope.scale_linear") ?? 1;
        if (kind is not ("none" or "linear"))
            throw Unsupported("rope.scaling.type", $"'{kind}'", "none, linear, and Llama 3's factors in rope_freqs.weight");
        var linear = kind == "linear" && factor is not (0 or 1);
        if (factors is not null && factors.Any(value => value != 1))
        {
            if (linear)
                throw Unsupported("rope.scaling.factor", factor, "linear scaling or rope_freqs.weight, not both");
            return GgufRopeFactors.ToConfig(_path, plain, headSize, factors);
        }

        return linear ? plain with { Scaling = RopeScaling.Linear, Factor = factor } : plain;
    }

    private int? Token(string key)
    {
        if (!_metadata.TryGetValue("tokenizer.ggml." + key, out var value))
            return null;
        var id = ToNumber("tokenizer.ggml." + key, value);
        return id is >= 0 and < int.MaxValue ? (int)id : null; // some files write "none" as -1
    }

    private void RequireEqual(string key, int headSize)
    {
        if (Integer(key) is { } value && value != headSize)
            throw Unsupported(key, value, $"the head size, {headSize}");
    }

    private int Size(string key) => Integer(key) switch
    {
        null => throw Missing(Full(key)),
        > 0 and { } size => size,
        { } size => throw Wrong(key, size, "a number above 0"),
    };

    private int? Integer(string key) => Number(key) switch
    {
        null => null,
        { } value when value == Math.Truncate(value) && Math.Abs(value) <= int.MaxValue => (int)value,
        { } value => throw Wrong(key, value, "a whole number"),
    };

    /// <summary>A number; of a list (one entry a layer) the common one.</summary>
    private double? Number(string key)
    {
        if (!_metadata.TryGetValue(Full(key), out var value))
            return null;
        if (value is not Array list)
            return ToNumber(Full(key), value);
        var numbers = list.Cast<object>().Select(item => ToNumber(Full(key), item)).Distinct().ToList();
        return numbers.Count == 1 ? numbers[0] : throw Unsupported(key, "not the same for all layers", "one value for all layers");
    }

    private double ToNumber(string key, object value) => value is IConvertible and not string
        ? Convert.ToDouble(value, CultureInfo.InvariantCulture)
        : throw new ModelFileException(_path, $"the metadata key '{key}' is {value}; expected a number", "Convert the model again.");

    private string Full(string key) => _architecture + "." + key;

    private ModelFileException Missing(string key) => new(_path, $"has no metadata key '{key}'", "Convert the model again with a current llama.cpp.");

    private ModelFileException Wrong(string key, object found, string expected) =>
        new(_path, string.Create(CultureInfo.InvariantCulture, $"the metadata key '{Full(key)}' is {found}; expected {expected}"), "Convert the model again.");

    private ModelFileException Unsupported(string key, object found, string supported) =>
        new(_path, string.Create(CultureInfo.InvariantCulture, $"the metadata key '{Full(key)}' is {found}, which this engine does not compute"), $"Supported: {supported}. Use another model.");
}
