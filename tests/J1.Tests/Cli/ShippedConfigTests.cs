using System.Text.RegularExpressions;
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
    public void The_ablations_are_eight_over_three_seeds()
    {
        var runs = LoadedFile.Read(Path.Combine(s_folder, "ablations.yaml"), []).Runs;
        Assert.Equal(24, runs.Count);
        Assert.Equal(8, runs.Select(run => run.Id![..run.Id!.LastIndexOf('-')]).Distinct().Count());
        // Without their names and seeds, no two of them are the same experiment.
        Assert.Equal(8, runs.Select(run => ConfigWriter.Write(run.Experiment with { Seed = 0 }, s_folder)).Distinct().Count());
    }

    [Fact]
    public void The_readmes_configurations_are_valid_beside_the_shipped_ones()
    {
        var snippets = Regex.Matches(File.ReadAllText(Path.Combine(Shared.RepositoryRoot, "README.md")), "```yaml\n(.*?)```", RegexOptions.Singleline);
        Assert.NotEmpty(snippets);
        using var folder = new TemporaryFolder();
        foreach (var file in Files) folder.Write(file, File.ReadAllText(Path.Combine(s_folder, file)));
        Assert.All(snippets, snippet => Assert.NotEmpty(LoadedFile.Read(folder.Write("readme.yaml", snippet.Groups[1].Value), []).Runs));
    }

    [Fact]
    public void No_shipped_configuration_is_missed() =>
        Assert.Equal(["ablations.yaml", "paper/j1-llama-70b.yaml", "paper/j1-llama-8b.yaml", "paper/j1-qwen-32b-multitask.yaml", "quickstart.yaml", "smollm2-judge-thinking.yaml", "smollm2-judge.yaml"], Files);
}
