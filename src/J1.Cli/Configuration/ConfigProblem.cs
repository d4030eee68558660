namespace J1.Cli.Configuration;

/// <summary>Where something was written: a file with line and column (from 1), or a <c>--set</c> argument, which has none.</summary>
internal readonly record struct Place(string File, int Line = 0, int Column = 0)
{
    public override string ToString() => Line == 0 ? File : $"{File}:{Line}:{Column}";
}

/// <summary>One mistake in a configuration.</summary>
/// <param name="Place">Where it stands.</param>
/// <param name="Path">The key, for example <c>grpo.group_size</c>; empty for a mistake of the file itself.</param>
/// <param name="Message">What is wrong and what was expected.</param>
/// <param name="Suggestion">The nearest thing that would be right, where there is one.</param>
internal sealed record ConfigProblem(Place Place, string Path, string Message, string? Suggestion = null)
{
    public override string ToString()
    {
        var path = Path.Length == 0 ? "" : $"{Path}: ";
        var suggestion = Suggestion is null ? "" : $"; did you mean '{Suggestion}'?";
        return $"{Place}: {path}{Message}{suggestion}";
    }
}

/// <summary>A configuration that cannot be used, with everything that is wrong in it.</summary>
internal sealed class ConfigException(IReadOnlyList<ConfigProblem> problems) : Exception(string.Join('\n', problems))
{
    public IReadOnlyList<ConfigProblem> Problems { get; } = problems;
}
