using System.Globalization;
using System.Text.Json;

namespace J1.Engines.Managed.Files;

/// <summary>A JSON object of settings whose errors name the file and the field.</summary>
internal sealed class JsonSettings
{
    private readonly JsonElement _object;
    private readonly string _prefix;

    private JsonSettings(string path, JsonElement element, string prefix)
    {
        Path = path;
        _object = element;
        _prefix = prefix;
    }

    public string Path { get; }

    /// <summary>Fields that are present and not null.</summary>
    public IEnumerable<(string Name, JsonElement Value)> Present =>
        _object.EnumerateObject().Where(entry => entry.Value.ValueKind != JsonValueKind.Null).Select(entry => (entry.Name, entry.Value));

    public static JsonSettings Read(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement.Clone();
            return root.ValueKind == JsonValueKind.Object
                ? new JsonSettings(path, root, "")
                : throw new ModelFileException(path, $"expected a JSON object, found {root.ValueKind.ToString().ToLowerInvariant()}", "Download the file again.");
        }
        catch (JsonException error)
        {
            throw new ModelFileException(path, $"is not valid JSON: {error.Message}", "Download the file again.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ModelFileException(path, $"cannot be read: {error.Message}", "Check the path and the rights to it.", error);
        }
    }

    public static JsonSettings? ReadIfPresent(string path) => File.Exists(path) ? Read(path) : null;

    public bool Has(string name) => Find(name) is not null;

    public JsonElement? Find(string name) =>
        _object.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public JsonSettings? Section(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new JsonSettings(Path, value, _prefix + name + "."),
        { } value => throw Wrong(name, "an object", value),
    };

    public string? Text(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw Wrong(name, "a text", value),
    };

    public bool Flag(string name, bool byDefault = false) => Find(name) switch
    {
        null => byDefault,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Wrong(name, "true or false", value),
    };

    public int? Integer(string name) => Find(name) is { } value ? ToInteger(name, value) : null;

    public int Size(string name) => Size(name, Integer(name) ?? throw Missing(name));

    public int Size(string name, int value) =>
        value > 0 ? value : throw Wrong(name, "a number above 0", value.ToString(CultureInfo.InvariantCulture));

    public double? Number(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } value when double.IsFinite(value.GetDouble()) => value.GetDouble(),
        { } value => throw Wrong(name, "a number", value),
    };

    public double PositiveNumber(string name, double? byDefault = null)
    {
        var value = Number(name) ?? byDefault ?? throw Missing(name);
        return value > 0 ? value : throw Wrong(name, "a number above 0", value.ToString(CultureInfo.InvariantCulture));
    }

    public IReadOnlyList<string> Texts(string name) => Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list when list.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) =>
            [.. list.EnumerateArray().Select(item => item.GetString()!)],
        { } value => throw Wrong(name, "a list of texts", value),
    };

    /// <summary>One number or a list of them; empty when absent.</summary>
    public IReadOnlyList<int> Integers(string name) => Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list => [.. list.EnumerateArray().Select(item => ToInteger(name, item))],
        { } value => [ToInteger(name, value)],
    };

    public ModelFileException Missing(string name) =>
        new(Path, $"the field '{_prefix}{name}' is missing", "Take the file from the model's own repository.");

    public ModelFileException Wrong(string name, string expected, object found) =>
        new(Path, $"the field '{_prefix}{name}' is {Shorten(found)}; expected {expected}", "Correct it, or take the file from the model's own repository.");

    public ModelFileException Unsupported(string name, object found, string supported) =>
        new(Path, $"'{_prefix}{name}' is {Shorten(found)}, which this engine does not compute", $"Supported: {supported}. Use a model without it.");

    private int ToInteger(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : throw Wrong(name, "a whole number", value);

    private static string Shorten(object found)
    {
        var text = found is JsonElement element ? element.GetRawText() : Convert.ToString(found, CultureInfo.InvariantCulture) ?? "";
        return text.Length <= 80 ? text : text[..80] + "…";
    }
}
