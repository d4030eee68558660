namespace J1.Cli.Configuration;

/// <summary>A value of a resolved configuration, and where it came from.</summary>
/// <param name="Path">The key, for example <c>grpo.group_size</c>.</param>
/// <param name="Value">As the resolved file has it.</param>
/// <param name="Place">Where it was written; null for a default.</param>
/// <param name="Variables">The environment variables it was made of.</param>
internal sealed record Explanation(string Path, string Value, Place? Place, IReadOnlyList<string> Variables)
{
    /// <summary>Every value of an experiment, in the order of the resolved file.</summary>
    public static IEnumerable<Explanation> Of(LoadedExperiment loaded, string folder) => Of(loaded.Experiment, loaded.Node, "", folder, null);

    private static IEnumerable<Explanation> Of(object section, MapNode? written, string path, string folder, SchemaKey? owner)
    {
        foreach (var key in ConfigSchema.KeysOf(section.GetType()))
        {
            if (owner?.Elsewhere.Any(other => other.Property == key.Property.Name) == true) continue;
            var (at, value, entry) = (YamlText.Join(path, key.Name), key.Property.GetValue(section), written?.Find(key.Name));
            if (value is not null && ConfigSchema.IsSection(key.Type))
            {
                foreach (var below in Of(value, entry?.Value as MapNode, at, folder, key)) yield return below;
            }
            else
                yield return new Explanation(at, ConfigWriter.Value(value, key, folder), entry?.Value.Place, entry is null ? [] : [.. VariablesOf(entry.Value)]);
        }
    }

    private static IEnumerable<string> VariablesOf(ConfigNode node) => node switch
    {
        ScalarNode scalar => scalar.Variables,
        ListNode list => list.Items.SelectMany(VariablesOf),
        MapNode map => map.Entries.SelectMany(entry => VariablesOf(entry.Value)),
        _ => [],
    };
}
