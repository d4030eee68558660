namespace J1.Engines.Managed.Models;

/// <summary>Neighbouring rows of a packed batch.</summary>
internal readonly record struct Run(int Row, int Count);

/// <summary>Rows that one sequence added to a packed batch: they follow, in their sequence, what <paramref name="Prefix"/> names.</summary>
/// <param name="Row">The first row.</param>
/// <param name="Count">Rows.</param>
/// <param name="Position">The position of the first row's token in its sequence, which is the number of tokens in the prefix.</param>
/// <param name="Prefix">The rows of all tokens before, in order.</param>
internal sealed record Segment(int Row, int Count, int Position, Run[] Prefix)
{
    /// <summary>The rows that the segment's row <paramref name="last"/> (from 0) attends to: the prefix, then the segment up to and with it.</summary>
    public IEnumerable<Run> RunsTo(int last) => Prefix.Append(new Run(Row, last + 1));
}

/// <summary>
/// A batch of token sequences packed so that what their beginnings share stands there once: a pairwise judge's two orders share header and question, its samples the
/// whole prompt. Sequences are put in lexicographic order, so each shares its longest possible beginning with the one before.
/// </summary>
internal sealed class TokenTree
{
    private readonly Run[][] _paths;

    /// <param name="sequences">None empty.</param>
    public TokenTree(IReadOnlyList<ArraySegment<int>> sequences)
    {
        _paths = new Run[sequences.Count][];
        var order = Order(sequences);
        var (tokens, positions, segments) = (new List<int>(), new List<int>(), new List<Segment>());
        var before = -1;
        foreach (var index in order)
        {
            var sequence = sequences[index];
            var shared = before < 0 ? 0 : SharedPrefix(sequences[before], sequence);
            Run[] prefix = before < 0 ? [] : Cut(_paths[before], shared);
            before = index;
            if (shared == sequence.Count)
            {
                _paths[index] = prefix;
                continue;
            }
            var segment = new Segment(tokens.Count, sequence.Count - shared, shared, prefix);
            segments.Add(segment);
            for (var position = shared; position < sequence.Count; position++)
            {
                tokens.Add(sequence[position]);
                positions.Add(position);
            }
            _paths[index] = [.. prefix, new Run(segment.Row, segment.Count)];
        }
        (Tokens, Positions, Segments) = ([.. tokens], [.. positions], [.. segments]);
    }

    /// <summary>The packed tokens, shape [T].</summary>
    public int[] Tokens { get; }

    /// <summary>Each token's position in its sequence, shape [T].</summary>
    public int[] Positions { get; }

    /// <summary>Whoever is in a segment's prefix comes before it.</summary>
    public Segment[] Segments { get; }

    /// <summary>Sequences.</summary>
    public int PathCount => _paths.Length;

    /// <summary>The rows of a sequence's tokens, in order.</summary>
    public IReadOnlyList<Run> Path(int sequence) => _paths[sequence];

    /// <summary>The row of the token at a position of a sequence.</summary>
    public int RowOf(int sequence, int position)
    {
        foreach (var run in _paths[sequence])
        {
            if (position < run.Count) return run.Row + position;
            position -= run.Count;
        }
        throw new ArgumentOutOfRangeException(nameof(position));
    }

    /// <summary>Cuts a batch into parts of at most <paramref name="mostTokens"/> packed tokens each (a longer sequence is a part of its own), sequences that share a beginning together.</summary>
    /// <returns>Indices of sequences, a list a part.</returns>
    public static IEnumerable<List<int>> Parts(IReadOnlyList<ArraySegment<int>> sequences, int mostTokens)
    {
        var part = new List<int>();
        var (tokens, before) = (0, -1);
        foreach (var index in Order(sequences))
        {
            var added = sequences[index].Count - (part.Count == 0 ? 0 : SharedPrefix(sequences[before], sequences[index]));
            if (part.Count > 0 && tokens + added > mostTokens)
            {
                yield return part;
                (part, tokens, added) = ([], 0, sequences[index].Count);
            }
            part.Add(index);
            tokens += added;
            before = index;
        }
        if (part.Count > 0) yield return part;
    }

    private static int[] Order(IReadOnlyList<ArraySegment<int>> sequences)
    {
        int[] order = [.. Enumerable.Range(0, sequences.Count)];
        Array.Sort(order, (x, y) => sequences[x].AsSpan().SequenceCompareTo(sequences[y].AsSpan()) is var sign && sign != 0 ? sign : x.CompareTo(y));
        return order;
    }

    private static int SharedPrefix(ArraySegment<int> a, ArraySegment<int> b) => a.AsSpan().CommonPrefixLength(b.AsSpan());

    private static Run[] Cut(Run[] path, int length)
    {
        var runs = new List<Run>();
        foreach (var run in path)
        {
            if (length == 0) break;
            var count = Math.Min(run.Count, length);
            runs.Add(run with { Count = count });
            length -= count;
        }
        return [.. runs];
    }
}
