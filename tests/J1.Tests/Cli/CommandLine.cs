using J1.Cli;

namespace J1.Tests.Cli;

/// <summary>The tool as its users call it, in this process.</summary>
internal sealed record CommandLine(int ExitCode, string Output, string Error)
{
    public static CommandLine Run(params string[] arguments) => Run(null, null, default, arguments);

    public static CommandLine Run(TextWriter? output, TimeProvider? time, CancellationToken cancellationToken, params string[] arguments)
    {
        using var error = new StringWriter { NewLine = "\n" };
        using var own = new StringWriter { NewLine = "\n" };
        var exitCode = Tool.Run(arguments, output ?? own, error, isTerminal: false, time, cancellationToken);
        return new CommandLine(exitCode, own.ToString(), error.ToString());
    }
}

/// <summary>A clock that moves ten seconds whenever it is looked at, so that every line of progress is due.</summary>
internal sealed class HastyTime : TimeProvider
{
    private long _ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Add(ref _ticks, TimeSpan.TicksPerSecond * 10);
}

/// <summary>Calls <paramref name="onLine"/> with the number of every line written, from 1.</summary>
internal sealed class CountingWriter(Action<int, string> onLine) : StringWriter
{
    private int _lines;

    public override void WriteLine(string? value)
    {
        base.WriteLine(value);
        onLine(++_lines, value ?? "");
    }
}
