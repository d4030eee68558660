using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace J1.Cli.Configuration;

/// <summary>Options records as YAML that <see cref="ConfigBinder"/> reads back to equal records: every value, defaults included.</summary>
internal static partial class ConfigWriter
{
    /// <param name="section">A record.</param>
    /// <param name="folder">The folder that the file will be in: paths are written relative to it.</param>
    public static string Write(object section, string folder)
    {
        var yaml = new StringBuilder();
        Section(yaml, section, Path.GetFullPath(folder), "", null);
        return yaml.ToString();
    }

    private static void Section(StringBuilder yaml, object section, string folder, string indent, SchemaKey? owner)
    {
        foreach (var key in ConfigSchema.KeysOf(section.GetType()))
        {
            if (owner?.Elsewhere.Any(other => other.Property == key.Property.Name) == true) continue;
            var value = key.Property.GetValue(section);
            if (value is not null && ConfigSchema.IsSection(key.Type))
            {
                yaml.Append(indent).Append(key.Name).Append(":\n");
                Section(yaml, value, folder, indent + "  ", key);
            }
            else
                yaml.Append(indent).Append(key.Name).Append(": ").Append(Value(value, key, folder)).Append('\n');
        }
    }

    internal static string Value(object? value, SchemaKey key, string folder) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        Enum choice => Names.Snake(choice.ToString()),
        string text => Text(key.IsPath(text) ? Relative(folder, text) : text),
        IEnumerable items => $"[{string.Join(", ", items.Cast<object>().Select(item => Value(item, key, folder)))}]",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => throw new NotSupportedException($"Configurations have no values of type {value.GetType().Name}."),
    };

    private static string Relative(string folder, string path)
    {
        var relative = Path.GetRelativePath(folder, path).Replace('\\', '/');
        return relative.Contains('/') || Path.IsPathRooted(relative) ? relative : "./" + relative;
    }

    private static string Text(string text)
    {
        if (Plain().IsMatch(text) && text is not ("null" or "true" or "false")) return text;
        var quoted = new StringBuilder("\"");
        foreach (var c in text)
            _ = c switch
            {
                '"' or '\\' => quoted.Append('\\').Append(c),
                '\n' => quoted.Append("\\n"),
                _ when char.IsControl(c) || c is '\u2028' or '\u2029' or '\uFEFF' || char.IsSurrogate(c) => quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => quoted.Append(c),
            };
        return quoted.Append('"').ToString();
    }

    [GeneratedRegex(@"^(?!\d|\.\d)[A-Za-z0-9_./][A-Za-z0-9_./-]*$")]
    private static partial Regex Plain();
}
