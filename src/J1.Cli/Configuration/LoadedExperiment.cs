using System.Security.Cryptography;
using System.Text;

namespace J1.Cli.Configuration;

/// <summary>An experiment as read from its file, checked.</summary>
/// <param name="Experiment">All values, defaults included.</param>
/// <param name="File">Where from.</param>
/// <param name="Hash">Names what is to be computed: the values that matter for it, and the content of the data and prompt files; not the output folder.</param>
internal sealed record LoadedExperiment(Experiment Experiment, string File, string Hash)
{
    /// <exception cref="ConfigException">Everything that is wrong, at once.</exception>
    public static LoadedExperiment Read(string file, IReadOnlyList<string> sets, Func<string, string?>? environment = null)
    {
        var problems = new List<ConfigProblem>();
        var node = ConfigFile.Read(file, sets, problems, environment ?? Environment.GetEnvironmentVariable);
        var isReadable = problems.Count == 0 || node.Entries.Count > 0;
        var experiment = isReadable ? (Experiment?)new ConfigBinder(typeof(Experiment), problems).Section(typeof(Experiment), node, "") : null;
        if (experiment is null || problems.Count > 0)
            throw new ConfigException([.. problems.OrderBy(problem => problem.Place.File, StringComparer.Ordinal).ThenBy(problem => problem.Place.Line).ThenBy(problem => problem.Place.Column)]);
        return new LoadedExperiment(experiment, file, HashOf(experiment, Path.GetDirectoryName(Path.GetFullPath(file))!));
    }

    private static string HashOf(Experiment experiment, string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(ConfigWriter.Write(experiment with { Output = null }, folder)));
        foreach (var input in experiment.Data.Files.Concat(experiment.Data.TestFiles).Append(experiment.Judge.Prompt ?? "").Where(System.IO.File.Exists))
            hash.AppendData(SHA256.HashData(System.IO.File.ReadAllBytes(input)));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }
}
