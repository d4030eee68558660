using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace J1.Data;

/// <summary>Training and test parts that share no instruction.</summary>
public static class DataSplit
{
    /// <summary>
    /// Puts each pair in the test part or not by a hash of its instruction (letters and digits only, lower case) and the seed. Pairs with the same
    /// instruction stay together, in whatever file they are; no pair moves because others come, go or change places. Parts keep the pairs' order; the test's share is met on average.
    /// </summary>
    /// <param name="pairs">Any.</param>
    /// <param name="testShare">0 to 1.</param>
    /// <param name="seed">Another seed, another split.</param>
    public static (IReadOnlyList<PreferencePair> Train, IReadOnlyList<PreferencePair> Test) ByInstruction(IEnumerable<PreferencePair> pairs, double testShare, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        if (!(testShare >= 0 && testShare <= 1)) throw new ArgumentOutOfRangeException(nameof(testShare), testShare, "A share is between 0 and 1.");
        var (train, test) = (new List<PreferencePair>(), new List<PreferencePair>());
        foreach (var pair in pairs) (Place(pair.Instruction, seed) < testShare ? test : train).Add(pair);
        return (train, test);
    }

    /// <summary>The instruction as it is compared: letters and digits in lower case, one space between words.</summary>
    internal static string Normalise(string instruction)
    {
        var text = new StringBuilder(instruction.Length);
        foreach (var rune in instruction.EnumerateRunes())
            if (Rune.IsLetterOrDigit(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark) text.Append(Rune.ToLowerInvariant(rune).ToString());
            else if (text.Length > 0 && text[^1] != ' ') text.Append(' ');
        return text.ToString().TrimEnd() is { Length: > 0 } words ? words : instruction.Trim();
    }

    /// <summary>Uniform on [0, 1).</summary>
    private static double Place(string instruction, ulong seed)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{seed}\n{Normalise(instruction)}")));
        return (System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(hash) >> 11) * (1.0 / (1UL << 53));
    }
}
