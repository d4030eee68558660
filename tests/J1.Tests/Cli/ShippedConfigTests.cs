using J1.Cli.Configuration;

namespace J1.Tests.Cli;

public sealed class ShippedConfigTests
{
    private static readonly string s_folder = Path.Combine(Shared.RepositoryRoot, "configs");

    public static TheoryData<string> All => [.. Directory.GetFiles(s_folder, "*.yaml", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(s_folder, file)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(All))]
    public void Every_shipped_configuration_is_valid_and_says_its_name(string file)
    {
        var experiment = LoadedExperiment.Read(Path.Combine(s_folder, file), []).Experiment;
        Assert.Equal(Path.GetFileNameWithoutExtension(file), experiment.Name);
    }

    [Fact]
    public void No_shipped_configuration_is_missed() =>
        Assert.Equal(["quickstart.yaml", "smollm2-judge-thinking.yaml", "smollm2-judge.yaml"], Directory.GetFiles(s_folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(s_folder, file)).Order(StringComparer.Ordinal));
}
