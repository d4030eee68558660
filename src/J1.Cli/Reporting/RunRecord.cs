using System.Globalization;
using System.Text.Json;
using J1.Cli.Running;
using J1.Data;
using J1.Evaluation;
using J1.Judging;

namespace J1.Cli.Reporting;

/// <summary>What a run's folder tells of it, finished or not.</summary>
internal sealed record RunRecord
{
    /// <summary>The folder.</summary>
    public required string Folder { get; init; }

    /// <summary>The experiment's name; in a sweep with the run's own after it.</summary>
    public required string Name { get; init; }

    /// <summary>The name without its seed, which runs of other seeds share.</summary>
    public string Group => Name.EndsWith($"-seed{Seed}", StringComparison.Ordinal) ? Name[..^$"-seed{Seed}".Length] : Name;

    public required string Seed { get; init; }

    /// <summary>The resolved configuration.</summary>
    public required string Config { get; init; }

    /// <summary>Where and when it ran, as JSON; null where the folder does not say.</summary>
    public required string? Environment { get; init; }

    /// <summary>Steps of the warm start and of GRPO, in their order.</summary>
    public required IReadOnlyList<JsonElement> WarmStart { get; init; }

    public required IReadOnlyList<JsonElement> Grpo { get; init; }

    /// <summary>Measurements by their name: untrained, before, after, after-pointwise.</summary>
    public required IReadOnlyDictionary<string, EvaluationSummary> Measured { get; init; }

    /// <summary>Measurements on the way, with the step of GRPO after which they were made.</summary>
    public required IReadOnlyList<(int Step, EvaluationSummary Summary)> OnTheWay { get; init; }

    public required CalibrationResult? Calibration { get; init; }

    /// <summary>The test pairs; none where the folder has not kept them.</summary>
    public required IReadOnlyList<PreferencePair> Pairs { get; init; }

    /// <summary>Judgements of the test pairs by their measurement's name.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<PairJudgement>> Judgements { get; init; }

    /// <summary>Seconds of work, as far as they are logged.</summary>
    public required double Seconds { get; init; }

    /// <summary>The last measurement there is, which is the run's result once it is finished; null before any.</summary>
    public EvaluationSummary? Last => Measured.GetValueOrDefault("after") ?? Measured.GetValueOrDefault("before") ?? Measured.GetValueOrDefault("untrained");

    /// <summary>The judgements behind <see cref="Last"/>.</summary>
    public IReadOnlyList<PairJudgement>? LastJudgements => Judgements.GetValueOrDefault(Measured.ContainsKey("after") ? "after" : Measured.ContainsKey("before") ? "before" : "untrained");

    public static bool IsRun(string folder) => File.Exists(Path.Combine(folder, RunFolder.Config)) && File.Exists(Path.Combine(folder, RunFolder.Metrics));

    /// <summary>Reads a folder.</summary>
    /// <exception cref="UsageException">It holds no run.</exception>
    public static RunRecord Read(string folder)
    {
        if (!IsRun(folder)) throw new UsageException($"'{folder}' holds no run.");
        var config = File.ReadAllText(Path.Combine(folder, RunFolder.Config));
        var (name, seed) = (Value(config, "name"), Value(config, "seed"));
        // A run of a sweep lies in the sweep's folder under its own name.
        var own = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        var rows = Rows(Path.Combine(folder, RunFolder.Metrics)).ToList();
        var measured = new Dictionary<string, EvaluationSummary>(StringComparer.Ordinal);
        var onTheWay = new List<(int, EvaluationSummary)>();
        foreach (var row in rows.Where(row => Stage(row) == "evaluate"))
        {
            var (at, summary) = (row.GetProperty("at").GetString()!, row.GetProperty("summary").Deserialize<EvaluationSummary>(Json.Line)!);
            if (at == "grpo") onTheWay.Add((row.GetProperty("step").GetInt32(), summary));
            else measured[at] = summary;
        }
        // A run without GRPO ends where it began to be measured.
        if (!measured.ContainsKey("after") && File.Exists(Path.Combine(folder, RunFolder.Summary)) && measured.TryGetValue("before", out var before)) measured["after"] = before;
        var pairs = Path.Combine(folder, RunFolder.TestPairs);
        var judgements = new Dictionary<string, IReadOnlyList<PairJudgement>>(StringComparer.Ordinal);
        foreach (var of in measured.Keys)
            if (RunFolder.ReadJudgements(folder, of) is { } judged) judgements[of] = judged;
        var environment = Path.Combine(folder, RunFolder.Environment);
        return new RunRecord
        {
            Folder = folder,
            Name = own.EndsWith($"seed{seed}", StringComparison.Ordinal) && !own.StartsWith(name, StringComparison.Ordinal) ? $"{name}/{own}" : $"{name}-seed{seed}",
            Seed = seed,
            Config = config,
            Environment = File.Exists(environment) ? File.ReadAllText(environment) : null,
            WarmStart = [.. rows.Where(row => Stage(row) == "warm_start")],
            Grpo = [.. rows.Where(row => Stage(row) == "grpo")],
            Measured = measured,
            OnTheWay = onTheWay,
            Calibration = rows.LastOrDefault(row => Stage(row) == "calibrate") is { ValueKind: JsonValueKind.Object } calibrated ? calibrated.Deserialize<CalibrationResult>(Json.Line) : null,
            Pairs = File.Exists(pairs) ? [.. PreferencePairs.Read(pairs)] : [],
            Judgements = judgements,
            Seconds = Rows(Path.Combine(folder, RunFolder.Timings)).Sum(row => row.TryGetProperty("seconds", out var seconds) ? seconds.GetDouble() : 0),
        };
    }

    /// <summary>A number of a row; null where it has none.</summary>
    public static double? Number(JsonElement row, string name) => row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;

    private static string Stage(JsonElement row) => row.GetProperty("stage").GetString()!;

    /// <summary>The whole lines: a run that goes on may be in the middle of its last one.</summary>
    private static IEnumerable<JsonElement> Rows(string file)
    {
        if (!File.Exists(file)) yield break;
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        var lines = reader.ReadToEnd().Split('\n')[..^1];
        foreach (var (i, line) in lines.Index())
        {
            JsonElement row;
            try
            {
                row = JsonSerializer.Deserialize<JsonElement>(line);
            }
            catch (JsonException error)
            {
                throw new DataException(string.Create(CultureInfo.InvariantCulture, $"{file}:{i + 1}: is not JSON: {error.Message}"), error);
            }
            yield return row;
        }
    }

    private static string Value(string config, string key) =>
        config.Split('\n').FirstOrDefault(line => line.StartsWith(key + ":", StringComparison.Ordinal))?[(key.Length + 1)..].Trim().Trim('"') ?? "?";
}
