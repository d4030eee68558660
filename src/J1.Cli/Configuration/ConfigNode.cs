namespace J1.Cli.Configuration;

/// <summary>A value of a configuration, not yet typed, with the place where it was written.</summary>
internal abstract record ConfigNode(Place Place)
{
    /// <summary>What it is, for messages.</summary>
    public abstract string Kind { get; }
}

/// <summary>Text as written; <paramref name="IsQuoted"/> tells <c>"null"</c> from <c>null</c>. <paramref name="Folder"/> is what relative paths in it are relative to.</summary>
internal sealed record ScalarNode(string Text, bool IsQuoted, string Folder, Place Place) : ConfigNode(Place)
{
    /// <summary>The environment variables that were put into it.</summary>
    public IReadOnlyList<string> Variables { get; init; } = [];

    public bool IsNull => !IsQuoted && Text is "" or "~" or "null";

    public override string Kind => IsNull ? "empty" : $"'{Text}'";
}

internal sealed record ListNode(IReadOnlyList<ConfigNode> Items, Place Place) : ConfigNode(Place)
{
    public override string Kind => "a list";
}

internal sealed record MapNode(IReadOnlyList<MapEntry> Entries, Place Place) : ConfigNode(Place)
{
    public override string Kind => "a section";

    public MapEntry? Find(string key) => Entries.FirstOrDefault(entry => entry.Key == key);

    public MapNode Without(string key) => this with { Entries = [.. Entries.Where(entry => entry.Key != key)] };

    /// <summary>This with the entries of <paramref name="over"/> laid over it: sections are merged, everything else is replaced.</summary>
    public MapNode MergedWith(MapNode over)
    {
        var entries = new List<MapEntry>(Entries);
        foreach (var entry in over.Entries)
        {
            var at = entries.FindIndex(own => own.Key == entry.Key);
            if (at < 0)
                entries.Add(entry);
            else
                entries[at] = entries[at].Value is MapNode below && entry.Value is MapNode above ? entry with { Value = below.MergedWith(above) } : entry;
        }
        return over with { Entries = entries };
    }
}

internal sealed record MapEntry(string Key, Place Place, ConfigNode Value);
