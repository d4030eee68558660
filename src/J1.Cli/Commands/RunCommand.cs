using System.CommandLine;
using System.Globalization;
using J1.Cli.Configuration;
using J1.Cli.Reporting;
using J1.Cli.Running;

namespace J1.Cli.Commands;

/// <summary><c>j1 run CONFIG</c>: an experiment from its file to its report; of a sweep, all of its runs.</summary>
internal sealed class RunCommand(CommandContext context, string config, string? output, bool resume, bool redo, bool quiet, bool json)
{
    public static Command Create(CommandContext context)
    {
        var config = new Argument<string>("CONFIG") { Description = "The experiment, a YAML file." };
        var output = new Option<string?>("--output") { Description = "The run's folder; of a sweep, the folder of its runs. Default: runs/NAME-seedN, or runs/NAME.", HelpName = "DIR" };
        var set = ConfigCommands.Set();
        var resume = new Option<bool>("--resume") { Description = "Say that a run is to go on. A run of the same configuration goes on in any case; where there is no checkpoint yet, it starts from the beginning." };
        var redo = new Option<bool>("--redo") { Description = "Throw away steps in the folder that were taken with another configuration; a warm start that still holds is kept." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Run nothing: show the configuration, the data, token counts, memory, time, and the first prompt." };
        var quiet = new Option<bool>("--quiet") { Description = "Show no progress, only the result." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object a line: step, message, error and result." };
        var command = new Command("run", "Run an experiment: warm start, GRPO, measurements, calibration, report.") { config, output, set, resume, redo, dryRun, quiet, json };
        command.SetAction((arguments, cancellationToken) =>
        {
            var loaded = LoadedFile.Read(arguments.GetRequiredValue(config), arguments.GetValue(set) ?? []);
            if (arguments.GetValue(dryRun)) return Task.FromResult(DryRun.Show(context, loaded));
            var run = new RunCommand(context, arguments.GetRequiredValue(config), arguments.GetValue(output), arguments.GetValue(resume), arguments.GetValue(redo), arguments.GetValue(quiet), arguments.GetValue(json));
            return Task.FromResult(run.Run(loaded, cancellationToken));
        });
        return command;
    }

    private int Run(LoadedFile loaded, CancellationToken cancellationToken)
    {
        var first = loaded.Runs[0].Experiment;
        if (loaded.Sweep is null) return Run(loaded.Runs[0], output ?? first.Output ?? Path.Combine("runs", $"{first.Name}-seed{first.Seed}"), cancellationToken);

        var root = output ?? first.Output ?? Path.Combine("runs", first.Name);
        var display = new RunDisplay(context, quiet, json);
        var (folders, failed) = (new List<string>(), 0);
        foreach (var (i, run) in loaded.Runs.Index())
        {
            display.Tell(string.Create(CultureInfo.InvariantCulture, $"Run {i + 1} of {loaded.Runs.Count}: {run.Id}"));
            var folder = Path.Combine(root, run.Id!);
            var code = Run(run, folder, cancellationToken);
            if (code == ExitCode.Interrupted) return code;
            if (code == ExitCode.Done) folders.Add(folder);
            else failed++;
        }
        if (folders.Count > 0)
        {
            RunRecord[] records = [.. folders.Select(folder => RunRecord.Read(folder))];
            var table = Comparison.Markdown(records);
            Files.WriteAtomically(Path.Combine(root, "table.md"), $"{table}\n`j1 run {config}`\n");
            Files.WriteAtomically(Path.Combine(root, RunFolder.Report), HtmlReport.Write(records, root));
            display.Tell($"{table}\nThe table is in {Path.Combine(root, "table.md")}, the report in {Path.Combine(root, RunFolder.Report)}.");
        }
        if (failed == 0) return ExitCode.Done;
        display.Fail(string.Create(CultureInfo.InvariantCulture, $"{failed} of {loaded.Runs.Count} runs failed; the same command tries them again."));
        return ExitCode.Failed;
    }

    private int Run(LoadedExperiment loaded, string path, CancellationToken cancellationToken)
    {
        // Runs of a sweep that differ after the warm start alone share it.
        var siblings = loaded.Id is not null && Path.GetDirectoryName(Path.GetFullPath(path)) is { } root && Directory.Exists(root) ? Directory.GetDirectories(root) : [];
        using var folder = RunFolder.Open(path, loaded, context.Time, redo, siblings);
        var display = new RunDisplay(context, quiet, json);
        if (resume && folder.Checkpoint is null) display.Say($"There is no checkpoint in {path} to go on from; the run starts from the beginning.");
        if (folder.IsFinished)
        {
            display.Show(RunReport.Table(loaded.Experiment, folder.State));
            display.Finish($"This run is finished, in {path}. Delete the folder or choose another --output to run it again.", path, File.ReadAllText(folder.At(RunFolder.Summary)));
            return ExitCode.Done;
        }
        var written = Synthesis.Run(loaded, folder, display, context.Time, cancellationToken);
        using var run = new ExperimentRun(loaded, folder, written, display, context.Time);
        return run.Run(cancellationToken);
    }
}
