using System.Text.Encodings.Web;
using System.Text.Json;

namespace J1.Engines.Managed.Tokenizers;

/// <summary>Writes a tokenizer the way Hugging Face's libraries and <see cref="TokenizerReader.FromFolder"/> read it.</summary>
public static class TokenizerWriter
{
    private const string SpaceMark = "▁";

    /// <summary>
    /// Writes <c>tokenizer.json</c> and <c>tokenizer_config.json</c> (with the chat template) into <paramref name="folder"/>, which is made where it is missing, and
    /// <c>generation_config.json</c> with the end tokens where there is none yet.
    /// </summary>
    public static void Save(BpeTokenizer tokenizer, string folder)
    {
        Directory.CreateDirectory(folder);
        var description = tokenizer.Description;
        Write(Path.Combine(folder, "tokenizer.json"), json => WriteTokenizer(json, description));
        Write(Path.Combine(folder, "tokenizer_config.json"), json => WriteSettings(json, description));
        var generation = Path.Combine(folder, "generation_config.json");
        if (!File.Exists(generation) && description.EndTokens.Count > 0)
            Write(generation, json => WriteEndTokens(json, description));
    }

    private static void Write(string path, Action<Utf8JsonWriter> content)
    {
        using var file = File.Create(path);
        using var json = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        content(json);
        json.WriteEndObject();
    }

    private static void WriteSettings(Utf8JsonWriter json, TokenizerDescription description)
    {
        json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
        json.WriteBoolean("clean_up_tokenization_spaces", false);
        if (description.Prefix.Count > 0)
            json.WriteString("bos_token", description.Tokens[description.Prefix[0]]);
        if (description.EndTokens.Count > 0)
        {
            json.WriteString("eos_token", description.Tokens[description.EndTokens[0]]);
            json.WriteString("pad_token", description.Tokens[description.EndTokens[^1]]);
        }
        if (description.UnknownToken is { } unknown)
            json.WriteString("unk_token", description.Tokens[unknown]);
        if (description.ChatTemplate is not null)
            json.WriteString("chat_template", description.ChatTemplate);
    }

    private static void WriteEndTokens(Utf8JsonWriter json, TokenizerDescription description)
    {
        json.WriteStartArray("eos_token_id");
        foreach (var id in description.EndTokens)
            json.WriteNumberValue(id);
        json.WriteEndArray();
        json.WriteNumber("pad_token_id", description.EndTokens[^1]);
    }

    private static void WriteTokenizer(Utf8JsonWriter json, TokenizerDescription description)
    {
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteAdded(json, description);
        WriteNormalizer(json, description);
        WritePreTokenizer(json, description);
        WritePostProcessor(json, description);
        WriteDecoder(json, description);
        WriteModel(json, description);
    }

    private static void WriteAdded(Utf8JsonWriter json, TokenizerDescription description)
    {
        json.WriteStartArray("added_tokens");
        foreach (var token in description.Added)
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", false);
            json.WriteBoolean("lstrip", token.TakesSpaceBefore);
            json.WriteBoolean("rstrip", token.TakesSpaceAfter);
            json.WriteBoolean("normalized", false);
            json.WriteBoolean("special", token.IsControl);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteNormalizer(Utf8JsonWriter json, TokenizerDescription description)
    {
        var normalizers = new List<object>();
        if (description.Composes)
            normalizers.Add(new { type = "NFC" });
        if (description.Kind == VocabularyKind.SentencePiece)
        {
            if (description.SpacePrefix == SpacePrefix.Every)
                normalizers.Add(new { type = "Prepend", prepend = SpaceMark });
            normalizers.Add(new { type = "Replace", pattern = new { String = " " }, content = SpaceMark });
        }
        json.WritePropertyName("normalizer");
        Raw(json, normalizers switch { [] => null, [var one] => one, _ => new { type = "Sequence", normalizers } });
    }

    private static void WritePreTokenizer(Utf8JsonWriter json, TokenizerDescription description)
    {
        json.WritePropertyName("pre_tokenizer");
        if (description.Kind == VocabularyKind.SentencePiece)
        {
            var scheme = description.SpacePrefix switch { SpacePrefix.FirstWithout => "first", SpacePrefix.EveryWithout => "always", _ => null };
            Raw(json, scheme is null ? null : new { type = "Metaspace", replacement = SpaceMark, prepend_scheme = scheme, split = false });
            return;
        }
        object? split = description.PreTokenizer switch
        {
            PreTokenizerKind.SmolLm => new { type = "Digits", individual_digits = true },
            PreTokenizerKind.Llama3 => new { type = "Split", pattern = new { Regex = PreTokenizer.Llama3Pattern }, behavior = "Isolated", invert = false },
            PreTokenizerKind.Qwen2 => new { type = "Split", pattern = new { Regex = PreTokenizer.Qwen2Pattern }, behavior = "Isolated", invert = false },
            _ => null,
        };
        var usesOwnPattern = description.PreTokenizer is PreTokenizerKind.Gpt2 or PreTokenizerKind.SmolLm;
        object bytes = new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = usesOwnPattern };
        Raw(json, split is null ? bytes : new { type = "Sequence", pretokenizers = new[] { split, bytes } });
    }

    private static void WritePostProcessor(Utf8JsonWriter json, TokenizerDescription description)
    {
        json.WritePropertyName("post_processor");
        if (description.Prefix.Count + description.Suffix.Count == 0)
        {
            json.WriteNullValue();
            return;
        }
        var prefix = description.Prefix.Select(id => description.Tokens[id]).ToArray();
        var suffix = description.Suffix.Select(id => description.Tokens[id]).ToArray();
        object[] Around(string text) => [.. prefix.Select(Special), new { Sequence = new { id = text, type_id = 0 } }, .. suffix.Select(Special)];
        static object Special(string name) => new { SpecialToken = new { id = name, type_id = 0 } };
        var table = description.Prefix.Concat(description.Suffix).Distinct().ToDictionary(
            id => description.Tokens[id], id => (object)new { id = description.Tokens[id], ids = new[] { id }, tokens = new[] { description.Tokens[id] } });
        Raw(json, new { type = "TemplateProcessing", single = Around("A"), pair = Around("A").Concat(Around("B")), special_tokens = table });
    }

    private static void WriteDecoder(Utf8JsonWriter json, TokenizerDescription description)
    {
        json.WritePropertyName("decoder");
        if (description.Kind == VocabularyKind.ByteLevel)
        {
            Raw(json, new { type = "ByteLevel", add_prefix_space = true, trim_offsets = true, use_regex = true });
            return;
        }
        var decoders = new List<object>
        {
            new { type = "Replace", pattern = new { String = SpaceMark }, content = " " },
            new { type = "ByteFallback" },
            new { type = "Fuse" },
        };
        if (description.StripsLeadingSpace)
            decoders.Add(new { type = "Strip", content = " ", start = 1, stop = 0 });
        Raw(json, new { type = "Sequence", decoders });
    }

    private static void WriteModel(Utf8JsonWriter json, TokenizerDescription description)
    {
        var isSentencePiece = description.Kind == VocabularyKind.SentencePiece;
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WritePropertyName("unk_token");
        json.WriteStringValue(isSentencePiece && description.UnknownToken is { } unknown ? description.Tokens[unknown] : null);
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", isSentencePiece);
        json.WriteBoolean("byte_fallback", isSentencePiece);
        json.WriteBoolean("ignore_merges", description.IgnoresMerges);
        json.WriteStartObject("vocab");
        var written = new HashSet<string>(StringComparer.Ordinal) { "" };
        for (var id = 0; id < description.Tokens.Count; id++)
            if (written.Add(description.Tokens[id]))
                json.WriteNumber(description.Tokens[id], id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var merge in description.Merges.OrderBy(merge => merge.Rank))
            Raw(json, new[] { description.Tokens[merge.Left], description.Tokens[merge.Right] });
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static readonly JsonSerializerOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = true, NewLine = "\n" };

    private static void Raw(Utf8JsonWriter json, object? value) => JsonSerializer.Serialize(json, value, s_options);
}
