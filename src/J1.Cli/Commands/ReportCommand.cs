using System.CommandLine;
using J1.Cli.Reporting;
using J1.Cli.Running;

namespace J1.Cli.Commands;

/// <summary><c>j1 report RUN…</c>: a run as one HTML file, or several beside each other.</summary>
internal static class ReportCommand
{
    public static Command Create(CommandContext context)
    {
        var runs = new Argument<string[]>("RUN") { Description = "Folders of runs, finished or not; or folders of such folders.", Arity = ArgumentArity.OneOrMore };
        var output = new Option<string?>("--output") { Description = "The file. Default: report.html in the run's folder; of several, comparison.html here.", HelpName = "FILE" };
        var command = new Command("report", "Write the report of a run, or compare several, as one HTML file that needs no network.") { runs, output };
        command.SetAction(arguments =>
        {
            string[] folders = [.. arguments.GetRequiredValue(runs).SelectMany(Runs)];
            RunRecord[] records = [.. folders.Select(folder => RunRecord.Read(folder))];
            var file = arguments.GetValue(output) ?? (records.Length == 1 ? Path.Combine(folders[0], RunFolder.Report) : "comparison.html");
            Files.WriteAtomically(file, HtmlReport.Write(records, Path.GetDirectoryName(Path.GetFullPath(file))));
            if (records.Length > 1) context.Out.WriteLine(Comparison.Markdown(records));
            context.Out.WriteLine($"The report is in {file}.");
            return ExitCode.Done;
        });
        return command;
    }

    private static IEnumerable<string> Runs(string folder)
    {
        if (!Directory.Exists(folder)) throw new UsageException($"There is no folder '{folder}'.");
        if (RunRecord.IsRun(folder)) return [folder];
        string[] below = [.. Directory.GetDirectories(folder).Where(RunRecord.IsRun).Order(StringComparer.Ordinal)];
        return below.Length > 0 ? below : throw new UsageException($"'{folder}' holds no run.");
    }
}
