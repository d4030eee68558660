namespace J1.Cli.Configuration;

/// <summary>A configuration file with its bases (<c>extends</c>) under it and the <c>--set</c> arguments over it, as one untyped section.</summary>
internal static class ConfigFile
{
    public const string Extends = "extends";

    /// <summary>Reads and merges; what is wrong is added to <paramref name="problems"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="sets">Overrides as <c>a.b=value</c>, the value being YAML; later ones win.</param>
    /// <param name="problems">Added to.</param>
    /// <param name="environment">Gives a variable's value, or null where it is not set.</param>
    public static MapNode Read(string path, IReadOnlyList<string> sets, List<ConfigProblem> problems, Func<string, string?> environment)
    {
        var merged = ReadWithBases(path, new Place(path), [], problems, environment);
        foreach (var set in sets)
            merged = merged.MergedWith(Override(set, problems, environment));
        return merged;
    }

    private static MapNode ReadWithBases(string path, Place askedAt, IReadOnlyList<string> above, List<ConfigProblem> problems, Func<string, string?> environment)
    {
        var nothing = new MapNode([], new Place(path));
        var full = Path.GetFullPath(path);
        if (above.Contains(full))
        {
            problems.Add(new ConfigProblem(askedAt, Extends, $"goes round in a circle: {string.Join(" → ", above.Append(full).Select(Path.GetFileName))}"));
            return nothing;
        }

        string text;
        try
        {
            text = File.ReadAllText(full);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            var problem = error is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : error.Message;
            problems.Add(new ConfigProblem(askedAt, above.Count == 0 ? "" : Extends, above.Count == 0 ? problem : $"'{path}': {problem}"));
            return nothing;
        }

        var folder = Path.GetDirectoryName(full)!;
        var node = YamlText.Parse(text, path, folder, problems, environment);
        if (node is not MapNode map)
        {
            if (node is not (null or ScalarNode { IsNull: true })) problems.Add(new ConfigProblem(node.Place, "", $"is {node.Kind}; expected keys and values"));
            return nothing;
        }

        var bases = nothing;
        foreach (var item in map.Find(Extends)?.Value is { } extends ? extends is ListNode list ? list.Items : [extends] : [])
        {
            if (item is ScalarNode { IsNull: false } file)
                bases = bases.MergedWith(ReadWithBases(Beside(path, file.Text), file.Place, [.. above, full], problems, environment));
            else
                problems.Add(new ConfigProblem(item.Place, Extends, $"is {item.Kind}; expected a file, or a list of files"));
        }
        return bases.MergedWith(map.Without(Extends));
    }

    /// <summary>A base's path in the way its own user's was written, so that messages show what the reader knows.</summary>
    private static string Beside(string path, string other) => Path.Combine(Path.GetDirectoryName(path) ?? "", other);

    private static MapNode Override(string set, List<ConfigProblem> problems, Func<string, string?> environment)
    {
        var place = new Place($"--set {set}");
        var equals = set.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0 || Array.Exists(set[..equals].Split('.'), string.IsNullOrWhiteSpace))
        {
            problems.Add(new ConfigProblem(place, "", "expected a key and a value, as in --set grpo.steps=40"));
            return new MapNode([], place);
        }

        var folder = Directory.GetCurrentDirectory();
        var value = YamlText.Parse(set[(equals + 1)..], place.File, folder, problems, environment, place) ?? new ScalarNode("", false, folder, place);
        return Nested(set[..equals], place, value);
    }

    /// <summary><c>a.b</c> and a value as sections in each other.</summary>
    internal static MapNode Nested(string path, Place place, ConfigNode value)
    {
        var keys = path.Split('.');
        for (var i = keys.Length - 1; i >= 0; i--)
            value = new MapNode([new MapEntry(keys[i].Trim(), place, value)], place);
        return (MapNode)value;
    }
}
