namespace J1.Judging;

/// <summary>What a judge said of two responses. Invalid is none of the others: it never equals a label, earns nothing and enters no mean.</summary>
public enum Outcome
{
    /// <summary>The first response is better.</summary>
    A,

    /// <summary>The second response is better.</summary>
    B,

    /// <summary>Neither is better.</summary>
    Tie,

    /// <summary>There is no verdict; an <see cref="InvalidReason"/> says why.</summary>
    Invalid,
}

/// <summary>Why there is no verdict.</summary>
public enum InvalidReason
{
    /// <summary>The completion ended, but holds no verdict that can be read.</summary>
    Unparsed,

    /// <summary>It names both responses, or two scores for one response.</summary>
    Conflicting,

    /// <summary>The token limit cut it off before its verdict.</summary>
    Truncated,

    /// <summary>The model or its host declined to answer.</summary>
    Refused,

    /// <summary>The prompt does not fit the model's context; nothing was asked.</summary>
    TooLong,

    /// <summary>Asking failed: an error of the host, or numbers that are not finite.</summary>
    Failed,
}

/// <summary>What a judge is asked for.</summary>
public enum JudgeMode
{
    /// <summary>Which of two responses is better (the paper's PaV).</summary>
    Verdict,

    /// <summary>A score from 0 to 10 for each of two responses; the higher is better (PaS).</summary>
    Scores,

    /// <summary>Scores to think with, then a verdict, which alone counts (PaVS).</summary>
    ScoresAndVerdict,

    /// <summary>A score from 0 to 10 for one response seen alone (PoS).</summary>
    Pointwise,
}

/// <summary>One completion, read in the order it was asked: A is the response shown first.</summary>
public sealed record Judgement
{
    /// <summary>The verdict as shown. A pointwise reading names no winner: it is a Tie where its score can be read.</summary>
    public required Outcome Outcome { get; init; }

    /// <summary>Why the outcome is Invalid; null otherwise.</summary>
    public InvalidReason? Invalid { get; init; }

    /// <summary>What was written between <c>&lt;think&gt;</c> and the last <c>&lt;/think&gt;</c>; null where there is none.</summary>
    public string? Thought { get; init; }

    /// <summary>The completion as it came; empty where nothing was written.</summary>
    public string Text { get; init; } = "";

    /// <summary>Score of the response shown first (pointwise: the only one), 0 to 10; null where none was given.</summary>
    public double? ScoreA { get; init; }

    /// <summary>Score of the response shown second, 0 to 10; null where none was given.</summary>
    public double? ScoreB { get; init; }

    /// <summary>Instant judges: log p(A) - log p(B) as shown, in nats; null otherwise.</summary>
    public double? LogOdds { get; init; }

    /// <summary>Tokens read and written for it, as the judge's host counted them; null where it counts none.</summary>
    public long? Tokens { get; init; }

    /// <summary>A judgement without a verdict.</summary>
    public static Judgement Without(InvalidReason reason, string text = "", string? thought = null) =>
        new() { Outcome = Outcome.Invalid, Invalid = reason, Text = text, Thought = thought };
}

/// <summary>The algebra of verdicts.</summary>
public static class Outcomes
{
    /// <summary>The same verdict where the responses are shown the other way round.</summary>
    public static Outcome Swap(this Outcome outcome) => outcome switch { Outcome.A => Outcome.B, Outcome.B => Outcome.A, var same => same };

    /// <summary>Whether it names one response.</summary>
    public static bool IsDecisive(this Outcome outcome) => outcome is Outcome.A or Outcome.B;

    /// <summary>A where the margin is positive, B where it is negative, Tie at exactly 0.</summary>
    public static Outcome OfMargin(double margin) => margin > 0 ? Outcome.A : margin < 0 ? Outcome.B : Outcome.Tie;
}
