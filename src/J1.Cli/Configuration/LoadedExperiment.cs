using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace J1.Cli.Configuration;

/// <summary>An experiment as read from its file, checked.</summary>
/// <param name="Experiment">All values, defaults included.</param>
/// <param name="File">Where from.</param>
/// <param name="Hash">Names what is to be computed: the values that matter for it, and the content of the data and prompt files; not the output folder.</param>
/// <param name="Node">What was written, with the place of every value.</param>
internal sealed record LoadedExperiment(Experiment Experiment, string File, string Hash, MapNode Node)
{
    /// <summary>Which run of a sweep it is, and its folder's name there; null for a file of one run.</summary>
    public string? Id { get; init; }

    /// <summary>The same, stage by stage.</summary>
    public StageInputs Stages { get; } = StageInputs.Of(Experiment, Path.GetDirectoryName(Path.GetFullPath(File))!);

    /// <summary>Reads a file of one run.</summary>
    /// <exception cref="ConfigException">Everything that is wrong, at once; or the file is a sweep.</exception>
    public static LoadedExperiment Read(string file, IReadOnlyList<string> sets, Func<string, string?>? environment = null)
    {
        var loaded = LoadedFile.Read(file, sets, environment);
        return loaded.Sweep is not { } sweep ? loaded.Runs[0]
            : throw new ConfigException([new ConfigProblem(sweep, Configuration.Sweep.Key, string.Create(CultureInfo.InvariantCulture, $"makes {loaded.Runs.Count} runs; expected a file of one, or one of them in the configuration in its folder"))]);
    }

    internal static string HashOf(Experiment experiment, string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(ConfigWriter.Write(experiment with { Output = null }, folder)));
        foreach (var input in experiment.InputFiles)
            hash.AppendData(SHA256.HashData(System.IO.File.ReadAllBytes(input)));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }
}

/// <summary>A configuration file: one run, or the runs of a sweep.</summary>
/// <param name="Runs">At least one.</param>
/// <param name="Sweep">Where the sweep is written; null for a file of one run.</param>
internal sealed record LoadedFile(IReadOnlyList<LoadedExperiment> Runs, Place? Sweep)
{
    /// <exception cref="ConfigException">Everything that is wrong, at once.</exception>
    public static LoadedFile Read(string file, IReadOnlyList<string> sets, Func<string, string?>? environment = null)
    {
        var problems = new List<ConfigProblem>();
        var node = ConfigFile.Read(file, sets, problems, environment ?? Environment.GetEnvironmentVariable);
        var isReadable = problems.Count == 0 || node.Entries.Count > 0;
        var (sweep, alone) = (node.Find(Configuration.Sweep.Key), node.Without(Configuration.Sweep.Key));
        var points = sweep is null ? [] : Configuration.Sweep.Points(sweep, problems);
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        var runs = new List<LoadedExperiment>();
        // What is wrong in the sweep itself must not hide what is wrong beside it.
        foreach (var point in points.Count > 0 ? points : [new SweepPoint("", new MapNode([], node.Place))])
        {
            if (!isReadable) break;
            var own = alone.MergedWith(point.Over) with { Place = node.Place };
            if (new ConfigBinder(typeof(Experiment), problems).Section(typeof(Experiment), own, "") is not Experiment experiment) continue;
            runs.Add(new LoadedExperiment(experiment, file, LoadedExperiment.HashOf(experiment, folder), own)
            {
                Id = sweep is null ? null : string.Create(CultureInfo.InvariantCulture, $"{point.Label}{(point.Label.Length > 0 ? "-" : "")}seed{experiment.Seed}"),
            });
        }
        if (runs.Count == 0 || problems.Count > 0)
            throw new ConfigException([.. problems.Distinct().OrderBy(problem => problem.Place.File, StringComparer.Ordinal).ThenBy(problem => problem.Place.Line).ThenBy(problem => problem.Place.Column)]);
        return new LoadedFile(runs, sweep?.Place);
    }
}
