using System.CommandLine;
using J1.Cli.Configuration;
using J1.Cli.Running;

namespace J1.Cli.Commands;

/// <summary><c>j1 run CONFIG</c>: an experiment from its file to its report.</summary>
internal static class RunCommand
{
    public static Command Create(CommandContext context)
    {
        var config = new Argument<string>("CONFIG") { Description = "The experiment, a YAML file." };
        var output = new Option<string?>("--output") { Description = "The run's folder. Default: runs/NAME-seedN.", HelpName = "DIR" };
        var set = ConfigCommands.Set();
        var resume = new Option<bool>("--resume") { Description = "Say that a run is to go on. A run of the same configuration goes on in any case; where there is no checkpoint yet, it starts from the beginning." };
        var quiet = new Option<bool>("--quiet") { Description = "Show no progress, only the result." };
        var command = new Command("run", "Run an experiment: warm start, GRPO, measurements before and after.") { config, output, set, resume, quiet };
        command.SetAction((arguments, cancellationToken) => Task.FromResult(Run(
            context, arguments.GetRequiredValue(config), arguments.GetValue(output), arguments.GetValue(set) ?? [], arguments.GetValue(resume), arguments.GetValue(quiet), cancellationToken)));
        return command;
    }

    private static int Run(CommandContext context, string config, string? output, string[] sets, bool resume, bool quiet, CancellationToken cancellationToken)
    {
        var loaded = LoadedExperiment.Read(config, sets);
        var experiment = loaded.Experiment;
        var path = output ?? experiment.Output ?? Path.Combine("runs", $"{experiment.Name}-seed{experiment.Seed}");
        using var folder = RunFolder.Open(path, loaded);
        var display = new RunDisplay(context, quiet);
        if (resume && folder.Checkpoint is null) display.Say($"There is no checkpoint in {path} to go on from; the run starts from the beginning.");
        if (folder.IsFinished)
        {
            display.Show(RunReport.Table(experiment, folder.State));
            display.Tell($"This run is finished, in {path}. Delete the folder or choose another --output to run it again.");
            return ExitCode.Done;
        }
        using var run = new ExperimentRun(loaded, folder, display, context.Time);
        return run.Run(cancellationToken);
    }
}
