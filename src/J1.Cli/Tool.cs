using System.CommandLine;
using J1.Cli.Commands;
using J1.Cli.Configuration;
using J1.Data;
using J1.Engines;
using J1.Engines.Managed.Files;

namespace J1.Cli;

/// <summary>How a command ended.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>It began and could not finish.</summary>
    public const int Failed = 1;

    /// <summary>Wrong arguments, configuration or input.</summary>
    public const int WrongInput = 2;

    /// <summary>Stopped by the user.</summary>
    public const int Interrupted = 130;
}

/// <summary>Arguments or input that a command cannot work with.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>What a command writes to, and what stops it.</summary>
/// <param name="Out">Results.</param>
/// <param name="Error">Progress and messages of commands whose results are data; errors.</param>
/// <param name="IsTerminal">Whether somebody watches <paramref name="Out"/> live.</param>
/// <param name="Time">For progress and durations; nothing that is computed depends on it.</param>
internal sealed record CommandContext(TextWriter Out, TextWriter Error, bool IsTerminal, TimeProvider Time);

/// <summary>The <c>j1</c> tool.</summary>
internal static class Tool
{
    /// <summary>Runs one command line and returns its exit code (see <see cref="ExitCode"/>).</summary>
    public static int Run(string[] args, TextWriter output, TextWriter error, bool isTerminal = false, TimeProvider? time = null, CancellationToken cancellationToken = default)
    {
        var context = new CommandContext(output, error, isTerminal, time ?? TimeProvider.System);
        try
        {
            var result = Root(context).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (result.Errors.Count > 0)
            {
                foreach (var problem in result.Errors) error.WriteLine(problem.Message);
                var command = result.CommandResult.Command;
                error.WriteLine($"See 'j1 {(command is RootCommand ? "" : command.Name + " ")}--help'.");
                return ExitCode.WrongInput;
            }
            var invocation = new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return result.InvokeAsync(invocation, cancellationToken).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            error.WriteLine("Interrupted.");
            return ExitCode.Interrupted;
        }
        catch (Exception problem) when (problem is ConfigException or UsageException or DataException or ModelFileException or ContextOverflowException or FileNotFoundException or InvalidDataException or InsufficientMemoryException)
        {
            error.WriteLine(problem.Message);
            return ExitCode.WrongInput;
        }
        catch (Exception problem) when (problem is NonFiniteException or IOException or UnauthorizedAccessException or InvalidOperationException or OutOfMemoryException or ArgumentException or NotSupportedException)
        {
            error.WriteLine($"Failed: {problem.Message}");
            return ExitCode.Failed;
        }
        catch (Exception bug)
        {
            error.WriteLine($"Failed, and not by your doing; please report this:\n{bug}");
            return ExitCode.Failed;
        }
    }

    private static RootCommand Root(CommandContext context) => new("Trains language models to judge answers, by GRPO, and puts them to work.")
    {
        RunCommand.Create(context),
        ReportCommand.Create(context),
        PullCommand.Create(context),
        ConfigCommands.Validate(context),
        ConfigCommands.Explain(context),
        ConfigCommands.Schema(context),
        JudgeCommand.Create(context),
        InspectCommand.Create(context),
    };
}
