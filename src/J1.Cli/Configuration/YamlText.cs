using System.Globalization;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace J1.Cli.Configuration;

/// <summary>
/// YAML to nodes with places. What a configuration has no use for is refused: tags, keys that are not text, a key given twice, a second document.
/// <c>${env:NAME}</c> and <c>${env:NAME:-default}</c> in values are replaced here.
/// </summary>
internal sealed partial class YamlText
{
    private const int DeepestNesting = 32;

    private readonly string _name, _folder;
    private readonly Place? _place;
    private readonly Parser _parser;
    private readonly List<ConfigProblem> _problems;
    private readonly Func<string, string?> _environment;
    private readonly Dictionary<string, ConfigNode> _anchors = new(StringComparer.Ordinal);

    private YamlText(string text, string name, string folder, Place? place, List<ConfigProblem> problems, Func<string, string?> environment)
    {
        (_name, _folder, _place, _problems, _environment) = (name, folder, place, problems, environment);
        _parser = new Parser(new StringReader(text));
    }

    /// <summary>Reads a text; what is wrong is added to <paramref name="problems"/>, and null is returned where it cannot be read at all.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="name">The file's name, for messages.</param>
    /// <param name="folder">What relative paths are relative to.</param>
    /// <param name="problems">Added to.</param>
    /// <param name="environment">Gives a variable's value, or null where it is not set.</param>
    /// <param name="place">The place of everything in it, where that is not a line of a file.</param>
    public static ConfigNode? Parse(string text, string name, string folder, List<ConfigProblem> problems, Func<string, string?> environment, Place? place = null)
    {
        try
        {
            return new YamlText(text, name, folder, place, problems, environment).Document();
        }
        catch (YamlException error)
        {
            problems.Add(new ConfigProblem(place ?? new Place(name, (int)error.Start.Line, (int)error.Start.Column), "", $"is not YAML here: {FirstLine(error.Message)}"));
            return null;
        }
    }

    private static string FirstLine(string message) => message.Split('\n')[0].Trim().TrimEnd('.');

    private ConfigNode? Document()
    {
        _parser.Consume<StreamStart>();
        if (_parser.TryConsume<StreamEnd>(out _))
            return null;
        _parser.Consume<DocumentStart>();
        var node = Node("", 0);
        _parser.Consume<DocumentEnd>();
        if (_parser.TryConsume<DocumentStart>(out var second))
            _problems.Add(new ConfigProblem(At(second), "", "a second document starts here; expected one configuration in a file"));
        return node;
    }

    private Place At(ParsingEvent parsed) => _place ?? new Place(_name, (int)parsed.Start.Line, (int)parsed.Start.Column);

    private ConfigNode Node(string path, int depth)
    {
        if (_parser.TryConsume<AnchorAlias>(out var alias))
        {
            if (_anchors.TryGetValue(alias.Value.Value, out var known))
                return known;
            throw new YamlException(alias.Start, alias.End, $"the alias *{alias.Value.Value} has no anchor before it");
        }

        var start = (NodeEvent)_parser.Current!;
        if (depth > DeepestNesting)
            throw new YamlException(start.Start, start.End, $"more than {DeepestNesting} levels of nesting");
        if (!start.Tag.IsEmpty)
            _problems.Add(new ConfigProblem(At(start), path, $"has the tag {start.Tag.Value}; expected a plain value, since configurations hold no type names"));
        ConfigNode node = start switch
        {
            MappingStart => Map(path, depth),
            SequenceStart => List(path, depth),
            _ => Scalar(_parser.Consume<Scalar>(), path),
        };
        if (!start.Anchor.IsEmpty)
            _anchors[start.Anchor.Value] = node;
        return node;
    }

    private MapNode Map(string path, int depth)
    {
        var place = At(_parser.Consume<MappingStart>());
        var entries = new List<MapEntry>();
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            if (!_parser.TryConsume<Scalar>(out var key))
            {
                _problems.Add(new ConfigProblem(At(_parser.Current!), path, "has a key that is not text"));
                Node(path, depth + 1);
                Node(path, depth + 1);
                continue;
            }
            var value = Node(Join(path, key.Value), depth + 1);
            if (entries.FirstOrDefault(entry => entry.Key == key.Value) is { } first)
                _problems.Add(new ConfigProblem(At(key), Join(path, key.Value), $"is given twice, first in line {first.Place.Line}; expected every key once"));
            else
                entries.Add(new MapEntry(key.Value, At(key), value));
        }
        return new MapNode(entries, place);
    }

    private ListNode List(string path, int depth)
    {
        var place = At(_parser.Consume<SequenceStart>());
        var items = new List<ConfigNode>();
        while (!_parser.TryConsume<SequenceEnd>(out _))
            items.Add(Node(string.Create(CultureInfo.InvariantCulture, $"{path}[{items.Count}]"), depth + 1));
        return new ListNode(items, place);
    }

    private ScalarNode Scalar(Scalar scalar, string path)
    {
        var place = At(scalar);
        var variables = new List<string>();
        var text = Variable().Replace(scalar.Value, found =>
        {
            var name = found.Groups["name"].Value;
            variables.Add(name);
            if (_environment(name) is { } value)
                return value;
            if (found.Groups["default"].Success)
                return found.Groups["default"].Value;
            _problems.Add(new ConfigProblem(place, path, $"the environment variable {name} is not set; expected it to be, or a default as in ${{env:{name}:-value}}"));
            return found.Value;
        });
        return new ScalarNode(text, scalar.Style is ScalarStyle.SingleQuoted or ScalarStyle.DoubleQuoted, _folder, place) { Variables = variables };
    }

    internal static string Join(string path, string key) => path.Length == 0 ? key : $"{path}.{key}";

    [GeneratedRegex(@"\$\{env:(?<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?<default>[^}]*))?\}")]
    private static partial Regex Variable();
}
