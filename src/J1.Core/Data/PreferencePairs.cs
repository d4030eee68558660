namespace J1.Data;

/// <summary>Preference pairs in files of JSON lines.</summary>
public static class PreferencePairs
{
    /// <summary>Reads pairs one by one.</summary>
    public static IEnumerable<PreferencePair> Read(string path) => throw new NotSupportedException();

    /// <summary>Writes pairs, one JSON object a line.</summary>
    public static void Write(string path, IEnumerable<PreferencePair> pairs) => throw new NotSupportedException();
}
