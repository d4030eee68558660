using System.Text.Json;

namespace J1.Engines.Managed.Tokenizers;

/// <summary>
/// Reads tokenizers: from a Hugging Face folder (<c>tokenizer.json</c> and what lies beside it) or from GGUF metadata.
/// What a file asks for and this project does not compute is refused by name.
/// </summary>
public static partial class TokenizerReader
{
    /// <summary>Whether <see cref="FromFolder"/> would find a tokenizer in this folder.</summary>
    public static bool HasTokenizer(string folder) => File.Exists(Path.Combine(folder, "tokenizer.json"));

    /// <summary>
    /// Reads <c>tokenizer.json</c>; end tokens come from <c>generation_config.json</c>, <c>config.json</c> and <c>tokenizer_config.json</c>, the chat format from
    /// <c>chat_template.jinja</c> or <c>tokenizer_config.json</c> unless <paramref name="chat"/> chooses one. Throws <see cref="InvalidDataException"/> for what is malformed or not computed here.
    /// </summary>
    public static BpeTokenizer FromFolder(string folder, ChatFormat? chat = null)
    {
        var path = Path.Combine(folder, "tokenizer.json");
        if (!File.Exists(path))
            throw new FileNotFoundException($"{folder} has no tokenizer.json. Copy it from the model's repository, or convert its tokenizer.model with Hugging Face's tools.", path);
        using var document = Open(path);
        var description = new TokenizerJson(path).Read(document.RootElement);

        using var settings = OpenIfPresent(folder, "tokenizer_config.json");
        using var generation = OpenIfPresent(folder, "generation_config.json");
        using var model = OpenIfPresent(folder, "config.json");
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var id = 0; id < description.Tokens.Count; id++)
            ids.TryAdd(description.Tokens[id], id);

        var ends = new List<int>();
        AddEndIds(generation, ends);
        AddEndIds(model, ends);
        if (TokenName(settings, "eos_token") is { } end && ids.TryGetValue(end, out var endId))
            ends.Add(endId);

        var template = ChatTemplate(folder, settings);
        return Finish(description with { ChatTemplate = template, EndTokens = ends }, ids, chat);
    }

    /// <summary>Settles the chat format and what follows from it: its control tokens are control tokens, and the end of a turn ends a completion.</summary>
    private static BpeTokenizer Finish(TokenizerDescription description, Dictionary<string, int> ids, ChatFormat? chat)
    {
        var template = chat is null ? description.ChatTemplate : chat.Template;
        chat ??= ChatFormat.Detect(template, ids.ContainsKey);
        var ends = new List<int>(description.EndTokens);
        if (chat.EndOfTurn is { } name && ids.TryGetValue(name, out var endOfTurn))
            ends.Add(endOfTurn);

        var added = description.Added.ToDictionary(token => token.Id);
        var controls = chat.ControlTokens.Where(ids.ContainsKey).Select(token => ids[token])
            .Concat(ends).Concat(description.Prefix).Concat(description.Suffix)
            .Where(id => id >= 0 && id < description.Tokens.Count);
        foreach (var id in controls)
            added[id] = (added.GetValueOrDefault(id) ?? new AddedToken(id, description.Tokens[id], IsControl: true)) with { IsControl = true };

        return new BpeTokenizer(description with
        {
            Chat = chat,
            ChatTemplate = template,
            EndTokens = [.. ends.Distinct()],
            Added = [.. added.Values.OrderBy(token => token.Id)],
        });
    }

    private static string? ChatTemplate(string folder, JsonDocument? settings)
    {
        var file = Path.Combine(folder, "chat_template.jinja");
        if (File.Exists(file))
            return File.ReadAllText(file);
        if (settings is null || !settings.RootElement.TryGetProperty("chat_template", out var template))
            return null;
        if (template.ValueKind == JsonValueKind.String)
            return template.GetString();
        if (template.ValueKind != JsonValueKind.Array)
            return null;
        var named = template.EnumerateArray().ToDictionary(entry => entry.GetProperty("name").GetString()!, entry => entry.GetProperty("template").GetString());
        return named.GetValueOrDefault("default") ?? named.Values.FirstOrDefault();
    }

    private static void AddEndIds(JsonDocument? document, List<int> ends)
    {
        if (document is null || !document.RootElement.TryGetProperty("eos_token_id", out var value))
            return;
        if (value.ValueKind == JsonValueKind.Number)
            ends.Add(value.GetInt32());
        else if (value.ValueKind == JsonValueKind.Array)
            ends.AddRange(value.EnumerateArray().Select(id => id.GetInt32()));
    }

    /// <summary>A token's name in tokenizer_config.json, which has it as a string or as an object with its content.</summary>
    private static string? TokenName(JsonDocument? settings, string key)
    {
        if (settings is null || !settings.RootElement.TryGetProperty(key, out var value))
            return null;
        if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty("content", out var content))
            value = content;
        return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    private static JsonDocument? OpenIfPresent(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        return File.Exists(path) ? Open(path) : null;
    }

    private static JsonDocument Open(string path)
    {
        try
        {
            return JsonDocument.Parse(File.ReadAllBytes(path));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is not valid JSON: {e.Message}", e);
        }
    }
}
