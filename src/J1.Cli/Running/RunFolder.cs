using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using J1.Cli.Configuration;
using J1.Engines;
using J1.Judging;

namespace J1.Cli.Running;

/// <summary>
/// What a run leaves: <c>config.resolved.yaml</c>, <c>environment.json</c>, <c>test_pairs.jsonl</c>, the logs <c>metrics.jsonl</c>, <c>samples.jsonl</c>, <c>timings.jsonl</c> and TensorBoard's events,
/// <c>synthetic/</c>, <c>judgements/</c>, <c>checkpoints/</c>, <c>model/</c>, <c>summary.json</c> and <c>report.html</c>. Metrics and samples depend on the configuration and its seed alone; what depends on the machine is in the timings.
/// </summary>
internal sealed class RunFolder : IDisposable
{
    public const string Metrics = "metrics.jsonl", Samples = "samples.jsonl", Timings = "timings.jsonl", Environment = "environment.json", TestPairs = "test_pairs.jsonl",
        Config = "config.resolved.yaml", Summary = "summary.json", Report = "report.html", Judgements = "judgements";

    private const string Unfinished = ".tmp", WarmStarted = "after-warm-start";
    private const int Kept = 2;

    private readonly Dictionary<string, FileStream> _logs = [];
    private readonly FileStream _lock;

    private readonly LoadedExperiment _experiment;
    private readonly TimeProvider _time;

    private RunFolder(string path, LoadedExperiment experiment, FileStream held, RunState state, string? checkpoint, TimeProvider time) =>
        (Path, _experiment, _lock, State, Checkpoint, _time) = (path, experiment, held, state, checkpoint, time);

    public string Path { get; }

    /// <summary>How far the run is.</summary>
    public RunState State { get; set; }

    /// <summary>The latest whole checkpoint, or null before the first.</summary>
    public string? Checkpoint { get; private set; }

    /// <summary>Whether the run came to its end, with this very configuration.</summary>
    public bool IsFinished => File.Exists(At(Summary)) && File.Exists(At(Report)) && JsonNode.Parse(File.ReadAllText(At(Summary)))?["config_hash"]?.GetValue<string>() == _experiment.Hash;

    /// <summary>The engine and the state at the end of the warm start: the reference of the KL term, and where another GRPO can begin.</summary>
    public string AfterWarmStart => System.IO.Path.Combine(Checkpoints, WarmStarted);

    private string Checkpoints => At("checkpoints");

    /// <summary>
    /// Makes the folder of a new run, or opens that of a run to go on with it. Where the configuration is another by now, what it changes nothing of is kept.
    /// </summary>
    /// <param name="path">The folder.</param>
    /// <param name="experiment">What runs.</param>
    /// <param name="time">For the events' times.</param>
    /// <param name="redo">Whether steps that were taken with another configuration may be thrown away.</param>
    /// <param name="siblings">Folders of other runs: where one has taken the very same warm start, a new run begins after it.</param>
    /// <exception cref="UsageException">The folder holds something else, or another process works in it.</exception>
    public static RunFolder Open(string path, LoadedExperiment experiment, TimeProvider time, bool redo = false, IReadOnlyList<string>? siblings = null)
    {
        var (config, hashFile, checkpoints) = (System.IO.Path.Combine(path, Config), System.IO.Path.Combine(path, "config.hash"), System.IO.Path.Combine(path, "checkpoints"));
        var isRun = File.Exists(config) && File.Exists(hashFile);
        if (!isRun && Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any(entry => !IsOurs(entry)))
            throw new UsageException($"'{path}' is not empty and holds no run. Choose another folder with --output.");
        var isOther = isRun && File.ReadAllText(hashFile).Trim() != experiment.Hash;

        Directory.CreateDirectory(path);
        FileStream held;
        try
        {
            held = new FileStream(System.IO.Path.Combine(path, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error)
        {
            throw new UsageException($"Another process is running in '{path}' ({error.Message.TrimEnd('.')}). Wait for it, or choose another folder with --output.");
        }

        try
        {
            Directory.CreateDirectory(checkpoints);
            foreach (var unfinished in Directory.GetDirectories(checkpoints, "*" + Unfinished)) Directory.Delete(unfinished, recursive: true);
            var latest = Whole(checkpoints).LastOrDefault() ?? Adopt(path, checkpoints, siblings ?? [], experiment.Stages);
            // Its number is that of its name: a copy of another checkpoint tells the other's.
            var state = latest is null ? new RunState() : RunState.Read(latest) with { Checkpoints = int.Parse(System.IO.Path.GetFileName(latest).AsSpan(0, 6), CultureInfo.InvariantCulture) };
            if (state.IsTrainedOtherwise(experiment.Stages))
            {
                if (!redo)
                    throw new UsageException($"'{path}' holds a run of another configuration ({FirstDifference(config, experiment, path)}). Choose another folder with --output, delete that one, or throw away the steps that no longer hold with --redo.");
                (state, latest) = GoBack(checkpoints, state, experiment.Stages);
            }
            if (!isRun || isOther)
            {
                foreach (var stale in (string[])[Environment, TestPairs]) File.Delete(System.IO.Path.Combine(path, stale));
                Files.WriteAtomically(config, $"# {experiment.Experiment.Name}: every value of the run, defaults included.\n{ConfigWriter.Write(experiment.Experiment with { Output = null }, path)}");
                Files.WriteAtomically(hashFile, experiment.Hash + "\n");
            }
            var folder = new RunFolder(path, experiment, held, state.Under(experiment.Stages), latest, time);
            folder.OpenLogs();
            return folder;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>What a sibling had at the end of the same warm start, as if it had been done here: it would come to the same bits.</summary>
    private static string? Adopt(string path, string checkpoints, IReadOnlyList<string> siblings, StageInputs now)
    {
        foreach (var sibling in siblings.Order(StringComparer.Ordinal))
        {
            var kept = System.IO.Path.Combine(sibling, "checkpoints", WarmStarted);
            if (System.IO.Path.GetFullPath(sibling) == System.IO.Path.GetFullPath(path) || !Directory.Exists(kept)) continue;
            var state = RunState.Read(kept);
            if (state.WarmStartInputs != now.WarmStart) continue;
            // The checkpoint comes last: before it is there, what lies around it is taken for nothing.
            foreach (var log in state.LogLengths.Keys) File.Copy(System.IO.Path.Combine(sibling, log), System.IO.Path.Combine(path, log), overwrite: true);
            var untrained = System.IO.Path.Combine(Judgements, "untrained.jsonl");
            if (File.Exists(System.IO.Path.Combine(sibling, untrained)))
            {
                Directory.CreateDirectory(System.IO.Path.Combine(path, Judgements));
                File.Copy(System.IO.Path.Combine(sibling, untrained), System.IO.Path.Combine(path, untrained), overwrite: true);
            }
            var place = System.IO.Path.Combine(checkpoints, Numbered(state.Checkpoints, "warm-start"));
            Copy(kept, place);
            return place;
        }
        return null;
    }

    private static void Copy(string checkpoint, string place)
    {
        Directory.CreateDirectory(place + Unfinished);
        foreach (var file in Directory.GetFiles(checkpoint)) File.Copy(file, System.IO.Path.Combine(place + Unfinished, System.IO.Path.GetFileName(file)), overwrite: true);
        Directory.Move(place + Unfinished, place);
    }

    /// <summary>To the end of the warm start where that still holds, or to the beginning.</summary>
    private static (RunState State, string? Checkpoint) GoBack(string checkpoints, RunState state, StageInputs now)
    {
        var kept = System.IO.Path.Combine(checkpoints, WarmStarted);
        string[] stale = [.. Whole(checkpoints)];
        var start = new RunState();
        string? place = null;
        if (state.WarmStartInputs == now.WarmStart && Directory.Exists(kept))
        {
            // Under the highest number yet: a kill between here and the deletions leaves it the latest.
            start = RunState.Read(kept) with { Checkpoints = state.Checkpoints + 1 };
            place = System.IO.Path.Combine(checkpoints, Numbered(start.Checkpoints, "warm-start"));
            Copy(kept, place);
        }
        else if (Directory.Exists(kept))
            Directory.Delete(kept, recursive: true);
        foreach (var folder in Enumerable.Reverse(stale)) Directory.Delete(folder, recursive: true);
        return (start, place);
    }

    public string At(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Appends a row to a log.</summary>
    public void Log(string log, object row)
    {
        var file = _logs[log];
        file.Write(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(row, Json.Line) + "\n"));
        file.Flush();
    }

    /// <summary>Appends scalars to TensorBoard's events.</summary>
    public void Log(string prefix, long step, params (string Name, double Value)[] scalars) =>
        _logs[EventFile.Name].Write(EventFile.Scalars(_time.GetUtcNow(), step, scalars.Where(scalar => double.IsFinite(scalar.Value)).Select(scalar => ($"{prefix}/{scalar.Name}", scalar.Value))));

    /// <summary>Saves the engine and the state, whole or not at all, and removes the checkpoints before the last two.</summary>
    public void Save(ITrainableEngine engine, string name)
    {
        State = State with { Checkpoints = State.Checkpoints + 1 };
        Checkpoint = System.IO.Path.Combine(Checkpoints, Numbered(State.Checkpoints, name));
        SaveAt(Checkpoint, engine);
        foreach (var old in Whole(Checkpoints).SkipLast(Kept)) Directory.Delete(old, recursive: true);
    }

    /// <summary>Keeps the engine and the state as they are at the end of the warm start.</summary>
    public void KeepWarmStart(ITrainableEngine engine)
    {
        if (!Directory.Exists(AfterWarmStart)) SaveAt(AfterWarmStart, engine);
    }

    /// <summary>What was judged of the pairs named <paramref name="of"/>, whole or not at all.</summary>
    public void WriteJudgements(string of, IEnumerable<PairJudgement> judgements)
    {
        Directory.CreateDirectory(At(Judgements));
        Files.WriteAtomically(System.IO.Path.Combine(At(Judgements), of + ".jsonl"), string.Concat(judgements.Select(judgement => JsonSerializer.Serialize(judgement, JudgingJson.Options) + "\n")));
    }

    /// <summary>The judgements that a run's folder has under a name; null where it has none.</summary>
    public static IReadOnlyList<PairJudgement>? ReadJudgements(string folder, string of)
    {
        var path = System.IO.Path.Combine(folder, Judgements, of + ".jsonl");
        return File.Exists(path) ? [.. JsonLines.Read(path).Select(row => row.Row.Deserialize<PairJudgement>(JudgingJson.Options)!)] : null;
    }

    private void SaveAt(string place, ITrainableEngine engine)
    {
        foreach (var log in _logs.Values) log.Flush(flushToDisk: true);
        State = State with { LogLengths = _logs.ToDictionary(log => log.Key, log => log.Value.Position) };
        engine.Save(place + Unfinished);
        Files.WriteAtomically(System.IO.Path.Combine(place + Unfinished, RunState.FileName), JsonSerializer.Serialize(State, Json.Indented) + "\n");
        Directory.Move(place + Unfinished, place);
    }

    private static string Numbered(int number, string name) => string.Create(CultureInfo.InvariantCulture, $"{number:000000}-{name}");

    public void Dispose()
    {
        foreach (var log in _logs.Values) log.Dispose();
        _lock.Dispose();
    }

    /// <summary>Opens the logs, cut back to the checkpoint: what came after it will come again.</summary>
    private void OpenLogs()
    {
        foreach (var name in (string[])[Metrics, Samples, Timings, EventFile.Name])
        {
            var file = new FileStream(At(name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
            file.SetLength(Math.Min(file.Length, State.LogLengths.GetValueOrDefault(name)));
            file.Position = file.Length;
            _logs.Add(name, file);
        }
        if (_logs[EventFile.Name].Length == 0) _logs[EventFile.Name].Write(EventFile.Header(_time.GetUtcNow()));
    }

    private static IEnumerable<string> Whole(string checkpoints) => Directory.GetDirectories(checkpoints)
        .Where(folder => char.IsAsciiDigit(System.IO.Path.GetFileName(folder)[0]) && !folder.EndsWith(Unfinished, StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    /// <summary>What a run that was killed while it made its folder may have left.</summary>
    private static bool IsOurs(string entry) => System.IO.Path.GetFileName(entry) is ".lock" or Config or Config + ".tmp" or "config.hash.tmp" or "checkpoints";

    private static string FirstDifference(string config, LoadedExperiment experiment, string folder)
    {
        var theirs = File.ReadAllText(config).Split('\n').Where(line => !line.StartsWith('#')).ToArray();
        var ours = ConfigWriter.Write(experiment.Experiment with { Output = null }, folder).Split('\n');
        var at = theirs.Zip(ours).FirstOrDefault(pair => pair.First != pair.Second);
        return at == default ? "its data or prompt files had other content" : $"it has '{at.First.Trim()}' where yours has '{at.Second.Trim()}'";
    }
}
