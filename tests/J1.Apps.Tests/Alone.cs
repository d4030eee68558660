namespace J1.Apps.Tests;

/// <summary>Tests that watch what the whole process shares (its activities, its unobserved exceptions): they run after all others, one at a time.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}
