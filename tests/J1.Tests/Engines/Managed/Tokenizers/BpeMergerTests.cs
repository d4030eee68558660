using J1.Engines;
using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed.Tokenizers;

public sealed class BpeMergerTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Short_and_long_pieces_merge_as_the_definition_does(ulong seed)
    {
        var random = SplitMix.For(seed, 1);
        for (var trial = 0; trial < 200; trial++)
        {
            // few symbols and many rules, some of one rank, so that merges meet, overlap and go stale
            var rules = new List<MergeRule>();
            for (var rank = 0; rank < 40; rank++)
            {
                var (left, right) = (random.NextInt(4 + rank), random.NextInt(4 + rank));
                if (rules.TrueForAll(rule => (rule.Left, rule.Right) != (left, right)))
                    rules.Add(new MergeRule(left, right, 4 + rank, rank / 2));
            }
            var symbols = new int[1 + random.NextInt(200)];
            for (var i = 0; i < symbols.Length; i++)
                symbols[i] = random.NextInt(4);

            var expected = MergeByDefinition(rules, symbols);
            var merged = symbols.ToArray();
            var count = new BpeMerger(rules).Merge(merged);
            Assert.Equal(expected, merged[..count]);
        }
    }

    /// <summary>While any rule applies: the one of lowest rank, at its leftmost place.</summary>
    private static List<int> MergeByDefinition(List<MergeRule> rules, int[] symbols)
    {
        var list = symbols.ToList();
        while (true)
        {
            var best = -1;
            MergeRule? chosen = null;
            for (var i = 0; i + 1 < list.Count; i++)
                foreach (var rule in rules)
                    if (rule.Left == list[i] && rule.Right == list[i + 1] && (chosen is null || rule.Rank < chosen.Value.Rank))
                        (best, chosen) = (i, rule);
            if (chosen is null)
                return list;
            list[best] = chosen.Value.Merged;
            list.RemoveAt(best + 1);
        }
    }
}
