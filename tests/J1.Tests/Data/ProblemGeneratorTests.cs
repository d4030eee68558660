using System.Globalization;
using System.Text.RegularExpressions;
using J1.Data;

namespace J1.Tests.Data;

public partial class ProblemGeneratorTests
{
    private static readonly ProblemKind[] All = Enum.GetValues<ProblemKind>();

    [Fact]
    public void The_right_answer_is_right_and_the_working_leads_to_it()
    {
        var (train, _) = ProblemGenerator.Generate(All, 600, 0, seed: 3);
        foreach (var pair in train)
        {
            var right = Number(pair.Label == Preference.A ? pair.ResponseA : pair.ResponseB);
            var wrong = Number(pair.Label == Preference.A ? pair.ResponseB : pair.ResponseA);
            Assert.Equal(Solve(pair.Instruction), right);
            Assert.NotEqual(right, wrong);
            Assert.Equal(right, Number(pair.Thought!));
            Assert.Equal(pair.Thought, pair.SwappedThought);
        }
    }

    [Fact]
    public void No_problem_is_both_trained_on_and_tested()
    {
        var (train, test) = ProblemGenerator.Generate(All, 3000, 300, seed: 0);
        Assert.Equal(3300, train.Concat(test).Select(p => p.Instruction).Distinct().Count());
        Assert.Equal((3000, 300), (train.Count, test.Count));
        Assert.Equal(75, test.Count(p => p.Source == "ring"));
    }

    [Fact]
    public void The_same_seed_makes_the_same_pairs_and_another_seed_others()
    {
        var first = ProblemGenerator.Generate(All, 50, 10, seed: 1);
        Assert.Equal(first.Train, ProblemGenerator.Generate(All, 50, 10, seed: 1).Train);
        Assert.NotEqual(first.Train, ProblemGenerator.Generate(All, 50, 10, seed: 2).Train);
    }

    [Fact]
    public void Sides_are_balanced()
    {
        var (train, _) = ProblemGenerator.Generate(All, 2000, 0, seed: 0);
        Assert.InRange(train.Count(p => p.Label == Preference.A), 900, 1100);
    }

    [Fact]
    public void More_problems_than_there_are_is_refused() =>
        Assert.Contains("not enough different problems", Assert.Throws<ArgumentException>(() => ProblemGenerator.Generate([ProblemKind.Ring], 30_000, 0, seed: 0)).Message, StringComparison.Ordinal);

    // An independent solver that reads the words.
    private static int Solve(string question)
    {
        var numbers = Digits().Matches(question).Select(m => int.Parse(m.Value, CultureInfo.InvariantCulture)).ToArray();
        if (question.StartsWith("How many coins", StringComparison.Ordinal))
            return numbers[0] + Moves().Matches(question).Sum(m => int.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture) * (m.Groups[1].Value == "get" ? 1 : -1));
        if (question.StartsWith("On which floor", StringComparison.Ordinal))
            return numbers[0] + question.Split(" I ")[^1].TrimEnd('?').Split(", ").Sum(word => word is "up" or "climb" or "rise" or "mount" or "soar" ? 1 : -1);
        if (question.StartsWith("How", StringComparison.Ordinal))
        {
            return question.Split(": ")[1].TrimEnd('?').Split(", ").Count(word => word is "cat" or "dog" or "hen" or "cow" or "fox");
        }
        var start = int.Parse(question.Split("from ")[1][..1], CultureInfo.InvariantCulture);
        var moves = Moves().Matches(question).Sum(m => int.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture) * (m.Groups[1].Value == "right" ? 1 : -1));
        return (((start + moves) % 6) + 6) % 6;
    }

    private static int Number(string text) => int.Parse(Digits().Matches(text)[^1].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Digits();

    [GeneratedRegex("(right|left|get|lose) ([0-9]+)")]
    private static partial Regex Moves();
}
