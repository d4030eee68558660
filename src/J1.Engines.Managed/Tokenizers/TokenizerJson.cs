using System.Text.Json;

namespace J1.Engines.Managed.Tokenizers;

/// <summary>Reads the JSON of Hugging Face's tokenizers library, part by part; <paramref name="path"/> is for error messages.</summary>
internal sealed class TokenizerJson(string path)
{
    private const string SpaceMark = "▁";

    public TokenizerDescription Read(JsonElement root)
    {
        var model = Required(root, "model");
        if (TypeOf(model) is not ("BPE" or ""))
            throw Unknown("model", TypeOf(model));
        Refuse(model, "continuing_subword_prefix", "end_of_word_suffix");
        if (model.TryGetProperty("dropout", out var dropout) && dropout.ValueKind == JsonValueKind.Number && dropout.GetDouble() > 0)
            throw new InvalidDataException($"{path}: the model has a dropout, which makes tokens random; set it to null.");

        var kind = Flag(model, "byte_fallback") ? VocabularyKind.SentencePiece : VocabularyKind.ByteLevel;
        var added = ReadAdded(root);
        var tokens = ReadVocabulary(Required(model, "vocab"), added);
        var ids = new Dictionary<string, int>(tokens.Length, StringComparer.Ordinal);
        for (var id = 0; id < tokens.Length; id++)
            ids.TryAdd(tokens[id], id);

        var description = new TokenizerDescription
        {
            Kind = kind,
            IgnoresMerges = Flag(model, "ignore_merges"),
            Tokens = tokens,
            Merges = ReadMerges(Required(model, "merges"), ids),
            Added = added,
            UnknownToken = model.TryGetProperty("unk_token", out var unknown) && unknown.GetString() is { } name && ids.TryGetValue(name, out var id2) ? id2 : null,
            Chat = ChatFormat.Plain,
        };
        foreach (var normalizer in Parts(root, "normalizer", "normalizers"))
            description = WithNormalizer(description, normalizer);
        description = WithPreTokenizer(description, [.. Parts(root, "pre_tokenizer", "pretokenizers")]);
        foreach (var processor in Parts(root, "post_processor", "processors"))
            description = WithPostProcessor(description, processor, ids);
        foreach (var decoder in Parts(root, "decoder", "decoders"))
            description = WithDecoder(description, decoder);
        return description;
    }

    private string[] ReadVocabulary(JsonElement vocabulary, AddedToken[] added)
    {
        var size = added.Select(token => token.Id + 1).DefaultIfEmpty(0).Max();
        foreach (var entry in vocabulary.EnumerateObject())
            size = Math.Max(size, entry.Value.GetInt32() + 1);
        var tokens = new string[size];
        Array.Fill(tokens, "");
        foreach (var entry in vocabulary.EnumerateObject())
        {
            var id = entry.Value.GetInt32();
            if (id < 0)
                throw new InvalidDataException($"{path}: the token '{entry.Name}' has the negative id {id}.");
            tokens[id] = entry.Name;
        }
        foreach (var token in added)
            tokens[token.Id] = token.Content;
        return tokens;
    }

    private MergeRule[] ReadMerges(JsonElement merges, Dictionary<string, int> ids)
    {
        var rules = new MergeRule[merges.GetArrayLength()];
        var rank = 0;
        foreach (var merge in merges.EnumerateArray())
        {
            var (left, right) = merge.ValueKind == JsonValueKind.Array
                ? (merge[0].GetString()!, merge[1].GetString()!)
                : SplitMerge(merge.GetString()!, path);
            rules[rank] = Rule(left, right, rank, ids, path);
            rank++;
        }
        return rules;
    }

    /// <summary>The halves of a merge that is written as one string with a space between them.</summary>
    public static (string Left, string Right) SplitMerge(string merge, string source)
    {
        var space = merge.IndexOf(' ', Math.Min(1, merge.Length));
        return space > 0 ? (merge[..space], merge[(space + 1)..]) : throw new InvalidDataException($"{source}: the merge '{merge}' has no space between its halves.");
    }

    /// <summary>A merge by its tokens' names; each of the three must be in the vocabulary.</summary>
    public static MergeRule Rule(string left, string right, int rank, Dictionary<string, int> ids, string source)
    {
        return new MergeRule(IdOf(left), IdOf(right), IdOf(left + right), rank);

        int IdOf(string token) => ids.TryGetValue(token, out var id)
            ? id
            : throw new InvalidDataException($"{source}: merge {rank} ('{left}' and '{right}') needs the token '{token}', which the vocabulary lacks.");
    }

    private AddedToken[] ReadAdded(JsonElement root)
    {
        if (!root.TryGetProperty("added_tokens", out var list) || list.ValueKind != JsonValueKind.Array)
            return [];
        return [.. list.EnumerateArray().Select(entry =>
        {
            var content = Required(entry, "content").GetString()!;
            if (Flag(entry, "single_word"))
                throw new InvalidDataException($"{path}: the added token '{content}' is for single words only, which is not supported; set its single_word to false.");
            return new AddedToken(Required(entry, "id").GetInt32(), content, Flag(entry, "special"), Flag(entry, "lstrip"), Flag(entry, "rstrip"));
        })];
    }

    private TokenizerDescription WithNormalizer(TokenizerDescription description, JsonElement normalizer)
    {
        switch (TypeOf(normalizer))
        {
            case "NFC":
                return description with { Composes = true };
            case "Prepend" when description.Kind == VocabularyKind.SentencePiece && Text(normalizer, "prepend") == SpaceMark:
                return description with { SpacePrefix = SpacePrefix.Every };
            case "Replace" when description.Kind == VocabularyKind.SentencePiece && Pattern(normalizer) == " " && Text(normalizer, "content") == SpaceMark:
                return description;
            default:
                throw Unknown("normalizer", normalizer.GetRawText());
        }
    }

    private TokenizerDescription WithPreTokenizer(TokenizerDescription description, JsonElement[] parts)
    {
        if (description.Kind == VocabularyKind.SentencePiece)
        {
            foreach (var part in parts)
            {
                if (TypeOf(part) != "Metaspace" || Text(part, "replacement") != SpaceMark || !IsFalse(part, "split"))
                    throw Unknown("pre_tokenizer", part.GetRawText());
                description = description with
                {
                    SpacePrefix = Text(part, "prepend_scheme") switch
                    {
                        "first" => SpacePrefix.FirstWithout,
                        "never" => SpacePrefix.None,
                        _ => SpacePrefix.EveryWithout,
                    },
                };
            }
            return description with { PreTokenizer = PreTokenizerKind.None };
        }

        if (parts.Length == 0 || TypeOf(parts[^1]) != "ByteLevel" || Flag(parts[^1], "add_prefix_space"))
            throw Unknown("pre_tokenizer", parts.Length == 0 ? "none, for a byte-level vocabulary" : parts[^1].GetRawText());
        var usesOwnPattern = !IsFalse(parts[^1], "use_regex");
        var kind = parts[..^1] switch
        {
            [] when usesOwnPattern => PreTokenizerKind.Gpt2,
            [var digits] when usesOwnPattern && TypeOf(digits) == "Digits" && Flag(digits, "individual_digits") => PreTokenizerKind.SmolLm,
            [var split] when !usesOwnPattern && TypeOf(split) == "Split" && Text(split, "behavior") == "Isolated" && !Flag(split, "invert") => Pattern(split) switch
            {
                PreTokenizer.Gpt2Pattern => PreTokenizerKind.Gpt2,
                PreTokenizer.Llama3Pattern => PreTokenizerKind.Llama3,
                PreTokenizer.Qwen2Pattern => PreTokenizerKind.Qwen2,
                _ => throw Unknown("pre_tokenizer", split.GetRawText()),
            },
            _ => throw Unknown("pre_tokenizer", string.Join(", ", parts.Select(part => part.GetRawText()))),
        };
        return description with { PreTokenizer = kind };
    }

    private TokenizerDescription WithPostProcessor(TokenizerDescription description, JsonElement processor, Dictionary<string, int> ids)
    {
        switch (TypeOf(processor))
        {
            case "ByteLevel":
                return description; // it moves offsets, which nobody asks for here
            case "TemplateProcessing":
                var (prefix, suffix) = (new List<int>(), new List<int>());
                var seenText = false;
                foreach (var part in Required(processor, "single").EnumerateArray())
                {
                    if (part.TryGetProperty("Sequence", out _))
                        seenText = true;
                    else
                        (seenText ? suffix : prefix).AddRange(SpecialIds(Required(Required(part, "SpecialToken"), "id").GetString()!));
                }
                return description with { Prefix = prefix, Suffix = suffix };
            default:
                throw Unknown("post_processor", processor.GetRawText());
        }

        IEnumerable<int> SpecialIds(string name)
        {
            if (processor.TryGetProperty("special_tokens", out var table) && table.TryGetProperty(name, out var entry))
                return Required(entry, "ids").EnumerateArray().Select(id => id.GetInt32());
            return ids.TryGetValue(name, out var single) ? [single] : throw new InvalidDataException($"{path}: the post-processor names the token '{name}', which the vocabulary lacks.");
        }
    }

    private TokenizerDescription WithDecoder(TokenizerDescription description, JsonElement decoder)
    {
        var isSentencePiece = description.Kind == VocabularyKind.SentencePiece;
        switch (TypeOf(decoder))
        {
            case "ByteLevel" when !isSentencePiece:
            case "ByteFallback" or "Fuse" when isSentencePiece:
            case "Replace" when isSentencePiece && Pattern(decoder) == SpaceMark && Text(decoder, "content") == " ":
                return description;
            case "Strip" when isSentencePiece && Text(decoder, "content") == " " && Required(decoder, "stop").GetInt32() == 0:
                return description with { StripsLeadingSpace = Required(decoder, "start").GetInt32() > 0 };
            default:
                throw Unknown("decoder", decoder.GetRawText());
        }
    }

    /// <summary>A part that may be absent, single, or a sequence of its kind, as a flat list.</summary>
    private static IEnumerable<JsonElement> Parts(JsonElement root, string name, string listName)
    {
        if (!root.TryGetProperty(name, out var part) || part.ValueKind == JsonValueKind.Null)
            return [];
        return Flatten(part);

        IEnumerable<JsonElement> Flatten(JsonElement element) =>
            TypeOf(element) == "Sequence" ? Required(element, listName).EnumerateArray().SelectMany(Flatten) : [element];
    }

    private void Refuse(JsonElement element, params string[] names)
    {
        foreach (var name in names)
            if (Text(element, name) is { Length: > 0 } value)
                throw new InvalidDataException($"{path}: the model's {name} '{value}' is not supported.");
    }

    private InvalidDataException Unknown(string part, string found) => new(
        $"{path}: the {part} {(found.Length > 400 ? found[..400] + "..." : found)} is not one that is computed here. " +
        "Supported are the byte-level tokenizers of GPT-2, SmolLM, Llama 3 and Qwen2/3, and Llama 2's with byte fallback.");

    private static JsonElement Required(JsonElement element, string name) => element.TryGetProperty(name, out var value)
        ? value
        : throw new InvalidDataException($"tokenizer.json: '{name}' is missing in {(element.GetRawText() is { Length: > 120 } text ? text[..120] + "..." : element.GetRawText())}");

    private static string TypeOf(JsonElement element) => Text(element, "type") ?? "";

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool Flag(JsonElement element, string name) => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    private static bool IsFalse(JsonElement element, string name) => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.False;

    private static string? Pattern(JsonElement element) =>
        element.TryGetProperty("pattern", out var pattern) ? Text(pattern, "String") ?? Text(pattern, "Regex") : null;
}
