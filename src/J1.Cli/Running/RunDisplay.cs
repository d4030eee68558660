using System.Globalization;
using Spectre.Console;

namespace J1.Cli.Running;

/// <summary>
/// What a run shows while it goes: on a terminal one line that is redrawn, otherwise a line every few seconds.
/// </summary>
internal sealed class RunDisplay
{
    private static readonly TimeSpan s_plainInterval = TimeSpan.FromSeconds(5), s_terminalInterval = TimeSpan.FromMilliseconds(100);

    private readonly CommandContext _context;
    private readonly bool _isQuiet;
    private readonly IAnsiConsole _console;
    private string _stage = "";
    private int _first, _total;
    private long _begun, _shown;
    private bool _hasLine;

    public RunDisplay(CommandContext context, bool isQuiet)
    {
        (_context, _isQuiet) = (context, isQuiet);
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = context.IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = context.IsTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Out = new AnsiConsoleOutput(context.Out),
        });
        if (!context.IsTerminal) _console.Profile.Width = 160;
    }

    /// <summary>A stage of <paramref name="total"/> steps begins at step <paramref name="first"/>.</summary>
    public void Begin(string stage, int first, int total)
    {
        (_stage, _first, _total) = (stage, first, total);
        _begun = _context.Time.GetTimestamp();
        _shown = 0;
    }

    /// <summary>So many steps of the stage are done.</summary>
    public void Step(int done, string figures)
    {
        if (_isQuiet) return;
        var now = _context.Time.GetTimestamp();
        var interval = _context.IsTerminal ? s_terminalInterval : s_plainInterval;
        if (done < _total && _shown != 0 && _context.Time.GetElapsedTime(_shown, now) < interval) return;
        _shown = now;
        var left = done >= _total ? "" : $"  {Sizes.Text(_context.Time.GetElapsedTime(_begun, now) / (done - _first) * (_total - done))} left";
        var count = string.Create(CultureInfo.InvariantCulture, $"{done,5}/{_total}");
        if (!_context.IsTerminal)
        {
            _context.Out.WriteLine($"{_stage,-10} {count}  {figures}{left}");
            return;
        }

        const int width = 20;
        var filled = width * done / _total;
        var line = $"{figures}{left}";
        var room = Math.Max(10, _console.Profile.Width - 11 - width - count.Length - 6);
        _context.Out.Write("\r\u001b[2K");
        _console.Markup($"[bold]{_stage,-10}[/] [green]{new string('━', filled)}[/][grey]{new string('─', width - filled)}[/] {count}  {Markup.Escape(line.Length > room ? line[..room] : line)}");
        _hasLine = true;
        if (done >= _total) EndLine();
    }

    /// <summary>A message; left out where the run is quiet.</summary>
    public void Say(string text)
    {
        if (_isQuiet) return;
        EndLine();
        _context.Out.WriteLine(text);
    }

    /// <summary>A message that is shown in any case.</summary>
    public void Tell(string text)
    {
        EndLine();
        _context.Out.WriteLine(text);
    }

    /// <summary>A table, in any case.</summary>
    public void Show(Table table)
    {
        EndLine();
        _console.Write(table);
    }

    /// <summary>What went wrong.</summary>
    public void Fail(string text)
    {
        EndLine();
        _context.Error.WriteLine(text);
    }

    private void EndLine()
    {
        if (_hasLine) _context.Out.WriteLine();
        _hasLine = false;
    }
}
