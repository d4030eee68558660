using System.Text.Json;

namespace J1.Engines.Managed.Files;

/// <summary>The settings of a LoRA adapter, as <c>adapter_config.json</c> has them.</summary>
public sealed record PeftConfig
{
    /// <summary>Every matrix that can carry an adapter.</summary>
    public static IReadOnlyList<string> AllModules { get; } = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>Rows of A and columns of B.</summary>
    public required int Rank { get; init; }

    /// <summary>The adapter is scaled by Alpha / Rank, or by Alpha / sqrt(Rank) when <see cref="RankStabilized"/>.</summary>
    public required float Alpha { get; init; }

    /// <summary>rsLoRA. Default false.</summary>
    public bool RankStabilized { get; init; }

    /// <summary>The matrices that carry an adapter, in the order of <see cref="AllModules"/>.</summary>
    public required IReadOnlyList<string> TargetModules { get; init; }

    /// <summary>The base model's name or path, for whoever loads the adapter; null where it is not said.</summary>
    public string? BaseModel { get; init; }
}

/// <summary>Reads and writes <c>adapter_config.json</c>.</summary>
internal static class PeftConfigFile
{
    /// <summary>Fields that a plain adapter may fill without another computation: names, training-time settings, and settings of what is switched off.</summary>
    private static readonly HashSet<string> s_harmless = new(StringComparer.Ordinal)
    {
        "peft_type", "task_type", "r", "lora_alpha", "use_rslora", "target_modules", "base_model_name_or_path", "bias", "init_lora_weights",
        "auto_mapping", "inference_mode", "lora_dropout", "peft_version", "revision", "megatron_core", "qalora_group_size", "layers_pattern", "runtime_config",
    };

    public static PeftConfig Read(string path)
    {
        var json = JsonSettings.Read(path);
        Require(json, "peft_type", "LORA", json.Text("peft_type") ?? throw json.Missing("peft_type"));
        Require(json, "task_type", "CAUSAL_LM", json.Text("task_type") ?? "CAUSAL_LM");
        Require(json, "bias", "none", json.Text("bias") ?? "none");
        if (json.Find("init_lora_weights") is { ValueKind: JsonValueKind.String } start && start.GetString() is not ("gaussian" or "orthogonal" or "eva"))
            throw json.Unsupported("init_lora_weights", start, "starts that leave the base weights as they are (true, false, gaussian, orthogonal, eva)");
        foreach (var (name, value) in json.Present)
            if (!s_harmless.Contains(name) && IsInUse(value))
                throw json.Unsupported(name, value, "plain LoRA and rsLoRA, the same rank for all matrices of all layers");

        return new PeftConfig
        {
            Rank = json.Size("r"),
            Alpha = (float)json.PositiveNumber("lora_alpha"),
            RankStabilized = json.Flag("use_rslora"),
            TargetModules = Modules(json),
            BaseModel = json.Text("base_model_name_or_path"),
        };
    }

    public static void Write(Stream stream, PeftConfig config) => JsonWriting.WriteObject(stream, json =>
    {
        json.WriteStartObject("alpha_pattern");
        json.WriteEndObject();
        json.WriteNull("auto_mapping");
        json.WriteString("base_model_name_or_path", config.BaseModel);
        json.WriteString("bias", "none");
        json.WriteBoolean("fan_in_fan_out", false);
        json.WriteBoolean("inference_mode", true);
        json.WriteBoolean("init_lora_weights", true);
        json.WriteNulls("layers_pattern", "layers_to_transform");
        if (config.Alpha == MathF.Truncate(config.Alpha))
            json.WriteNumber("lora_alpha", (long)config.Alpha);
        else
            json.WriteNumber("lora_alpha", config.Alpha);
        json.WriteFloat("lora_dropout", 0);
        json.WriteNull("modules_to_save");
        json.WriteString("peft_type", "LORA");
        json.WriteNumber("r", config.Rank);
        json.WriteStartObject("rank_pattern");
        json.WriteEndObject();
        json.WriteNull("revision");
        json.WriteTexts("target_modules", config.TargetModules);
        json.WriteString("task_type", "CAUSAL_LM");
        json.WriteBoolean("use_dora", false);
        json.WriteBoolean("use_rslora", config.RankStabilized);
    });

    private static IReadOnlyList<string> Modules(JsonSettings json)
    {
        if (json.Find("target_modules") is not { } given)
            throw json.Missing("target_modules");
        if (given.ValueKind == JsonValueKind.String && given.GetString() != "all-linear")
            throw json.Unsupported("target_modules", given, $"a list of {string.Join(", ", PeftConfig.AllModules)}");
        var named = given.ValueKind == JsonValueKind.String ? PeftConfig.AllModules : json.Texts("target_modules");
        if (named.FirstOrDefault(module => !PeftConfig.AllModules.Contains(module)) is { } unknown)
            throw json.Unsupported("target_modules", $"'{unknown}' among others", string.Join(", ", PeftConfig.AllModules));
        return named.Count > 0 ? [.. PeftConfig.AllModules.Where(named.Contains)] : throw json.Wrong("target_modules", "at least one module", "empty");
    }

    private static void Require(JsonSettings json, string name, string expected, string found)
    {
        if (found != expected)
            throw json.Unsupported(name, $"'{found}'", $"'{expected}'");
    }

    private static bool IsInUse(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => false,
        JsonValueKind.Array => value.GetArrayLength() > 0,
        JsonValueKind.Object => value.EnumerateObject().Any(),
        JsonValueKind.String => value.GetString() != "",
        _ => true,
    };
}
