using System.Collections;
using System.Globalization;
using System.Text.Json.Nodes;

namespace J1.Cli.Configuration;

/// <summary>The configuration's schema for editors (JSON Schema, draft 7), read off the same records that configurations are bound to: keys, types, defaults, ranges and descriptions.</summary>
internal static class JsonSchema
{
    /// <summary>The schema as indented JSON with a last line break.</summary>
    public static string Write()
    {
        var docs = new Docs();
        var root = Section(typeof(Experiment), docs, null, null);
        var properties = root["properties"]!.AsObject();
        properties[ConfigFile.Extends] = new JsonObject
        {
            ["description"] = "Files that this one is laid over, relative to it; later ones win. Sections are merged, lists are replaced.",
            ["anyOf"] = new JsonArray(Type("string"), new JsonObject { ["type"] = "array", ["items"] = Type("string") }),
        };
        properties[Sweep.Key] = SweepSchema();
        // What a base gives need not be here.
        root["anyOf"] = new JsonArray(Required([.. ConfigSchema.KeysOf(typeof(Experiment)).Where(key => key.IsRequired).Select(key => key.Name)]), Required(ConfigFile.Extends));
        var schema = new JsonObject { ["$schema"] = "http://json-schema.org/draft-07/schema#", ["title"] = "A J1 experiment" };
        foreach (var (name, value) in root.ToList())
        {
            root.Remove(name);
            schema[name] = value;
        }
        schema["definitions"] = new JsonObject { ["variable"] = new JsonObject { ["type"] = "string", ["pattern"] = @"\$\{env:[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}", ["description"] = "Made of environment variables." } };
        return schema.ToJsonString(Json.Indented) + "\n";
    }

    private static JsonObject Section(Type section, Docs docs, string? description, SchemaKey? owner)
    {
        var (properties, defaults) = (new JsonObject(), ConfigSchema.Defaults(section));
        foreach (var key in ConfigSchema.KeysOf(section))
            if (owner?.Elsewhere.Any(other => other.Property == key.Property.Name) != true)
                properties[key.Name] = Property(section, key, key.IsRequired ? null : key.Property.GetValue(defaults), docs);
        var schema = Described(description ?? docs.Of(section));
        (schema["type"], schema["additionalProperties"], schema["properties"]) = ("object", false, properties);
        return schema;
    }

    private static JsonObject Property(Type section, SchemaKey key, object? byDefault, Docs docs)
    {
        var description = docs.Of(key.Property);
        if (ConfigSchema.IsSection(key.Type))
        {
            var below = Section(key.Type, docs, string.Join(' ', new[] { description, docs.Of(key.Type) }.OfType<string>().Distinct()), key);
            // 'grpo:' with nothing under it is all defaults.
            below["type"] = new JsonArray("object", "null");
            return below;
        }

        var value = ConfigSchema.ItemTypeOf(key.Type) is { } item
            ? new JsonObject { ["type"] = "array", ["items"] = ConfigSchema.IsSection(item) ? Section(item, docs, null, null) : Scalar(item, docs) }
            : Scalar(key.Type, docs);
        foreach (var (keyword, bound) in ConfigRanges.BoundsOf(section, key)) value[keyword] = bound;
        var choices = new JsonArray(value);
        if (key.Type != typeof(string)) choices.Add((JsonNode)new JsonObject { ["$ref"] = "#/definitions/variable" });
        if (key.IsNullable) choices.Add((JsonNode)Type("null"));
        var property = Described(description);
        if (choices.Count == 1)
            foreach (var (name, part) in value.ToList())
            {
                value.Remove(name);
                property[name] = part;
            }
        else
            property["anyOf"] = choices;
        if (!key.IsRequired) property["default"] = Default(byDefault);
        return property;
    }

    private static JsonObject Scalar(Type type, Docs docs)
    {
        if (type == typeof(bool)) return Type("boolean");
        if (type == typeof(int)) return Type("integer");
        if (type == typeof(ulong)) return new JsonObject { ["type"] = "integer", ["minimum"] = 0 };
        if (type == typeof(float) || type == typeof(double)) return Type("number");
        if (type == typeof(string)) return Type("string");
        var names = Enum.GetNames(type);
        var described = names.Select(name => (Name: Names.Snake(name), Says: docs.Of(type.GetField(name)!))).Where(one => one.Says is not null).Select(one => $"{one.Name}: {one.Says}").ToArray();
        var choice = new JsonObject { ["enum"] = new JsonArray([.. names.Select(name => (JsonNode)Names.Snake(name))]) };
        if (described.Length > 0) choice["description"] = string.Join('\n', described);
        return choice;
    }

    private static JsonNode? Default(object? value) => value switch
    {
        null => null,
        bool flag => flag,
        Enum choice => Names.Snake(choice.ToString()),
        string text => text,
        // By its text, so that a float has the digits it was written with.
        float or double or int or ulong => decimal.Parse(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture), NumberStyles.Float, CultureInfo.InvariantCulture),
        IEnumerable items => new JsonArray([.. items.Cast<object>().Select(Default)]),
        _ => throw new NotSupportedException($"A default of type {value.GetType().Name}."),
    };

    private static JsonObject SweepSchema() => new()
    {
        ["description"] = "Makes many runs of this file. The parts are multiplied with each other.",
        ["type"] = "object",
        ["additionalProperties"] = false,
        ["properties"] = new JsonObject
        {
            ["grid"] = new JsonObject
            {
                ["description"] = "Keys, such as grpo.group_size, each with a list of its values; every combination runs.",
                ["type"] = "object",
                ["additionalProperties"] = new JsonObject { ["type"] = "array", ["minItems"] = 1 },
            },
            ["paired"] = new JsonObject
            {
                ["description"] = "Items, each some keys whose values belong together, and a label that names the run's folder.",
                ["type"] = "array",
                ["minItems"] = 1,
                ["items"] = new JsonObject { ["type"] = "object", ["properties"] = new JsonObject { ["label"] = Type("string") } },
            },
            ["seeds"] = new JsonObject { ["description"] = "The seeds to run everything with.", ["type"] = "array", ["minItems"] = 1, ["items"] = new JsonObject { ["type"] = "integer", ["minimum"] = 0 } },
        },
    };

    /// <summary>Without a word where the documentation is not beside the assemblies.</summary>
    private static JsonObject Described(string? description) => description is { Length: > 0 } ? new JsonObject { ["description"] = description } : [];

    private static JsonObject Type(string name) => new() { ["type"] = name };

    private static JsonObject Required(params string[] keys) => new() { ["required"] = new JsonArray([.. keys.Select(key => (JsonNode)key)]) };
}
