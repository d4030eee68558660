namespace J1.Tests;

/// <summary>Tests that watch or change what the whole process shares (memory held, vector width, threads): they run after all others, one at a time.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}
