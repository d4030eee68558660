namespace J1.Engines.Managed.Tokenizers;

/// <summary>Joins the symbols <paramref name="Left"/> and <paramref name="Right"/> into <paramref name="Merged"/>; the lowest rank goes first, then the leftmost place.</summary>
internal readonly record struct MergeRule(int Left, int Right, int Merged, int Rank);

/// <summary>The heart of byte-pair encoding: applies merges to a list of symbols until none applies.</summary>
internal sealed class BpeMerger
{
    /// <summary>Up to this many symbols a plain scan for the best pair is faster than a heap.</summary>
    private const int ScanLimit = 64;

    private readonly Dictionary<long, (int Rank, int Merged)> _rules;

    public BpeMerger(IReadOnlyCollection<MergeRule> rules)
    {
        _rules = new Dictionary<long, (int, int)>(rules.Count);
        foreach (var rule in rules)
            _rules[Key(rule.Left, rule.Right)] = (rule.Rank, rule.Merged);
    }

    /// <summary>Merges in place; returns how many symbols are left at the front of <paramref name="symbols"/>.</summary>
    public int Merge(Span<int> symbols) => symbols.Length <= ScanLimit ? MergeByScan(symbols) : MergeByHeap(symbols);

    private int MergeByScan(Span<int> symbols)
    {
        var count = symbols.Length;
        if (count < 2)
            return count;
        // ranks[i] is the rank of joining symbols i and i + 1
        Span<int> ranks = stackalloc int[ScanLimit];
        for (var i = 0; i + 1 < count; i++)
            ranks[i] = RankOf(symbols[i], symbols[i + 1]);
        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < count; i++)
                if (ranks[i] < ranks[best])
                    best = i;
            if (ranks[best] == int.MaxValue)
                break;
            symbols[best] = _rules[Key(symbols[best], symbols[best + 1])].Merged;
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            if (best + 2 < count)
                ranks[(best + 2)..count].CopyTo(ranks[(best + 1)..]);
            count--;
            if (best > 0)
                ranks[best - 1] = RankOf(symbols[best - 1], symbols[best]);
            if (best + 1 < count)
                ranks[best] = RankOf(symbols[best], symbols[best + 1]);
        }
        return count;
    }

    /// <summary>The same result in n log n: a linked list of symbols and a heap of candidate pairs, stale ones skipped when they come up.</summary>
    private int MergeByHeap(Span<int> symbols)
    {
        var count = symbols.Length;
        var next = new int[count];
        var previous = new int[count];
        var heap = new PriorityQueue<(int At, int Left, int Right), long>(count);
        for (var i = 0; i < count; i++)
        {
            next[i] = i + 1 < count ? i + 1 : -1;
            previous[i] = i - 1;
        }
        for (var i = 0; i + 1 < count; i++)
            Propose(heap, symbols, i, i + 1);

        while (heap.TryDequeue(out var pair, out _))
        {
            var at = pair.At;
            var right = next[at];
            if (right < 0 || symbols[at] != pair.Left || symbols[right] != pair.Right)
                continue;
            symbols[at] = _rules[Key(pair.Left, pair.Right)].Merged;
            symbols[right] = -1;
            next[at] = next[right];
            next[right] = -1;
            if (next[at] >= 0)
            {
                previous[next[at]] = at;
                Propose(heap, symbols, at, next[at]);
            }
            if (previous[at] >= 0)
                Propose(heap, symbols, previous[at], at);
        }

        var kept = 0;
        for (var i = 0; i >= 0; i = next[i])
            symbols[kept++] = symbols[i];
        return kept;
    }

    private void Propose(PriorityQueue<(int At, int Left, int Right), long> heap, Span<int> symbols, int at, int right)
    {
        if (_rules.TryGetValue(Key(symbols[at], symbols[right]), out var rule))
            heap.Enqueue((at, symbols[at], symbols[right]), ((long)rule.Rank << 32) | (uint)at);
    }

    private int RankOf(int left, int right) => _rules.TryGetValue(Key(left, right), out var rule) ? rule.Rank : int.MaxValue;

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;
}
