using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace J1.Cli.Configuration;

/// <summary>One run of a sweep: what it lays over the rest of the file, and what tells it from the others.</summary>
/// <param name="Label">Names the run's folder, with the seed: the item's label, or its keys and values. Empty where the seed alone differs.</param>
/// <param name="Over">The values.</param>
internal sealed record SweepPoint(string Label, MapNode Over);

/// <summary>
/// The section <c>sweep</c> of a file, which makes many runs of it:
/// <c>grid</c> (a key and a list of its values; every combination runs), <c>paired</c> (a list of items, each some keys whose values belong together, and a <c>label</c>) and <c>seeds</c> (a list).
/// All are multiplied with each other. A run's name depends on its own values alone, so it keeps its folder when others come and go.
/// </summary>
internal static class Sweep
{
    public const string Key = "sweep";

    private const string Grid = "grid", Paired = "paired", Seeds = "seeds", Label = "label";
    private const int MostRuns = 1000, LongestName = 80;

    public static IReadOnlyList<string> Keys { get; } = [Grid, Paired, Seeds];

    /// <summary>The runs, in the file's order; what is wrong is added to <paramref name="problems"/>.</summary>
    public static IReadOnlyList<SweepPoint> Points(MapEntry sweep, List<ConfigProblem> problems)
    {
        if (sweep.Value is not MapNode section)
        {
            problems.Add(new ConfigProblem(sweep.Value.Place, Key, $"is {sweep.Value.Kind}; expected a section with {string.Join(", ", Keys)}"));
            return [];
        }
        foreach (var unknown in section.Entries.Where(entry => !Keys.Contains(entry.Key)))
            problems.Add(new ConfigProblem(unknown.Place, $"{Key}.{unknown.Key}", $"unknown key; expected {string.Join(", ", Keys)}", Names.Nearest(unknown.Key, Keys) is { } near ? $"{Key}.{near}" : null));

        var factors = new List<IReadOnlyList<SweepPoint>>();
        if (section.Find(Paired) is { } paired) factors.Add(PairedPoints(paired, problems));
        if (section.Find(Grid) is { } grid) factors.AddRange(GridPoints(grid, problems));
        if (section.Find(Seeds) is { } seeds) factors.Add(SeedPoints(seeds, problems));
        if (factors.Count == 0 && section.Entries.Count == 0)
            problems.Add(new ConfigProblem(section.Place, Key, $"is empty; expected {string.Join(", ", Keys)}"));

        SetTwice(factors, problems);
        var runs = factors.Aggregate(1L, (product, factor) => Math.Min(product * Math.Max(1, factor.Count), int.MaxValue));
        if (runs > MostRuns)
        {
            problems.Add(new ConfigProblem(sweep.Place, Key, string.Create(CultureInfo.InvariantCulture, $"makes {runs} runs; expected at most {MostRuns}")));
            return [];
        }

        IEnumerable<SweepPoint> points = [new SweepPoint("", new MapNode([], section.Place))];
        foreach (var factor in factors)
            points = points.SelectMany(_ => factor, (point, with) => new SweepPoint(string.Join(',', ((string[])[point.Label, with.Label]).Where(label => label.Length > 0)), point.Over.MergedWith(with.Over)));
        return [.. points.Select(point => point with { Label = FolderName(point.Label) })];
    }

    private static List<SweepPoint> PairedPoints(MapEntry paired, List<ConfigProblem> problems)
    {
        const string path = $"{Key}.{Paired}";
        var points = new List<SweepPoint>();
        foreach (var item in Items(paired.Value, path, "a list of items, each with the keys that are set together", problems))
        {
            if (item is not MapNode map)
            {
                problems.Add(new ConfigProblem(item.Place, path, $"holds {item.Kind}; expected keys and values"));
                continue;
            }
            var over = new MapNode([], map.Place);
            foreach (var entry in map.Without(Label).Entries) over = over.MergedWith(ConfigFile.Nested(entry.Key, entry.Place, entry.Value));
            var label = map.Find(Label)?.Value;
            if (label is not (null or ScalarNode { IsNull: false })) problems.Add(new ConfigProblem(label.Place, $"{path}.{Label}", $"is {label.Kind}; expected a text"));
            points.Add(new SweepPoint(label is ScalarNode text ? text.Text : string.Join(',', map.Entries.Select(entry => $"{LastOf(entry.Key)}={Text(entry.Value)}")), over with { Place = map.Place }));
        }
        foreach (var twice in points.GroupBy(point => point.Label).Where(group => group.Count() > 1))
            problems.Add(new ConfigProblem(twice.Last().Over.Place, path, $"holds '{twice.Key}' twice; expected every item once, or labels that differ"));
        return points;
    }

    private static IEnumerable<IReadOnlyList<SweepPoint>> GridPoints(MapEntry grid, List<ConfigProblem> problems)
    {
        const string path = $"{Key}.{Grid}";
        if (grid.Value is not MapNode { Entries.Count: > 0 } keys)
        {
            problems.Add(new ConfigProblem(grid.Value.Place, path, $"is {grid.Value.Kind}; expected keys such as grpo.group_size, each with a list of values"));
            yield break;
        }
        foreach (var entry in keys.Entries)
        {
            // The last word of a key is enough to know it by, unless two keys share it.
            var name = keys.Entries.Count(other => LastOf(other.Key) == LastOf(entry.Key)) > 1 ? entry.Key : LastOf(entry.Key);
            var points = Items(entry.Value, $"{path}.{entry.Key}", "a list of its values", problems)
                .Select(value => new SweepPoint($"{name}={Text(value)}", ConfigFile.Nested(entry.Key, entry.Place, value))).ToList();
            foreach (var twice in points.GroupBy(point => point.Label).Where(group => group.Count() > 1))
                problems.Add(new ConfigProblem(entry.Value.Place, $"{path}.{entry.Key}", $"holds a value twice: {twice.Key}"));
            yield return points;
        }
    }

    private static List<SweepPoint> SeedPoints(MapEntry seeds, List<ConfigProblem> problems)
    {
        var items = Items(seeds.Value, $"{Key}.{Seeds}", "a list of seeds, such as [0, 1, 2]", problems).ToList();
        foreach (var twice in items.OfType<ScalarNode>().GroupBy(seed => seed.Text).Where(group => group.Count() > 1))
            problems.Add(new ConfigProblem(twice.Last().Place, $"{Key}.{Seeds}", $"holds {twice.Key} twice"));
        return [.. items.Select(seed => new SweepPoint("", new MapNode([new MapEntry("seed", seed.Place, seed)], seed.Place)))];
    }

    private static IReadOnlyList<ConfigNode> Items(ConfigNode node, string path, string expected, List<ConfigProblem> problems)
    {
        if (node is ListNode { Items.Count: > 0 } list) return list.Items;
        problems.Add(new ConfigProblem(node.Place, path, $"is {(node is ListNode ? "an empty list" : node.Kind)}; expected {expected}"));
        return [];
    }

    /// <summary>A value that two parts of the sweep set would be one of them in secret.</summary>
    private static void SetTwice(List<IReadOnlyList<SweepPoint>> factors, List<ConfigProblem> problems)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var factor in factors)
        {
            var own = factor.SelectMany(point => Leaves(point.Over, "")).DistinctBy(leaf => leaf.Path).ToList();
            foreach (var (path, place) in own.Where(leaf => seen.Contains(leaf.Path)))
                problems.Add(new ConfigProblem(place, Key, $"sets {path} in two of its parts; expected it in one"));
            seen.UnionWith(own.Select(leaf => leaf.Path));
        }
    }

    private static IEnumerable<(string Path, Place Place)> Leaves(MapNode node, string prefix) => node.Entries.SelectMany(entry =>
        entry.Value is MapNode below ? Leaves(below, YamlText.Join(prefix, entry.Key)) : [(YamlText.Join(prefix, entry.Key), entry.Place)]);

    private static string LastOf(string key) => key[(key.LastIndexOf('.') + 1)..];

    private static string Text(ConfigNode node) => node switch
    {
        ScalarNode scalar => scalar.Text,
        ListNode list => string.Join('+', list.Items.Select(Text)),
        MapNode map => string.Join(',', map.Entries.Select(entry => $"{entry.Key}={Text(entry.Value)}")),
        _ => "",
    };

    /// <summary>What a folder may be called everywhere. Where letters are lost, a hash of the whole keeps names apart.</summary>
    private static string FolderName(string label)
    {
        var name = string.Concat(label.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '=' or ',' or '+' or '-' ? c : '-'));
        if (name == label && name.Length <= LongestName && name is not ("." or "..")) return name;
        return $"{name[..Math.Min(name.Length, LongestName)]}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(label)))[..8]}";
    }
}
