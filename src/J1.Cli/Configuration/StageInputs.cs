using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace J1.Cli.Configuration;

/// <summary>
/// A hash for each stage over all that its results depend on, the stages before it included: a stage whose hash is as it was need not be run again.
/// Steps and the like are part of them; where things are written and how often a run saves itself are not.
/// </summary>
internal sealed record StageInputs(string WarmStart, string Measure, string Grpo, string Evaluate, string Calibrate)
{
    /// <param name="experiment">The values.</param>
    /// <param name="folder">What paths are written relative to.</param>
    public static StageInputs Of(Experiment experiment, string folder)
    {
        using var files = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var input in experiment.InputFiles) files.AppendData(SHA256.HashData(File.ReadAllBytes(input)));
        var e = experiment;
        var common = Hash(e.Seed, e.Model, e.Data, e.Judge, e.Synthesize, e.Calibrate.Pairs, Convert.ToHexString(files.GetHashAndReset()));
        var warmStart = Hash(common, e.WarmStartOfRun);
        var grpo = Hash(warmStart, e.Grpo, e.Reward);
        // How often is measured on the way changes no measurement.
        var measure = e.Evaluate with { Every = 0 };
        return new StageInputs(warmStart, Hash(warmStart, measure), grpo, Hash(grpo, measure), Hash(grpo, measure, e.Calibrate));

        string Hash(params object?[] parts) => StageInputs.Hash(folder, parts);
    }

    /// <summary>The hash of a file of written pairs: the writer's settings, the seed and the sources' content.</summary>
    public static string OfSynthesis(Experiment experiment, string sources) =>
        Hash("/", experiment.Synthesize, experiment.Seed, Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(sources))));

    private static string Hash(string folder, params object?[] parts)
    {
        var text = string.Join('\n', parts.Select(part => part switch
        {
            null => "-",
            string or ValueType => Convert.ToString(part, CultureInfo.InvariantCulture),
            _ => ConfigWriter.Write(part, folder),
        }));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];
    }
}
