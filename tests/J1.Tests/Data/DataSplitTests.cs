using J1.Data;
using J1.Engines;

namespace J1.Tests.Data;

public sealed class DataSplitTests
{
    private static PreferencePair[] Pairs { get; } = [.. Enumerable.Range(0, 3000).Select(i => new PreferencePair { Id = $"{i}", Instruction = $"Question no. {i % 1000}?", ResponseA = $"a{i}", ResponseB = "b" })];

    [Fact]
    public void The_parts_are_all_pairs_and_share_no_instruction()
    {
        var (train, test) = DataSplit.ByInstruction(Pairs, 0.2, 7);
        Assert.Equal(Pairs.Length, train.Count + test.Count);
        Assert.InRange(test.Count, 480, 720);
        Assert.Empty(train.Select(pair => pair.Instruction).Intersect(test.Select(pair => pair.Instruction)));
        Assert.Equal(test.OrderBy(pair => Array.IndexOf(Pairs, pair)), test);
    }

    [Fact]
    public void The_split_depends_on_the_seed_and_not_on_the_rows_order_or_number()
    {
        var test = Ids(Pairs, 7);
        var shuffled = Pairs.ToArray();
        SplitMix.For(1, 2).Shuffle<PreferencePair>(shuffled);
        Assert.Equal(test, Ids(shuffled, 7));
        Assert.NotEqual(test, Ids(Pairs, 8));
        Assert.Equal(test.Where(id => Pairs.Take(500).Any(pair => pair.Id == id)), Ids([.. Pairs.Take(500)], 7));

        static string[] Ids(PreferencePair[] pairs, ulong seed) => [.. DataSplit.ByInstruction(pairs, 0.2, seed).Test.Select(pair => pair.Id).Order(StringComparer.Ordinal)];
    }

    [Theory]
    [InlineData("What IS it?", "what is   it")]
    [InlineData("\n¿Qué tal?\r\n", "qué tal")]
    [InlineData("1 + 1", "1 1")]
    [InlineData("???", "???")]
    [InlineData("\ud800x", "x")]
    public void Case_punctuation_and_spaces_make_no_other_instruction(string one, string other) =>
        Assert.Equal(DataSplit.Normalise(one), DataSplit.Normalise(other));

    [Fact]
    public void A_share_of_nought_or_one_is_all_or_nothing()
    {
        Assert.Empty(DataSplit.ByInstruction(Pairs, 0, 1).Test);
        Assert.Empty(DataSplit.ByInstruction(Pairs, 1, 1).Train);
        Assert.Throws<ArgumentOutOfRangeException>(() => DataSplit.ByInstruction(Pairs, double.NaN, 1));
    }
}
