using J1.Data;
using J1.Judging;

namespace J1.MLNet.Tests;

/// <summary>An ordered judge that says what a test tells it to, and counts.</summary>
internal sealed class ScriptedJudge : IOrderedJudge
{
    private int _calls, _shown;

    /// <summary>The longer response wins by the difference in length, as log-odds; a pointwise judge's score is the length, at most 10.</summary>
    public Func<ShownPair, int, Judgement> Say { get; init; } = (shown, _) => shown.Second is null
        ? new Judgement { Outcome = Outcome.Tie, ScoreA = Math.Min(10, shown.First.Length), Thought = $"I count {shown.First.Length}." }
        : new Judgement { Outcome = Outcomes.OfMargin(shown.First.Length - shown.Second.Length), LogOdds = shown.First.Length - shown.Second.Length, Thought = $"{shown.First.Length} against {shown.Second.Length}." };

    public JudgeMode Mode { get; init; } = JudgeMode.Verdict;

    /// <summary>Model calls.</summary>
    public int Calls => _calls;

    /// <summary>Prompts in all calls.</summary>
    public int Shown => _shown;

    public string Name { get; set; } = "scripted";

    public Provenance Provenance => new() { Judge = Name };

    public ValueTask<IReadOnlyList<Judgement[]>> ReadAsync(IReadOnlyList<ShownPair> shown, int votes, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _calls);
        Interlocked.Add(ref _shown, shown.Count);
        return new([.. shown.Select(one => Enumerable.Range(0, votes).Select(vote => Say(one, vote)).ToArray())]);
    }

    /// <summary>Says the same of everything that is shown.</summary>
    public static ScriptedJudge Always(Judgement judgement, JudgeMode mode = JudgeMode.Verdict) => new() { Mode = mode, Say = (_, _) => judgement };
}

/// <summary>A row of training or test data.</summary>
internal sealed class PairItem
{
    public string Instruction { get; set; } = "";
    public string ResponseA { get; set; } = "";
    public string ResponseB { get; set; } = "";
    public bool Label { get; set; }
    public float Weight { get; set; } = 1;

    /// <summary>Row i: A has i % 7 + 1 letters, B has 4; the label says which is longer, a tie counting for B.</summary>
    public static PairItem[] Many(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new PairItem { Instruction = $"Row {i}", ResponseA = new string('a', i % 7 + 1), ResponseB = "bbbb", Label = i % 7 + 1 > 4, Weight = i })];

    public PreferencePair Pair(int index) => new() { Id = $"row {index}", Instruction = Instruction, ResponseA = ResponseA, ResponseB = ResponseB };
}

internal sealed class ScoredPair
{
    public string Instruction { get; set; } = "";
    public string ResponseA { get; set; } = "";
    public string ResponseB { get; set; } = "";
    public float Weight { get; set; }
    public bool PredictedLabel { get; set; }
    public float Probability { get; set; }
    public float Score { get; set; }
    public string Verdict { get; set; } = "";
    public bool Flipped { get; set; }
    public string FirstOrder { get; set; } = "";
    public string SecondOrder { get; set; } = "";
}
