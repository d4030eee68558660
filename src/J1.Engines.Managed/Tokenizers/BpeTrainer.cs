using System.Text;

namespace J1.Engines.Managed.Tokenizers;

/// <summary>
/// Learns a small byte-level vocabulary from text, split as GPT-2 does (a word keeps the space before it), with ChatML's control tokens. The same texts in the
/// same order give the same vocabulary on every machine.
/// </summary>
public static class BpeTrainer
{
    private const string EndOfText = "<|endoftext|>", TurnStart = "<|im_start|>", TurnEnd = "<|im_end|>";

    /// <summary>The smallest vocabulary that can write any text: three control tokens and the 243 bytes that UTF-8 uses.</summary>
    public const int SmallestVocabulary = 3 + 243;

    /// <summary>
    /// Trains a tokenizer of at most <paramref name="vocabularySize"/> tokens, control tokens and <paramref name="words"/> included; fewer where the texts
    /// have no more pairs that occur <paramref name="minimumCount"/> times. <paramref name="words"/> are one token each wherever they are spelled out (<c>&lt;think&gt;</c>, say).
    /// </summary>
    public static BpeTokenizer Train(IEnumerable<string> texts, int vocabularySize, IReadOnlyList<string>? words = null, int minimumCount = 2)
    {
        words ??= [];
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, SmallestVocabulary + words.Count);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(minimumCount);
        if (words.Any(string.IsNullOrEmpty) || words.Concat([EndOfText, TurnStart, TurnEnd]).Distinct().Count() != words.Count + 3)
            throw new ArgumentException("Words must not be empty, repeated, or ChatML's own control tokens.", nameof(words));

        var added = new List<AddedToken>();
        foreach (var name in (string[])[EndOfText, TurnStart, TurnEnd])
            added.Add(new AddedToken(added.Count, name, IsControl: true));
        foreach (var word in words)
            added.Add(new AddedToken(added.Count, word, IsControl: false));

        var tokens = new List<string>(added.Select(token => token.Content));
        var byteIds = new int[256];
        foreach (var value in Enumerable.Range(0, 256).Where(OccursInUtf8).OrderBy(value => ByteAlphabet.CharacterOf((byte)value)))
        {
            byteIds[value] = tokens.Count;
            tokens.Add(ByteAlphabet.CharacterOf((byte)value).ToString());
        }

        var pairs = new PairCounts(CountPieces(texts, new AddedTokenFinder(added)), byteIds);
        var known = new HashSet<string>(tokens, StringComparer.Ordinal);
        var merges = new List<MergeRule>();
        while (tokens.Count < vocabularySize && pairs.TakeMostFrequent(minimumCount) is var (left, right))
        {
            var merged = tokens[left] + tokens[right];
            if (!known.Add(merged))
                continue; // a word has this spelling already, or another merge led to it
            pairs.Join(left, right, tokens.Count);
            merges.Add(new MergeRule(left, right, tokens.Count, merges.Count));
            tokens.Add(merged);
        }

        var chat = ChatFormat.ChatMl();
        return new BpeTokenizer(new TokenizerDescription
        {
            Kind = VocabularyKind.ByteLevel,
            PreTokenizer = PreTokenizerKind.Gpt2,
            Tokens = tokens,
            Merges = merges,
            Added = added,
            EndTokens = [2, 0],
            Chat = chat,
            ChatTemplate = chat.Template,
        });
    }

    private static bool OccursInUtf8(int value) => value is not (0xC0 or 0xC1 or >= 0xF5);

    /// <summary>How often each piece of text occurs, in the order of first appearance.</summary>
    private static List<(string Piece, long Count)> CountPieces(IEnumerable<string> texts, AddedTokenFinder finder)
    {
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        var pieces = new List<(string, long)>();
        var lookup = places.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var raw in texts)
        {
            var text = PreTokenizer.WithoutLoneSurrogates(raw);
            for (var at = 0; at < text.Length;)
            {
                finder.Find(text, at, out var start, out var end);
                Count(text.AsSpan(at, start - at));
                at = end;
            }
        }
        return pieces;

        void Count(ReadOnlySpan<char> segment)
        {
            while (!segment.IsEmpty)
            {
                var piece = segment[..PreTokenizer.Next(PreTokenizerKind.Gpt2, segment)];
                segment = segment[piece.Length..];
                if (lookup.TryGetValue(piece, out var place))
                    pieces[place] = (pieces[place].Item1, pieces[place].Item2 + 1);
                else
                {
                    lookup[piece] = pieces.Count;
                    pieces.Add((piece.ToString(), 1));
                }
            }
        }
    }

    /// <summary>The counts of neighbouring symbols, kept up to date as pairs are joined.</summary>
    private sealed class PairCounts
    {
        private readonly List<(int[] Symbols, long Count)> _pieces = [];
        private readonly Dictionary<(int Left, int Right), long> _counts = [];
        private readonly Dictionary<(int Left, int Right), HashSet<int>> _places = [];

        // the most frequent first, then the smallest ids; a count that has since changed is put right when it comes up
        private readonly PriorityQueue<(int Left, int Right), (long MinusCount, int Left, int Right)> _queue = new();

        public PairCounts(List<(string Piece, long Count)> pieces, int[] byteIds)
        {
            foreach (var (piece, count) in pieces)
            {
                _pieces.Add(([.. Encoding.UTF8.GetBytes(piece).Select(value => byteIds[value])], count));
                Change(_pieces.Count - 1, +1);
            }
            foreach (var (pair, count) in _counts)
                _queue.Enqueue(pair, (-count, pair.Left, pair.Right));
        }

        /// <summary>Takes the most frequent pair off the list, or gives null where none occurs <paramref name="minimum"/> times.</summary>
        public (int Left, int Right)? TakeMostFrequent(int minimum)
        {
            while (_queue.TryDequeue(out var pair, out var priority))
            {
                var count = _counts.GetValueOrDefault(pair);
                if (count < minimum)
                    continue;
                if (count == -priority.MinusCount)
                    return pair;
                if (count < -priority.MinusCount)
                    _queue.Enqueue(pair, (-count, pair.Left, pair.Right));
            }
            return null;
        }

        public void Join(int left, int right, int merged)
        {
            var changed = new HashSet<(int, int)>();
            foreach (var place in _places[(left, right)].ToArray())
            {
                Change(place, -1);
                var symbols = _pieces[place].Symbols;
                var joined = new List<int>(symbols.Length);
                for (var i = 0; i < symbols.Length; i++)
                {
                    var both = i + 1 < symbols.Length && symbols[i] == left && symbols[i + 1] == right;
                    joined.Add(both ? merged : symbols[i]);
                    if (both)
                        i++;
                }
                _pieces[place] = ([.. joined], _pieces[place].Count);
                Change(place, +1, changed);
            }
            foreach (var pair in changed)
                _queue.Enqueue(pair, (-_counts[pair], pair.Item1, pair.Item2));
        }

        private void Change(int place, int sign, HashSet<(int, int)>? touched = null)
        {
            var (symbols, count) = _pieces[place];
            for (var i = 0; i + 1 < symbols.Length; i++)
            {
                var pair = (symbols[i], symbols[i + 1]);
                _counts[pair] = _counts.GetValueOrDefault(pair) + sign * count;
                if (!_places.TryGetValue(pair, out var places))
                    _places[pair] = places = [];
                if (sign > 0)
                    places.Add(place);
                else
                    places.Remove(place);
                touched?.Add(pair);
            }
        }
    }
}
