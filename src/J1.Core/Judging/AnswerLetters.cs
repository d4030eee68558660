using J1.Engines;

namespace J1.Judging;

/// <summary>
/// The tokens that say A or B right after an instant judge's prefix. A letter may be spelled in several ways (<c>A</c>, <c> A</c>, <c>A]</c>, <c>A]]</c>):
/// its probability is the sum over those that are one token.
/// </summary>
public sealed class AnswerLetters
{
    /// <summary>Finds them in a vocabulary.</summary>
    /// <exception cref="ArgumentException">The tokenizer has no single token for one of the letters.</exception>
    public AnswerLetters(ITokenizer tokenizer, string prefix)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(prefix);
        (A, B) = (Spellings(tokenizer, prefix, "A"), Spellings(tokenizer, prefix, "B"));
    }

    /// <summary>Tokens that say A; the first is the one that text gives after the prefix.</summary>
    public IReadOnlyList<int> A { get; }

    /// <summary>Tokens that say B; the first is the one that text gives after the prefix.</summary>
    public IReadOnlyList<int> B { get; }

    /// <summary>Which letter a token says; Invalid for any other.</summary>
    public Outcome Read(int token) => A.Contains(token) ? Outcome.A : B.Contains(token) ? Outcome.B : Outcome.Invalid;

    private static int[] Spellings(ITokenizer tokenizer, string prefix, string letter)
    {
        var found = new List<int>();
        // In its place first: some tokenizers put a space before a text's first word that a text's middle does not have.
        var (before, whole) = (tokenizer.Encode(prefix), tokenizer.Encode(prefix + letter));
        if (whole.Length == before.Length + 1 && whole.AsSpan(0, before.Length).SequenceEqual(before)) found.Add(whole[^1]);
        foreach (var spelling in (string[])[letter, " " + letter, letter + "]", letter + "]]"])
            if (tokenizer.Encode(spelling) is [var token] && !found.Contains(token)) found.Add(token);
        return found.Count > 0 ? [.. found]
            : throw new ArgumentException($"The tokenizer has no single token for the letter {letter}, which an instant judge needs; use a thinking judge, or another tokenizer.", nameof(tokenizer));
    }
}
