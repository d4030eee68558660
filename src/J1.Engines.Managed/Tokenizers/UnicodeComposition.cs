using System.Globalization;
using System.Text;

namespace J1.Engines.Managed.Tokenizers;

/// <summary>
/// Unicode's normalization form C. <see cref="string.Normalize()"/> is not used because it changes nothing where .NET runs with invariant
/// globalization, and tokens must not depend on how a program was started.
/// </summary>
internal static class UnicodeComposition
{
    private const int SBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7, LCount = 19, VCount = 21, TCount = 28, SCount = LCount * VCount * TCount;

    private static readonly Dictionary<int, int[]> s_decompositions = [];
    private static readonly Dictionary<(int, int), int> s_compositions = [];
    private static readonly Dictionary<int, int> s_classes = [];

    static UnicodeComposition()
    {
        foreach (var entry in Entries(UnicodeCompositionData.Decompositions))
        {
            var sign = entry.IndexOfAny(['=', '>']);
            var parts = entry[(sign + 1)..].Split('+').Select(Hex).ToArray();
            s_decompositions[Hex(entry[..sign])] = parts;
            if (entry[sign] == '=')
                s_compositions[(parts[0], parts[1])] = Hex(entry[..sign]);
        }
        foreach (var entry in Entries(UnicodeCompositionData.CombiningClasses))
        {
            var halves = entry.Split(':');
            var ends = halves[0].Split('-');
            for (var code = Hex(ends[0]); code <= Hex(ends[^1]); code++)
                s_classes[code] = int.Parse(halves[1], CultureInfo.InvariantCulture);
        }

        static string[] Entries(string data) => data.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);
        static int Hex(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }

    /// <summary>The text in form C. It must hold no lone surrogate.</summary>
    public static string Compose(string text)
    {
        // nothing below U+0300 combines or is decomposed for good
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', '\u02FF'))
            return text;

        var codes = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            Decompose(rune.Value, codes);
        Reorder(codes);
        var count = ComposePairs(codes);

        var composed = new StringBuilder(text.Length);
        for (var i = 0; i < count; i++)
            composed.Append(new Rune(codes[i]));
        return composed.ToString();
    }

    private static void Decompose(int code, List<int> into)
    {
        var syllable = code - SBase;
        if (syllable is >= 0 and < SCount)
        {
            into.Add(LBase + syllable / (VCount * TCount));
            into.Add(VBase + syllable % (VCount * TCount) / TCount);
            if (syllable % TCount != 0)
                into.Add(TBase + syllable % TCount);
        }
        else if (s_decompositions.TryGetValue(code, out var parts))
            foreach (var part in parts)
                Decompose(part, into);
        else
            into.Add(code);
    }

    /// <summary>Puts each run of combining marks into the order of their classes; marks of one class keep theirs.</summary>
    private static void Reorder(List<int> codes)
    {
        for (var i = 0; i < codes.Count; i++)
        {
            var start = i;
            while (i < codes.Count && ClassOf(codes[i]) != 0)
                i++;
            if (i - start < 2)
                continue;
            var sorted = codes.GetRange(start, i - start).OrderBy(ClassOf).ToList();
            for (var k = 0; k < sorted.Count; k++)
                codes[start + k] = sorted[k];
        }
    }

    /// <summary>Composes in place, each mark with the last starter unless a mark of its class or above stands between; returns the count left.</summary>
    private static int ComposePairs(List<int> codes)
    {
        var count = 0;
        var starter = -1;
        var lastClass = -1; // of what stands between the starter and here; -1: nothing
        for (var i = 0; i < codes.Count; i++)
        {
            var code = codes[i];
            var combining = ClassOf(code);
            if (starter >= 0 && lastClass < combining && ComposePair(codes[starter], code) is { } composed)
            {
                codes[starter] = composed;
                continue;
            }
            if (combining == 0)
                (starter, lastClass) = (count, -1);
            else
                lastClass = combining;
            codes[count++] = code;
        }
        return count;
    }

    private static int? ComposePair(int first, int second)
    {
        if (first - LBase is >= 0 and < LCount && second - VBase is >= 0 and < VCount)
            return SBase + ((first - LBase) * VCount + second - VBase) * TCount;
        if (first - SBase is >= 0 and < SCount && (first - SBase) % TCount == 0 && second - TBase is > 0 and < TCount)
            return first + second - TBase;
        return s_compositions.TryGetValue((first, second), out var composed) ? composed : null;
    }

    private static int ClassOf(int code) => s_classes.GetValueOrDefault(code);
}
