namespace J1.Tests;

/// <summary>The optional reference data that lives beside a checkout (`../shared`). Tests that need it skip, and say so, where it is absent.</summary>
internal static class Shared
{
    /// <summary>The repository's root: the folder that holds J1.MLNet.sln.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The reference folder, or null where this machine has none.</summary>
    public static string? Root { get; } = FindShared();

    public static string PathTo(string relative) => Path.Combine(Root ?? throw new InvalidOperationException("../shared is absent"), relative);

    private static string FindRoot()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "J1.MLNet.sln")))
                return folder;
        throw new InvalidOperationException("The tests must run from inside the repository (no J1.MLNet.sln above " + AppContext.BaseDirectory + ").");
    }

    private static string? FindShared()
    {
        var folder = Path.Combine(Path.GetDirectoryName(RepositoryRoot) ?? "/", "shared");
        return Directory.Exists(Path.Combine(folder, "golden")) ? folder : null;
    }
}

/// <summary>A fact that needs a file of `../shared`; skipped with a message where it is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SharedFactAttribute : FactAttribute
{
    public SharedFactAttribute(string needs = "golden")
    {
        if (Shared.Root is null || !Path.Exists(Shared.PathTo(needs)))
            Skip = $"needs ../shared/{needs}, which is not beside this checkout";
    }
}

/// <summary>A theory that needs a file of `../shared`; skipped with a message where it is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SharedTheoryAttribute : TheoryAttribute
{
    public SharedTheoryAttribute(string needs = "golden")
    {
        if (Shared.Root is null || !Path.Exists(Shared.PathTo(needs)))
            Skip = $"needs ../shared/{needs}, which is not beside this checkout";
    }
}
