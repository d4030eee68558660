using System.Text;
using System.Text.Json;
using J1.Cli.Configuration;
using J1.Engines;

namespace J1.Cli.Running;

/// <summary>
/// What a run leaves: <c>config.resolved.yaml</c>, <c>environment.json</c>, <c>test_pairs.jsonl</c>, the logs <c>metrics.jsonl</c>, <c>samples.jsonl</c> and <c>timings.jsonl</c>,
/// <c>checkpoints/</c>, <c>model/</c> and <c>summary.json</c>. Metrics and samples depend on the configuration and its seed alone; what depends on the machine is in the timings.
/// </summary>
internal sealed class RunFolder : IDisposable
{
    public const string Metrics = "metrics.jsonl", Samples = "samples.jsonl", Timings = "timings.jsonl", Environment = "environment.json", TestPairs = "test_pairs.jsonl";

    private const string Unfinished = ".tmp";
    private const int Kept = 2;

    private readonly Dictionary<string, FileStream> _logs = [];
    private readonly FileStream _lock;

    private RunFolder(string path, FileStream held, RunState state, string? checkpoint) => (Path, _lock, State, Checkpoint) = (path, held, state, checkpoint);

    public string Path { get; }

    /// <summary>How far the run is.</summary>
    public RunState State { get; set; }

    /// <summary>The latest whole checkpoint, or null before the first.</summary>
    public string? Checkpoint { get; private set; }

    /// <summary>Whether the run came to its end.</summary>
    public bool IsFinished => File.Exists(At("summary.json"));

    /// <summary>The engine's weights at the start of GRPO, where they are needed again: the reference of the KL term.</summary>
    public string Reference => System.IO.Path.Combine(Checkpoints, "reference");

    private string Checkpoints => At("checkpoints");

    /// <summary>
    /// Makes the folder of a new run, or opens that of a run with the same configuration to go on with it.
    /// </summary>
    /// <param name="path">The folder.</param>
    /// <param name="experiment">What runs.</param>
    /// <exception cref="UsageException">The folder holds something else, or another process works in it.</exception>
    public static RunFolder Open(string path, LoadedExperiment experiment)
    {
        var config = System.IO.Path.Combine(path, "config.resolved.yaml");
        var hashFile = System.IO.Path.Combine(path, "config.hash");
        var checkpoints = System.IO.Path.Combine(path, "checkpoints");
        var isRun = File.Exists(config) && File.Exists(hashFile);
        if (!isRun && Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any(entry => !IsOurs(entry)))
            throw new UsageException($"'{path}' is not empty and holds no run. Choose another folder with --output.");
        var isOther = isRun && File.ReadAllText(hashFile).Trim() != experiment.Hash;
        if (isOther && Directory.Exists(checkpoints) && Whole(checkpoints).Any())
            throw new UsageException($"'{path}' holds a run of another configuration ({FirstDifference(config, experiment, path)}). Choose another folder with --output, or delete that one.");

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
            if (!isRun || isOther)
            {
                // Another configuration that never came to a checkpoint, for one because it was refused, has left nothing worth keeping.
                foreach (var stale in (string[])[Environment, TestPairs]) File.Delete(System.IO.Path.Combine(path, stale));
                Files.WriteAtomically(config, $"# {experiment.Experiment.Name}: every value of the run, defaults included.\n{ConfigWriter.Write(experiment.Experiment with { Output = null }, path)}");
                Files.WriteAtomically(hashFile, experiment.Hash + "\n");
            }
            Directory.CreateDirectory(checkpoints);
            foreach (var unfinished in Directory.GetDirectories(checkpoints, "*" + Unfinished)) Directory.Delete(unfinished, recursive: true);
            var latest = Whole(checkpoints).LastOrDefault();
            var state = latest is null ? new RunState { ConfigHash = experiment.Hash } : RunState.Read(latest);
            var folder = new RunFolder(path, held, state, latest);
            folder.OpenLogs();
            return folder;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    public string At(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Appends a row to a log.</summary>
    public void Log(string log, object row)
    {
        var file = _logs[log];
        file.Write(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(row, Json.Line) + "\n"));
        file.Flush();
    }

    /// <summary>Saves the engine and the state, whole or not at all, and removes the checkpoints before the last two.</summary>
    public void Save(ITrainableEngine engine, string name)
    {
        foreach (var log in _logs.Values) log.Flush(flushToDisk: true);
        State = State with { Checkpoints = State.Checkpoints + 1, LogLengths = _logs.ToDictionary(log => log.Key, log => log.Value.Position) };
        var place = System.IO.Path.Combine(Checkpoints, $"{State.Checkpoints:000000}-{name}");
        var beside = place + Unfinished;
        engine.Save(beside);
        Files.WriteAtomically(System.IO.Path.Combine(beside, RunState.FileName), JsonSerializer.Serialize(State, Json.Indented) + "\n");
        Directory.Move(beside, place);
        Checkpoint = place;
        foreach (var old in Whole(Checkpoints).SkipLast(Kept)) Directory.Delete(old, recursive: true);
    }

    /// <summary>Keeps the engine's weights as they are at the start of GRPO.</summary>
    public void SaveReference(ITrainableEngine engine)
    {
        if (Directory.Exists(Reference)) return;
        engine.Save(Reference + Unfinished);
        Directory.Move(Reference + Unfinished, Reference);
    }

    public void Dispose()
    {
        foreach (var log in _logs.Values) log.Dispose();
        _lock.Dispose();
    }

    /// <summary>Opens the logs, cut back to the checkpoint: what came after it will come again.</summary>
    private void OpenLogs()
    {
        foreach (var name in (string[])[Metrics, Samples, Timings])
        {
            var file = new FileStream(At(name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
            file.SetLength(Math.Min(file.Length, State.LogLengths.GetValueOrDefault(name)));
            file.Position = file.Length;
            _logs.Add(name, file);
        }
    }

    private static IEnumerable<string> Whole(string checkpoints) => Directory.GetDirectories(checkpoints)
        .Where(folder => char.IsAsciiDigit(System.IO.Path.GetFileName(folder)[0]) && !folder.EndsWith(Unfinished, StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    /// <summary>What a run that was killed while it made its folder may have left.</summary>
    private static bool IsOurs(string entry) => System.IO.Path.GetFileName(entry) is ".lock" or "config.resolved.yaml" or "config.resolved.yaml.tmp" or "config.hash.tmp";

    private static string FirstDifference(string config, LoadedExperiment experiment, string folder)
    {
        var theirs = File.ReadAllText(config).Split('\n').Where(line => !line.StartsWith('#')).ToArray();
        var ours = ConfigWriter.Write(experiment.Experiment with { Output = null }, folder).Split('\n');
        var at = theirs.Zip(ours).FirstOrDefault(pair => pair.First != pair.Second);
        return at == default ? "its data or prompt files had other content" : $"it has '{at.First.Trim()}' where yours has '{at.Second.Trim()}'";
    }
}
