using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace J1.Cli.Running;

/// <summary>
/// What a run shows while it goes: on a terminal one line that is redrawn, otherwise a line every few seconds; or for programs a JSON object a line, with the event's name first.
/// </summary>
internal sealed class RunDisplay
{
    private static readonly TimeSpan s_plainInterval = TimeSpan.FromSeconds(5), s_terminalInterval = TimeSpan.FromMilliseconds(100);

    private readonly CommandContext _context;
    private readonly bool _isQuiet, _isJson;
    private readonly IAnsiConsole _console;
    private string _stage = "";
    private int _first, _total;
    private long _begun, _shown;
    private bool _hasLine;

    public RunDisplay(CommandContext context, bool isQuiet, bool isJson = false)
    {
        (_context, _isQuiet, _isJson) = (context, isQuiet, isJson);
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
    /// <param name="done">Of the total.</param>
    /// <param name="figures">For people.</param>
    /// <param name="values">For programs.</param>
    public void Step(int done, string figures, object? values = null)
    {
        if (_isQuiet) return;
        var now = _context.Time.GetTimestamp();
        if (_isJson)
        {
            var seconds = _context.Time.GetElapsedTime(_begun, now) / Math.Max(1, done - _first) * (_total - done);
            Event("step", new { stage = _stage, done, total = _total, seconds_left = Math.Round(seconds.TotalSeconds, 1), values });
            return;
        }
        var interval = _context.IsTerminal ? s_terminalInterval : s_plainInterval;
        if (done < _total && _shown != 0 && _context.Time.GetElapsedTime(_shown, now) < interval) return;
        _shown = now;
        var left = done >= _total || done <= _first ? "" : $"  {Sizes.Text(_context.Time.GetElapsedTime(_begun, now) / (done - _first) * (_total - done))} left";
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
        if (!_isQuiet) Tell(text);
    }

    /// <summary>A message that is shown in any case.</summary>
    public void Tell(string text)
    {
        if (_isJson)
        {
            Event("message", new { text });
            return;
        }
        EndLine();
        _context.Out.WriteLine(text);
    }

    /// <summary>The run's end: in words, or for programs its summary.</summary>
    public void Finish(string text, string folder, string summary)
    {
        if (_isJson) Event("result", new { folder, summary = JsonNode.Parse(summary) });
        else Tell(text);
    }

    /// <summary>A table, in any case; programs have the summary.</summary>
    public void Show(Table table)
    {
        if (_isJson) return;
        EndLine();
        _console.Write(table);
    }

    /// <summary>What went wrong.</summary>
    public void Fail(string text)
    {
        EndLine();
        if (_isJson) Event("error", new { text });
        _context.Error.WriteLine(text);
    }

    private void Event(string name, object values)
    {
        var line = new JsonObject { ["event"] = name };
        foreach (var (key, value) in JsonSerializer.SerializeToNode(values, Json.Line)!.AsObject().ToList()) line[key] = value?.DeepClone();
        _context.Out.WriteLine(line.ToJsonString(Json.Line));
    }

    private void EndLine()
    {
        if (_hasLine) _context.Out.WriteLine();
        _hasLine = false;
    }
}
