using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using J1.Cli.Configuration;

namespace J1.Cli.Commands;

/// <summary><c>j1 validate</c>, <c>j1 explain</c> and <c>j1 schema</c>: what a configuration says, without running it.</summary>
internal static class ConfigCommands
{
    public static Command Validate(CommandContext context)
    {
        var files = new Argument<string[]>("CONFIG") { Description = "Experiments, or folders of them.", Arity = ArgumentArity.OneOrMore };
        var set = Set();
        var json = new Option<bool>("--json") { Description = "Print all mistakes as one array of file, line, column, path, message and suggestion." };
        var command = new Command("validate", "Check configurations: every mistake with its place. Exit code 2 where there is one.") { files, set, json };
        command.SetAction(arguments => Validate(context, arguments.GetRequiredValue(files), arguments.GetValue(set) ?? [], arguments.GetValue(json)));
        return command;
    }

    public static Command Explain(CommandContext context)
    {
        var file = new Argument<string>("CONFIG") { Description = "The experiment." };
        var set = Set();
        var json = new Option<bool>("--json") { Description = "Print an array of path, value, from, file, line, column and variables." };
        var command = new Command("explain", "Show every value of an experiment and where it came from: a file's line, the environment, --set, or a default.") { file, set, json };
        command.SetAction(arguments => Explain(context, arguments.GetRequiredValue(file), arguments.GetValue(set) ?? [], arguments.GetValue(json)));
        return command;
    }

    public static Command Schema(CommandContext context)
    {
        var output = new Option<string?>("--output") { Description = "Where it goes. Default: the standard output.", HelpName = "FILE" };
        var command = new Command("schema", "Print the JSON Schema of experiments, for editors.") { output };
        command.SetAction(arguments =>
        {
            if (arguments.GetValue(output) is { } file) Files.WriteAtomically(file, JsonSchema.Write());
            else context.Out.Write(JsonSchema.Write());
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>The overrides that all commands with a configuration take.</summary>
    public static Option<string[]> Set() => new("--set") { Description = "Override a value, as in --set grpo.steps=40; may be repeated.", HelpName = "KEY=VALUE", DefaultValueFactory = _ => [] };

    private static int Validate(CommandContext context, string[] names, string[] sets, bool json)
    {
        var problems = new List<ConfigProblem>();
        foreach (var file in names.SelectMany(FilesOf))
            try
            {
                var loaded = LoadedFile.Read(file, sets);
                if (!json) context.Out.WriteLine(loaded.Sweep is null ? $"{file}: valid" : string.Create(CultureInfo.InvariantCulture, $"{file}: valid, a sweep of {loaded.Runs.Count} runs"));
            }
            catch (ConfigException error)
            {
                problems.AddRange(error.Problems);
            }
        if (json)
            context.Out.WriteLine(JsonSerializer.Serialize(problems.Select(problem => new { problem.Place.File, problem.Place.Line, problem.Place.Column, problem.Path, problem.Message, problem.Suggestion }), Json.Indented));
        else
            foreach (var problem in problems) context.Error.WriteLine(problem);
        return problems.Count == 0 ? ExitCode.Done : ExitCode.WrongInput;
    }

    private static IEnumerable<string> FilesOf(string name)
    {
        if (!Directory.Exists(name)) return [name];
        string[] files = [.. Directory.GetFiles(name, "*.yaml", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        return files.Length > 0 ? files : throw new UsageException($"'{name}' holds no .yaml file.");
    }

    private static int Explain(CommandContext context, string file, string[] sets, bool json)
    {
        var loaded = LoadedFile.Read(file, sets);
        var here = Directory.GetCurrentDirectory();
        var runs = loaded.Runs.Select(run => (run.Id, Values: Explanation.Of(run, here).ToList())).ToList();
        if (json)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(runs.SelectMany(run => run.Values.Select(value => new
            {
                run = run.Id,
                value.Path,
                value.Value,
                from = value.Place is null ? "default" : value.Place.Value.Line == 0 ? "set" : "file",
                file = value.Place?.File,
                line = value.Place?.Line,
                column = value.Place?.Column,
                value.Variables,
            })), Json.Indented));
            return ExitCode.Done;
        }
        foreach (var (id, values) in runs)
        {
            if (id is not null) context.Out.WriteLine($"# {id}");
            var (paths, shown) = (values.Max(value => value.Path.Length), Math.Min(40, values.Max(value => value.Value.Length)));
            foreach (var value in values)
                context.Out.WriteLine($"{value.Path.PadRight(paths)}  {value.Value.PadRight(shown)}  {From(value)}".TrimEnd());
        }
        return ExitCode.Done;
    }

    private static string From(Explanation value) =>
        (value.Place?.ToString() ?? "default") + (value.Variables.Count == 0 ? "" : $", from {string.Join(", ", value.Variables.Select(name => $"${{env:{name}}}"))}");
}
