using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace J1.Data;

/// <summary>
/// Preference pairs in files of JSON lines. A row is <c>{"id", "instruction", "response_a", "response_b", "label"}</c>, and optionally <c>source</c>, <c>category</c>, <c>thought</c>, <c>swapped_thought</c>;
/// the label is <c>"A"</c>, <c>"B"</c>, <c>"tie"</c>, or null or absent where nobody knows. Rows of JudgeBench (<c>pair_id, question, response_A, response_B, label "A&gt;B"</c>) and of
/// RewardBench (<c>id, prompt, chosen, rejected, subset</c>; the side of the chosen response is drawn by its id) are read too. Other fields are ignored, and so are empty lines.
/// </summary>
public static class PreferencePairs
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads pairs one by one, holding one line at a time. Lines end with <c>\n</c> or <c>\r\n</c>; a byte order mark is skipped.</summary>
    /// <exception cref="DataException">There is no such file; or, while reading, a line is not a pair: the message names file and line, what was expected, and the remedy.</exception>
    public static IEnumerable<PreferencePair> Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path)) throw new DataException($"There is no file {path}. Name a file of JSON lines with preference pairs.");
        return ReadLines(path);
    }

    /// <summary>Writes pairs, one JSON object a line. The file is there whole or not at all.</summary>
    public static void Write(string path, IEnumerable<PreferencePair> pairs)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(pairs);
        var temporary = path + ".tmp";
        using (var file = File.Create(temporary))
            foreach (var pair in pairs)
            {
                using (var json = new Utf8JsonWriter(file, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })) Write(json, pair);
                file.WriteByte((byte)'\n');
            }
        File.Move(temporary, path, overwrite: true);
    }

    private static void Write(Utf8JsonWriter json, PreferencePair pair)
    {
        json.WriteStartObject();
        json.WriteString("id", pair.Id);
        json.WriteString("source", pair.Source);
        json.WriteString("category", pair.Category);
        json.WriteString("instruction", pair.Instruction);
        json.WriteString("response_a", pair.ResponseA);
        json.WriteString("response_b", pair.ResponseB);
        json.WriteString("label", pair.Label switch { Preference.A => "A", Preference.B => "B", Preference.Tie => "tie", _ => null });
        if (pair.Thought is not null) json.WriteString("thought", pair.Thought);
        if (pair.SwappedThought is not null) json.WriteString("swapped_thought", pair.SwappedThought);
        json.WriteEndObject();
    }

    private static IEnumerable<PreferencePair> ReadLines(string path)
    {
        var lineOf = new Dictionary<string, int>(StringComparer.Ordinal);
        var number = 0;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1 << 16, FileOptions.SequentialScan);
        foreach (var bytes in Lines(file))
        {
            number++;
            if (Text(bytes, number == 1, new Row(path, number)) is not { } line) continue;
            var pair = Parse(line, new Row(path, number));
            if (!lineOf.TryAdd(pair.Id, number))
                throw new Row(path, number).Error($"the id '{pair.Id}' is already that of line {lineOf[pair.Id]}. Ids must be unique within a file; rename or remove one.");
            yield return pair;
        }
    }

    private static IEnumerable<ArraySegment<byte>> Lines(FileStream file)
    {
        var buffer = new byte[1 << 16];
        var (start, searched, count) = (0, 0, 0);
        while (true)
        {
            var end = Array.IndexOf(buffer, (byte)'\n', searched, count - searched);
            if (end >= 0)
            {
                yield return new(buffer, start, end - start);
                start = searched = end + 1;
                continue;
            }
            searched = count;
            if (start > 0)
            {
                Buffer.BlockCopy(buffer, start, buffer, 0, count - start);
                (start, searched, count) = (0, searched - start, count - start);
            }
            if (count == buffer.Length) Array.Resize(ref buffer, 2 * buffer.Length);
            var read = file.Read(buffer, count, buffer.Length - count);
            if (read == 0) break;
            count += read;
        }
        if (count > start) yield return new(buffer, start, count - start);
    }

    /// <summary>A line's text; null where it is empty.</summary>
    private static string? Text(ReadOnlySpan<byte> line, bool isFirst, Row row)
    {
        if (isFirst && line.StartsWith("\uFEFF"u8)) line = line[3..];
        try
        {
            var text = StrictUtf8.GetString(line).TrimEnd('\r');
            return string.IsNullOrWhiteSpace(text) ? null : text;
        }
        catch (DecoderFallbackException e)
        {
            throw row.Error($"byte {e.Index + 1} of the line is not UTF-8. Save the file as UTF-8.", e);
        }
    }

    private static PreferencePair Parse(string line, Row row)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(line);
        }
        catch (JsonException e)
        {
            throw row.Error(string.Create(CultureInfo.InvariantCulture, $"not JSON at byte {e.BytePositionInLine + 1} of the line. Expected one object a line, whole; was the file cut off, or is an object spread over several lines?"), e);
        }
        using (document)
        {
            var json = document.RootElement;
            if (json.ValueKind != JsonValueKind.Object)
                throw row.Error($"expected an object with the fields id, instruction, response_a, response_b and label, but this is {Name(json.ValueKind)}.");
            var pair = json.TryGetProperty("chosen", out _) ? RewardBench(json, row) : json.TryGetProperty("response_A", out _) ? JudgeBench(json, row) : Own(json, row);
            return pair.Label is Preference.A or Preference.B && pair.ResponseA == pair.ResponseB
                ? throw row.Error($"both responses of '{pair.Id}' are equal, so the label {pair.Label} cannot be right. Remove the pair.")
                : pair;
        }
    }

    private static PreferencePair Own(JsonElement json, Row row) => new()
    {
        Id = row.Id(json, "id"),
        Source = row.Optional(json, "source") ?? "",
        Category = row.Optional(json, "category") ?? "",
        Instruction = row.Required(json, "instruction"),
        ResponseA = row.Required(json, "response_a"),
        ResponseB = row.Required(json, "response_b"),
        Thought = row.Optional(json, "thought"),
        SwappedThought = row.Optional(json, "swapped_thought"),
        Label = row.Optional(json, "label") switch
        {
            null => null,
            "A" => Preference.A,
            "B" => Preference.B,
            "tie" => Preference.Tie,
            var other => throw row.Error($"the label is '{other}'; expected \"A\", \"B\", \"tie\", or null where it is not known."),
        },
    };

    private static PreferencePair JudgeBench(JsonElement json, Row row) => new()
    {
        Id = row.Id(json, "pair_id"),
        Source = "judgebench",
        Category = row.Optional(json, "source") ?? "",
        Instruction = row.Required(json, "question"),
        ResponseA = row.Required(json, "response_A"),
        ResponseB = row.Required(json, "response_B"),
        Label = row.Optional(json, "label") switch
        {
            null => null,
            "A>B" => Preference.A,
            "B>A" => Preference.B,
            var other => throw row.Error($"the label is '{other}'; a row of JudgeBench has \"A>B\" or \"B>A\"."),
        },
    };

    private static PreferencePair RewardBench(JsonElement json, Row row)
    {
        var id = row.Id(json, "id");
        var (chosen, rejected) = (row.Required(json, "chosen"), row.Required(json, "rejected"));
        var isA = SHA256.HashData(Encoding.UTF8.GetBytes(id))[0] % 2 == 0;
        return new PreferencePair
        {
            Id = id,
            Source = "rewardbench",
            Category = row.Optional(json, "subset") ?? "",
            Instruction = row.Required(json, "prompt"),
            ResponseA = isA ? chosen : rejected,
            ResponseB = isA ? rejected : chosen,
            Label = isA ? Preference.A : Preference.B,
        };
    }

    private static string Name(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };

    /// <summary>A place in a file, and its fields read with errors that name it.</summary>
    private readonly record struct Row(string Path, int Number)
    {
        public DataException Error(string message, Exception? inner = null)
        {
            var whole = string.Create(CultureInfo.InvariantCulture, $"{Path}:{Number}: {message}");
            return inner is null ? new DataException(whole) : new DataException(whole, inner);
        }

        public string Required(JsonElement json, string field)
        {
            var text = Optional(json, field);
            if (text is null) throw Error($"the field \"{field}\" is {(json.TryGetProperty(field, out _) ? "null" : "missing")}; expected a text. Add it, or remove the row.");
            return string.IsNullOrWhiteSpace(text) ? throw Error($"the field \"{field}\" is empty; there is nothing to judge. Remove the row.") : text;
        }

        /// <summary>A text or a whole number.</summary>
        public string Id(JsonElement json, string field) =>
            json.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetRawText() : Required(json, field);

        public string? Optional(JsonElement json, string field)
        {
            if (!json.TryGetProperty(field, out var value) || value.ValueKind == JsonValueKind.Null) return null;
            if (value.ValueKind != JsonValueKind.String) throw Error($"the field \"{field}\" is {Name(value.ValueKind)}; expected a text.");
            try
            {
                return value.GetString();
            }
            catch (InvalidOperationException e)
            {
                throw Error($"the field \"{field}\" holds half a surrogate pair (a \\ud... escape without its other half). Write the character whole, or remove it.", e);
            }
        }
    }
}
