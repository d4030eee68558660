using System.Text.Json;
using J1.Cli;

namespace J1.Tests.Cli;

public sealed class ConfigCommandTests : IDisposable
{
    private const string Least = "name: x\nmodel:\n  create: {}\ndata:\n  generate: {}\n";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Validate_tells_every_mistake_of_every_file_and_exits_with_2()
    {
        var good = _folder.Write("good.yaml", Least);
        var wrong = _folder.Write("wrong.yaml", Least + "grpo:\n  stesp: 1\n  group_size: 1\n");
        var sweep = _folder.Write("sub/sweep.yaml", Least + "sweep:\n  seeds: [1, 2]\n");
        var run = CommandLine.Run("validate", _folder.Path);
        Assert.Equal((ExitCode.WrongInput, $"{good}: valid\n{sweep}: valid, a sweep of 2 runs\n"), (run.ExitCode, run.Output));
        Assert.Equal(2, run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.StartsWith($"{wrong}:7:3: grpo.stesp: unknown key", run.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, CommandLine.Run("validate", good).ExitCode);
    }

    [Fact]
    public void Validate_as_json_is_one_array_of_places()
    {
        var wrong = _folder.Write("wrong.yaml", Least + "grpo:\n  stesp: 1\n");
        var run = CommandLine.Run("validate", "--json", wrong);
        Assert.Equal((ExitCode.WrongInput, ""), (run.ExitCode, run.Error));
        var problem = Assert.Single(JsonDocument.Parse(run.Output).RootElement.EnumerateArray());
        Assert.Equal(["file", "line", "column", "path", "message", "suggestion"], problem.EnumerateObject().Select(field => field.Name));
        Assert.Equal((wrong, 7, 3, "grpo.stesp", "grpo.steps"), (problem.GetProperty("file").GetString(), problem.GetProperty("line").GetInt32(), problem.GetProperty("column").GetInt32(), problem.GetProperty("path").GetString(), problem.GetProperty("suggestion").GetString()));
        Assert.Equal("[]", CommandLine.Run("validate", "--json", _folder.Write("good.yaml", Least)).Output.Trim());
    }

    [Fact]
    public void Explain_tells_where_each_value_came_from()
    {
        _folder.Write("base.yaml", Least + "grpo:\n  steps: 3\n  group_size: 6\n");
        var file = _folder.Write("c.yaml", "extends: base.yaml\nseed: ${env:J1_TEST_NOT_SET:-9}\ngrpo:\n  group_size: 7\n");
        var lines = CommandLine.Run("explain", file, "--set", "grpo.temperature=0.5").Output.Split('\n');
        Assert.Equal($"{_folder.At("base.yaml")}:7:10", From("grpo.steps", "3"));
        Assert.Equal($"{file}:4:15", From("grpo.group_size", "7"));
        Assert.Equal($"{file}:2:7, from ${{env:J1_TEST_NOT_SET}}", From("seed", "9"));
        Assert.Equal("--set grpo.temperature=0.5", From("grpo.temperature", "0.5"));
        Assert.Equal("default", From("grpo.loss", "grpo"));
        Assert.DoesNotContain(lines, line => line.StartsWith("grpo.seed ", StringComparison.Ordinal));

        var json = JsonDocument.Parse(CommandLine.Run("explain", file, "--json").Output).RootElement.EnumerateArray().ToDictionary(value => value.GetProperty("path").GetString()!);
        Assert.Equal(("default", "file", 4), (json["grpo.loss"].GetProperty("from").GetString(), json["grpo.group_size"].GetProperty("from").GetString(), json["grpo.group_size"].GetProperty("line").GetInt32()));

        string From(string path, string value)
        {
            var words = Assert.Single(lines, line => line.StartsWith(path + " ", StringComparison.Ordinal)).Split(' ', 3, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            Assert.Equal(value, words[1]);
            return words[2];
        }
    }

    [Fact]
    public void The_schema_has_the_records_keys_types_defaults_and_ranges()
    {
        var schema = JsonDocument.Parse(CommandLine.Run("schema").Output).RootElement;
        var grpo = schema.GetProperty("properties").GetProperty("grpo");
        Assert.False(grpo.GetProperty("additionalProperties").GetBoolean());
        Assert.False(grpo.GetProperty("properties").TryGetProperty("seed", out _));
        var group = grpo.GetProperty("properties").GetProperty("group_size");
        Assert.Equal(5, group.GetProperty("default").GetInt32());
        Assert.Equal(("integer", 2), (group.GetProperty("anyOf")[0].GetProperty("type").GetString(), group.GetProperty("anyOf")[0].GetProperty("minimum").GetInt32()));
        Assert.StartsWith("Samples of one ordered prompt", group.GetProperty("description").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, grpo.GetProperty("properties").GetProperty("learning_rate").GetProperty("anyOf")[0].GetProperty("exclusiveMinimum").GetInt32());
        Assert.Contains("dr_grpo", grpo.GetProperty("properties").GetProperty("loss").GetProperty("anyOf")[0].GetProperty("enum").EnumerateArray().Select(name => name.GetString()));
        Assert.Equal(1, schema.GetProperty("properties").GetProperty("data").GetProperty("properties").GetProperty("test_share").GetProperty("anyOf")[0].GetProperty("exclusiveMaximum").GetInt32());
    }
}
