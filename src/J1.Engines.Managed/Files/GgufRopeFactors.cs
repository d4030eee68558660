using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Files;

/// <summary>
/// GGUF files of Llama 3 carry their position scaling as the finished factors (<c>rope_freqs.weight</c>, D/2 numbers that divide the frequencies).
/// Finds the settings that they were computed from, so that the model can also be saved in the Hugging Face layout.
/// </summary>
internal static class GgufRopeFactors
{
    private const double Tolerance = 1e-4;

    public static RopeConfig ToConfig(string path, RopeConfig plain, int headSize, float[] factors)
    {
        if (factors.Length != headSize / 2)
            throw new ModelFileException(path, $"'rope_freqs.weight' has {factors.Length} factors; expected {headSize / 2}, half a head", "Convert the model again.");
        var llama3 = plain with { Scaling = RopeScaling.Llama3, Factor = Math.Round(factors.Max(), 4), LowFrequencyFactor = 1, HighFrequencyFactor = 4 };
        foreach (var length in OriginalLengths(llama3, headSize, factors))
        {
            var candidate = llama3 with { OriginalContextLength = length };
            var made = FactorsOf(candidate, headSize);
            if (factors.Zip(made).All(pair => Math.Abs(pair.First - pair.Second) <= Tolerance * pair.Second))
                return candidate;
        }

        throw new ModelFileException(
            path, "'rope_freqs.weight' holds position factors that are not those of Llama 3's scaling (low 1, high 4)",
            "Supported are Llama 3's factors: use the model in the Hugging Face layout, or another model.");
    }

    /// <summary>What each frequency is divided by: 1 for short wavelengths, Factor for long ones, and between them a smooth passage.</summary>
    public static double[] FactorsOf(RopeConfig rope, int headSize)
    {
        var factors = new double[headSize / 2];
        for (var i = 0; i < factors.Length; i++)
        {
            var turns = rope.OriginalContextLength / WaveLength(rope, headSize, i);
            var smooth = (turns - rope.LowFrequencyFactor) / (rope.HighFrequencyFactor - rope.LowFrequencyFactor);
            factors[i] = 1 / (Math.Clamp(smooth, 0, 1) * (1 - 1 / rope.Factor) + 1 / rope.Factor);
        }

        return factors;
    }

    /// <summary>Each factor strictly between 1 and the largest tells the original length; where there is none, the published one is tried.</summary>
    private static IEnumerable<int> OriginalLengths(RopeConfig rope, int headSize, float[] factors)
    {
        for (var i = 0; i < factors.Length; i++)
        {
            var smooth = (1.0 / factors[i] - 1 / rope.Factor) / (1 - 1 / rope.Factor);
            if (smooth is <= 0.001 or >= 0.999)
                continue;
            var turns = rope.LowFrequencyFactor + smooth * (rope.HighFrequencyFactor - rope.LowFrequencyFactor);
            yield return (int)Math.Round(turns * WaveLength(rope, headSize, i));
        }

        yield return 8192;
    }

    private static double WaveLength(RopeConfig rope, int headSize, int i) => 2 * Math.PI * Math.Pow(rope.Theta, 2.0 * i / headSize);
}
