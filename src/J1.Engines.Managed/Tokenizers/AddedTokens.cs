using System.Buffers;

namespace J1.Engines.Managed.Tokenizers;

/// <summary>
/// A token that is looked for in the text as it stands, before any splitting. A control token (<paramref name="IsControl"/>) has a meaning of
/// its own, such as the end of a turn; any other is merely a word that is not to be cut up.
/// </summary>
internal sealed record AddedToken(int Id, string Content, bool IsControl, bool TakesSpaceBefore = false, bool TakesSpaceAfter = false);

/// <summary>Finds added tokens in text: the leftmost, and of those that start there the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly Dictionary<char, AddedToken[]> _byFirst;
    private readonly SearchValues<char> _firsts;

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        _byFirst = tokens.Where(token => token.Content.Length > 0)
            .GroupBy(token => token.Content[0])
            .ToDictionary(group => group.Key, group => group.OrderByDescending(token => token.Content.Length).ToArray());
        _firsts = SearchValues.Create([.. _byFirst.Keys]);
    }

    /// <summary>The first token at or after <paramref name="from"/> and the characters it takes, or null.</summary>
    public AddedToken? Find(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        for (var at = from; at < text.Length; at++)
        {
            var step = text[at..].IndexOfAny(_firsts);
            if (step < 0)
                break;
            at += step;
            foreach (var token in _byFirst[text[at]])
            {
                if (!text[at..].StartsWith(token.Content, StringComparison.Ordinal))
                    continue;
                (start, end) = (at, at + token.Content.Length);
                while (token.TakesSpaceBefore && start > from && char.IsWhiteSpace(text[start - 1]))
                    start--;
                while (token.TakesSpaceAfter && end < text.Length && char.IsWhiteSpace(text[end]))
                    end++;
                return token;
            }
        }
        (start, end) = (text.Length, text.Length);
        return null;
    }
}
