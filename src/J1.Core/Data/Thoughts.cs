using J1.Judging;

namespace J1.Data;

/// <summary>Thoughts for supervised warm starts, for pairs that come without.</summary>
public static class Thoughts
{
    /// <summary>
    /// The pair with a thought that repeats how each answer begins, and says nothing of which is better: it teaches to look at both before the verdict. A pair that has
    /// thoughts keeps them. Protocol tags in the answers are broken (<see cref="UntrustedText"/>).
    /// </summary>
    /// <param name="pair">The pair.</param>
    /// <param name="words">Words of each answer to repeat; at least 1.</param>
    public static PreferencePair Quoting(PreferencePair pair, int words)
    {
        ArgumentNullException.ThrowIfNull(pair);
        ArgumentOutOfRangeException.ThrowIfLessThan(words, 1);
        if (pair.Thought is not null && pair.SwappedThought is not null) return pair;
        var (a, b) = (Beginning(pair.ResponseA, words), Beginning(pair.ResponseB, words));
        return pair with { Thought = Compare(a, b), SwappedThought = Compare(b, a) };
    }

    private static string Compare(string first, string second) => $"A says \"{first}\". B says \"{second}\".";

    private static string Beginning(string response, int words)
    {
        string[] all = UntrustedText.Neutralise(response).Split((char[]?)null, words + 1, StringSplitOptions.RemoveEmptyEntries);
        return all.Length <= words ? string.Join(' ', all) : string.Join(' ', all[..words]) + " …";
    }
}
