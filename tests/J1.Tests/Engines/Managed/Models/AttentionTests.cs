using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;
using J1.Tests.Engines.Managed.Kernels;

namespace J1.Tests.Engines.Managed.Models;

/// <summary>Attention over a tree of shared beginnings against plain loops over what each row sees.</summary>
public sealed unsafe class AttentionTests
{
    // Longer than a block of 64 rows, shorter, all of another's beginning, and twice the same.
    private static readonly int[][] Sequences =
    [
        [.. Enumerable.Range(0, 150)], [.. Enumerable.Range(0, 70), 900, 901], [.. Enumerable.Range(0, 20)], [.. Enumerable.Range(0, 70), 900, 7, 8], [500], [.. Enumerable.Range(0, 20)],
        [501, .. Enumerable.Range(0, 66)],
    ];

    [Theory]
    [InlineData(4, 2, 6)]
    [InlineData(3, 1, 16)]
    [InlineData(2, 2, 34)]
    public void Forward_and_backward_equal_plain_loops(int heads, int keyValueHeads, int size)
    {
        var config = TinyModels.Llama with { HeadCount = heads, KeyValueHeadCount = keyValueHeads, HeadSize = size };
        var tree = new TokenTree([.. Sequences.Select(s => new ArraySegment<int>(s))]);
        var seen = new int[tree.Tokens.Length][];
        for (var i = 0; i < Sequences.Length; i++)
            for (var at = 0; at < Sequences[i].Length; at++)
            {
                var row = tree.RowOf(i, at);
                Assert.Equal((Sequences[i][at], at), (tree.Tokens[row], tree.Positions[row]));
                int[] rows = [.. Enumerable.Range(0, at + 1).Select(j => tree.RowOf(i, j))];
                Assert.Equal(seen[row] ?? rows, rows);
                seen[row] = rows;
            }
        Assert.Equal(150 + 2 + 2 + 1 + 67, tree.Tokens.Length);

        var (t, wide, narrow) = (seen.Length, (heads + 2 * keyValueHeads) * size, heads * size);
        using NativeBuffer qkv = RowKernelsTests.Random(t * wide, 1, 2), want = new(t * narrow), got = new(t * narrow);
        Naive.Attention(seen, heads, keyValueHeads, size, qkv.Pointer, want.Pointer);
        Attention.Forward(config, tree, qkv.Pointer, got.Pointer);
        RowKernelsTests.AssertNear(want, got, 3e-6);

        using NativeBuffer dOutput = RowKernelsTests.Random(t * narrow, 2), dqkv = new(t * wide), expected = new(t * wide), keys = new(t * narrow), values = new(t * narrow);
        var plain = Naive.AttentionBackward(seen, heads, keyValueHeads, size, qkv.Pointer, dOutput.Pointer);
        for (var i = 0; i < plain.Length; i++) expected.Span[i] = (float)plain[i];
        Attention.Backward(config, tree, qkv.Pointer, dOutput.Pointer, dqkv.Pointer, keys.Pointer, values.Pointer);
        RowKernelsTests.AssertNear(expected, dqkv, 3e-6);
    }

    [Fact]
    public void Parts_hold_every_sequence_once_and_no_more_tokens_than_asked()
    {
        ArraySegment<int>[] sequences = [.. Sequences.Select(s => new ArraySegment<int>(s))];
        foreach (var most in (int[])[1, 66, 160, 10_000])
        {
            var parts = TokenTree.Parts(sequences, most).ToArray();
            Assert.Equal(Enumerable.Range(0, sequences.Length), parts.SelectMany(part => part).Order());
            foreach (var part in parts) Assert.True(part.Select(i => string.Join(' ', sequences[i])).Distinct().Count() == 1 || new TokenTree([.. part.Select(i => sequences[i])]).Tokens.Length <= most);
        }
        Assert.Single(TokenTree.Parts(sequences, 10_000));
    }
}
