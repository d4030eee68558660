using System.Globalization;
using System.Text.RegularExpressions;

namespace J1.Cli.Configuration;

/// <summary>Nodes to options records. It goes on after a mistake, so that all are found at once.</summary>
internal sealed class ConfigBinder
{
    private readonly List<ConfigProblem> _problems;
    private readonly string[] _paths;

    /// <param name="root">The record of the whole file, whose keys are suggested where one stands in a wrong section.</param>
    /// <param name="problems">Added to.</param>
    public ConfigBinder(Type root, List<ConfigProblem> problems) => (_paths, _problems) = ([.. ConfigSchema.Paths(root)], problems);

    /// <summary>The record that <paramref name="node"/> describes; null where it has problems.</summary>
    public object? Section(Type type, MapNode node, string path, SchemaKey? owner = null)
    {
        var before = _problems.Count;
        SchemaKey[] keys = [.. ConfigSchema.KeysOf(type).Where(key => owner is null || owner.Elsewhere.All(other => other.Property != key.Property.Name))];
        var section = ConfigSchema.Defaults(type);
        foreach (var entry in node.Entries)
        {
            var at = YamlText.Join(path, entry.Key);
            if (owner?.Elsewhere.FirstOrDefault(other => Names.Snake(other.Property) == entry.Key) is { } elsewhere)
                Report(entry.Place, at, $"is not set here; '{elsewhere.Instead}' sets it");
            else if (keys.FirstOrDefault(key => key.Name == entry.Key) is not { } key)
                Report(entry.Place, at, $"unknown key; expected {OneOf(Known(keys, path))}", NearestKey(entry.Key, keys, path));
            else if (Value(key, entry.Value, at) is var (value, isGood) && isGood)
            {
                key.Property.SetValue(section, value);
                CheckAlone(type, key, value, entry.Value.Place, at);
            }
        }
        foreach (var key in keys.Where(key => key.IsRequired && node.Find(key.Name) is null))
            Report(node.Place, YamlText.Join(path, key.Name), $"is missing; expected {Describe(key.Type)}");

        if (_problems.Count == before)
            CheckTogether(type, section, node, path);
        return _problems.Count == before ? section : null;
    }

    private (object? Value, bool IsGood) Value(SchemaKey key, ConfigNode node, string path)
    {
        if (node is ScalarNode { IsNull: true })
        {
            if (key.IsNullable) return (null, true);
            if (ConfigSchema.IsSection(key.Type)) node = new MapNode([], node.Place); // 'grpo:' with nothing under it is all defaults
        }

        var value = ConfigSchema.ItemTypeOf(key.Type) is { } item ? List(item, key, node, path)
            : !ConfigSchema.IsSection(key.Type) ? Scalar(key.Type, key, node, path)
            : node is MapNode map ? Section(key.Type, map, path, key)
            : Wrong(node, path, key.Type);
        return (value, value is not null);
    }

    private Array? List(Type item, SchemaKey key, ConfigNode node, string path)
    {
        if (node is not ListNode list)
            return (Array?)Wrong(node, path, key.Type);
        var before = _problems.Count;
        var values = Array.CreateInstance(item, list.Items.Count);
        for (var i = 0; i < values.Length; i++)
        {
            var at = $"{path}[{i}]";
            var value = !ConfigSchema.IsSection(item) ? Scalar(item, key, list.Items[i], at)
                : list.Items[i] is MapNode map ? Section(item, map, at)
                : Wrong(list.Items[i], at, item);
            if (value is not null) values.SetValue(value, i);
        }
        return _problems.Count == before ? values : null;
    }

    private object? Scalar(Type type, SchemaKey key, ConfigNode node, string path)
    {
        if (node is not ScalarNode scalar || (scalar.IsNull && type != typeof(string)) || (type == typeof(string) && scalar.Text.Length == 0))
            return Wrong(node, path, type);
        var text = scalar.Text;
        if (type == typeof(string))
            return key.IsPath(text) ? Path.GetFullPath(Path.Combine(scalar.Folder, text)) : text;
        if (type.IsEnum)
        {
            var names = Enum.GetNames(type);
            if (Array.Find(names, name => Names.Snake(name) == text) is { } chosen)
                return Enum.Parse(type, chosen);
            Report(node.Place, path, $"is '{text}'; expected {OneOf(names.Select(Names.Snake))}", Names.Nearest(text, names.Select(Names.Snake)));
            return null;
        }
        return Parse(type, text) ?? Wrong(node, path, type);
    }

    private static object? Parse(Type type, string text)
    {
        var culture = CultureInfo.InvariantCulture;
        if (type == typeof(bool)) return text switch { "true" => true, "false" => false, _ => null };
        if (type == typeof(int)) return int.TryParse(text, NumberStyles.AllowLeadingSign, culture, out var number) ? number : null;
        if (type == typeof(ulong)) return ulong.TryParse(text, NumberStyles.None, culture, out var number) ? number : null;
        if (type == typeof(float)) return float.TryParse(text, NumberStyles.Float, culture, out var number) && float.IsFinite(number) ? number : null;
        if (type == typeof(double)) return double.TryParse(text, NumberStyles.Float, culture, out var number) && double.IsFinite(number) ? number : null;
        throw new NotSupportedException($"Configurations have no values of type {type.Name}.");
    }

    private object? Wrong(ConfigNode node, string path, Type expected)
    {
        Report(node.Place, path, $"is {node.Kind}; expected {Describe(expected)}");
        return null;
    }

    /// <summary>Is the value in its range? The record's own Validate is asked with all else at its default; it begins a range message with the property's name and "is".</summary>
    private void CheckAlone(Type type, SchemaKey key, object? value, Place place, string path)
    {
        if (ConfigRanges.Complaint(type, key, value) is not { } complaint) return;
        Report(place, path, ConfigRanges.Parts(complaint) is var (shown, range) ? $"is {shown}; expected {range}" : InKeys(type, complaint[(key.Property.Name.Length + 1)..]));
    }

    /// <summary>Do the values fit each other?</summary>
    private void CheckTogether(Type type, object section, MapNode node, string path)
    {
        if (ConfigRanges.Complaint(section) is not { } complaint) return;
        var mentioned = ConfigSchema.KeysOf(type).Where(key => Regex.IsMatch(complaint, $@"\b{key.Property.Name}\b")).Select(key => node.Find(key.Name)).FirstOrDefault(entry => entry is not null);
        Report(mentioned?.Place ?? node.Place, mentioned is null ? path : YamlText.Join(path, mentioned.Key), InKeys(type, complaint));
    }

    private static string InKeys(Type type, string message) =>
        ConfigSchema.KeysOf(type).Aggregate(message, (text, key) => Regex.Replace(text, $@"\b{key.Property.Name}\b", key.Name));

    private string? NearestKey(string written, SchemaKey[] keys, string path)
    {
        var elsewhere = _paths.Where(known => known == written || known.EndsWith("." + written, StringComparison.Ordinal)).ToArray();
        return Names.Nearest(written, Known(keys, path)) is { } near ? YamlText.Join(path, near) : elsewhere is [var only] ? only : null;
    }

    /// <summary>The keys of a section; those of the whole file with the two that say how it is put together.</summary>
    private static IEnumerable<string> Known(SchemaKey[] keys, string path) => [.. keys.Select(key => key.Name), .. (string[])(path.Length == 0 ? [ConfigFile.Extends, Sweep.Key] : [])];

    private static string Describe(Type type)
    {
        if (ConfigSchema.ItemTypeOf(type) is { } item) return $"a list, each item {Describe(item)}";
        if (type == typeof(bool)) return "true or false";
        if (type == typeof(int)) return "a whole number";
        if (type == typeof(ulong)) return "a whole number of at least 0";
        if (type == typeof(float) || type == typeof(double)) return "a number";
        if (type == typeof(string)) return "a text";
        return type.IsEnum ? OneOf(Enum.GetNames(type).Select(Names.Snake)) : $"a section with {OneOf(ConfigSchema.KeysOf(type).Select(key => key.Name))}";
    }

    private static string OneOf(IEnumerable<string> names) => names.ToArray() is { Length: > 1 } several ? $"{string.Join(", ", several[..^1])} or {several[^1]}" : string.Concat(names);

    private void Report(Place place, string path, string message, string? suggestion = null) => _problems.Add(new ConfigProblem(place, path, message, suggestion));
}
