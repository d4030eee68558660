using J1.Cli.Configuration;

namespace J1.Tests.Cli;

public sealed class ShippedConfigTests
{
    private const string Schema = "experiment.schema.json";

    private static readonly string s_folder = Path.Combine(Shared.RepositoryRoot, "configs");

    private static string[] Files => [.. Directory.GetFiles(s_folder, "*.yaml", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(s_folder, file).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    public static TheoryData<string> All => [.. Files];

    [Theory]
    [MemberData(nameof(All))]
    public void Every_shipped_configuration_is_valid_and_says_its_name(string file)
    {
        var loaded = LoadedFile.Read(Path.Combine(s_folder, file), []);
        Assert.All(loaded.Runs, run => Assert.Equal(Path.GetFileNameWithoutExtension(file), run.Experiment.Name));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Every_shipped_configuration_names_the_schema_to_editors(string file)
    {
        var path = Path.Combine(s_folder, file);
        var line = File.ReadLines(path).First();
        const string start = "# yaml-language-server: $schema=";
        Assert.StartsWith(start, line, StringComparison.Ordinal);
        Assert.Equal(Path.Combine(s_folder, Schema), Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, line[start.Length..])));
    }

    [Fact]
    public void The_shipped_schema_is_that_of_the_records() =>
        Assert.True(JsonSchema.Write() == File.ReadAllText(Path.Combine(s_folder, Schema)), "The options have changed: write the schema anew with 'j1 schema --output configs/experiment.schema.json'.");

    [Fact]
    public void No_shipped_configuration_is_missed() =>
        Assert.Equal(["ablations.yaml", "paper/j1-llama-70b.yaml", "paper/j1-llama-8b.yaml", "paper/j1-qwen-32b-multitask.yaml", "quickstart.yaml", "smollm2-judge-thinking.yaml", "smollm2-judge.yaml"], Files);
}
