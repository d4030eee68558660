using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Json;
using J1.Cli.Configuration;

namespace J1.Cli.Running;

/// <summary>Where a run ran.</summary>
internal static class Environments
{
    public static string Version { get; } = typeof(Environments).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>The content of <c>environment.json</c>.</summary>
    public static string Describe(LoadedExperiment loaded, DateTimeOffset started) => JsonSerializer.Serialize(new
    {
        version = Version,
        started = started.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture),
        runtime = RuntimeInformation.FrameworkDescription,
        system = RuntimeInformation.OSDescription,
        architecture = RuntimeInformation.ProcessArchitecture.ToString(),
        processors = Environment.ProcessorCount,
        vector_bits = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128,
        memory_bytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        loaded.Experiment.Seed,
        config_hash = loaded.Hash,
    }, Json.Indented) + "\n";
}
