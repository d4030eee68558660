using System.Text.Json.Serialization;
using J1.Judging;

namespace J1.Extensions.AI;

/// <summary>What was decided about an answer.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<AnswerOutcome>))]
public enum AnswerOutcome
{
    /// <summary>Judged, and good enough.</summary>
    Accepted,

    /// <summary>The best there is stays below the threshold.</summary>
    Low,

    /// <summary>The judge gave no judgement.</summary>
    Unjudged,
}

/// <summary>Why no further answer was asked for, although none was accepted.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<StopReason>))]
public enum StopReason
{
    /// <summary>All attempts were made.</summary>
    Attempts,

    /// <summary>The token budget allows no more.</summary>
    Tokens,

    /// <summary>The time budget is spent.</summary>
    Time,

    /// <summary>The model failed to answer again.</summary>
    ModelFailed,

    /// <summary>The judge failed, and what is unjudged is released.</summary>
    JudgeFailed,
}

/// <summary>How an answer came to be the answer.</summary>
public sealed record AnswerVerdict
{
    /// <summary>What was decided.</summary>
    public required AnswerOutcome Outcome { get; init; }

    /// <summary>Its score, 0 to 10; null where it is unjudged, or was chosen by comparison alone.</summary>
    public double? Score { get; init; }

    /// <summary>Why it is unjudged; null otherwise.</summary>
    public InvalidReason? Invalid { get; init; }

    /// <summary>The judge's reasons, how the choice went, or what failed.</summary>
    public string Reason { get; init; } = "";

    /// <summary>The least score that was asked for; null where every score would do.</summary>
    public double? Threshold { get; init; }

    /// <summary>Whether the answer was held back.</summary>
    public bool Blocked { get; init; }

    /// <summary>Answers the model gave.</summary>
    public int Answers { get; init; }

    /// <summary>Which of them this is, from 0 in the order they were asked for.</summary>
    public int Chosen { get; init; }

    /// <summary>Each answer's rating; null for one that was not rated because another was chosen over it.</summary>
    public IReadOnlyList<Rating?> Ratings { get; init; } = [];

    /// <summary>Why no further answer was asked for; null where one was accepted.</summary>
    public StopReason? Stopped { get; init; }

    /// <summary>Tokens of all answers and ratings, as far as they are known.</summary>
    public long Tokens { get; init; }

    /// <summary>From the first question to the verdict.</summary>
    public TimeSpan Elapsed { get; init; }
}

/// <summary>An answer was blocked, and <see cref="JudgeOptions.BlockedText"/> is not set.</summary>
public sealed class AnswerBlockedException(AnswerVerdict verdict) : Exception(Say(verdict))
{
    /// <summary>Why.</summary>
    public AnswerVerdict Verdict { get; } = verdict;

    private static string Say(AnswerVerdict verdict)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        return verdict.Outcome == AnswerOutcome.Low
            ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"The answer was blocked: the best of {verdict.Answers} has a score of {verdict.Score:0.##}, the threshold is {verdict.Threshold:0.##}.")
            : $"The answer was blocked: the judge gave no judgement ({verdict.Invalid}{(verdict.Reason.Length == 0 ? "" : ": " + verdict.Reason)}).";
    }
}
