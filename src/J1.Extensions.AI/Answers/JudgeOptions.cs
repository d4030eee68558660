using J1.Judging;
using Microsoft.Extensions.Logging;

namespace J1.Extensions.AI;

/// <summary>What is done where the judge gives no judgement: it failed, ran out of time, or wrote nothing that can be read. There is no default.</summary>
public enum JudgeFailure
{
    /// <summary>The answer is let through, its verdict says that it is unjudged (fail open).</summary>
    Release = 1,

    /// <summary>The answer is blocked (fail closed).</summary>
    Block = 2,
}

/// <summary>What is done with the best answer where it stays below the threshold.</summary>
public enum LowScore
{
    /// <summary>The best answer is let through, its verdict says that it is low.</summary>
    KeepBest = 1,

    /// <summary>It is blocked.</summary>
    Block = 2,
}

/// <summary>What a streaming call does. There is no default.</summary>
public enum JudgeStreaming
{
    /// <summary>A streaming call throws <see cref="NotSupportedException"/>.</summary>
    Refuse = 1,

    /// <summary>The answer is held back until it is judged, then released in the pieces it came in.</summary>
    BufferThenRelease = 2,

    /// <summary>The answer is passed on as it comes and judged at its end: it can be rated, not asked for again or blocked. The verdict is in one more, last piece.</summary>
    ReleaseThenAnnotate = 3,
}

/// <summary>
/// How answers are judged. Rating alone: no threshold. A gate: <see cref="Threshold"/> and <see cref="OnLowScore"/>. Asking again with the judge's reasons: <see cref="MaxAttempts"/>.
/// The best of several: <see cref="Candidates"/>. All combine. A record: vary it with <c>with</c>.
/// </summary>
public sealed record JudgeOptions
{
    /// <summary>Rates answers. Null only where <see cref="Chooser"/> alone is wanted.</summary>
    public IAnswerRater? Rater { get; init; }

    /// <summary>Chooses from a round's candidates by comparing each with each, in both orders; the one with the most wins less defeats is taken, then rated if there is a rater. Null: the best score is taken.</summary>
    public IJudge? Chooser { get; init; }

    /// <summary>What becomes of an answer that could not be judged.</summary>
    public required JudgeFailure OnJudgeFailure { get; init; }

    /// <summary>What a streaming call does.</summary>
    public required JudgeStreaming Streaming { get; init; }

    /// <summary>The least score of an accepted answer, 0 to 10; null accepts every score. Default null.</summary>
    public double? Threshold { get; init; }

    /// <summary>What becomes of the best answer where no attempt reached the threshold. Default the best is kept.</summary>
    public LowScore OnLowScore { get; init; } = LowScore.KeepBest;

    /// <summary>Rounds until an answer is accepted; each after the first is told what the judge said of the last. Default 1.</summary>
    public int MaxAttempts { get; init; } = 1;

    /// <summary>Answers a round, of which the best is taken. Default 1.</summary>
    public int Candidates { get; init; } = 1;

    /// <summary>Whether a round's candidates are asked for, and rated, at once. Default false: one after the other.</summary>
    public bool Parallel { get; init; }

    /// <summary>
    /// Tokens for all answers and ratings of one request; null sets no limit. The first answer is always asked for; no other is where, at the cost of the dearest so far, it would go beyond.
    /// What a round's comparisons or parallel ratings cost is known after it. Counted as the hosts report them; an answer without a report counts a token for four bytes of its UTF-8. Default null.
    /// </summary>
    public long? TokenBudget { get; init; }

    /// <summary>Time from the request's beginning after which nothing more is asked for and the judge is no longer waited for; null sets no limit. The first answer itself is never cut. Default null.</summary>
    public TimeSpan? TimeBudget { get; init; }

    /// <summary>Time for one rating or choice; longer counts as a failure of the judge. Null sets no limit. Default one minute.</summary>
    public TimeSpan? JudgeTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>What is said in place of a blocked answer; null throws <see cref="AnswerBlockedException"/>. Default null.</summary>
    public string? BlockedText { get; init; }

    /// <summary>What the model is told with the last answer when it is asked again. Default: score and reasons, and to answer anew.</summary>
    public Func<Rating, string> Feedback { get; init; } = DefaultFeedback;

    /// <summary>Told every verdict, also those that no response can carry. Exceptions it throws reach the caller.</summary>
    public Action<AnswerVerdict>? OnVerdict { get; init; }

    /// <summary>Where evaluation results and failures of the judge are logged; null logs nothing.</summary>
    public ILogger? Logger { get; init; }

    /// <summary>Whether traces and logs hold the judge's reasons, which may quote the answer. Default false.</summary>
    public bool RecordReasons { get; init; }

    /// <summary>The clock of budgets and time limits. Default the system's.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The default of <see cref="Feedback"/>.</summary>
    public static string DefaultFeedback(Rating rating)
    {
        ArgumentNullException.ThrowIfNull(rating);
        return string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"A reviewer gave your last answer {rating.Score:0.#} of 10 points.{(rating.Reason.Length == 0 ? "" : "\nThe reasons: " + rating.Reason)}\nAnswer the question again, and better. Write only the new answer.");
    }

    /// <exception cref="ArgumentException">Names the option, its value and its range, or two options that contradict each other.</exception>
    public void Validate()
    {
        if (!Enum.IsDefined(OnJudgeFailure)) throw new ArgumentException($"{nameof(OnJudgeFailure)} is not chosen; say {nameof(JudgeFailure.Release)} or {nameof(JudgeFailure.Block)}.");
        if (!Enum.IsDefined(Streaming)) throw new ArgumentException($"{nameof(Streaming)} is not chosen; say {nameof(JudgeStreaming.Refuse)}, {nameof(JudgeStreaming.BufferThenRelease)} or {nameof(JudgeStreaming.ReleaseThenAnnotate)}.");
        if (!Enum.IsDefined(OnLowScore)) throw new ArgumentException($"{nameof(OnLowScore)} is {OnLowScore}; say {nameof(LowScore.KeepBest)} or {nameof(LowScore.Block)}.");
        if (Rater is null && Chooser is null) throw new ArgumentException($"There is no judge: set {nameof(Rater)}, {nameof(Chooser)} or both.");
        if (Threshold is not (null or (>= 0 and <= 10))) throw new ArgumentException($"{nameof(Threshold)} is {Threshold}; it must be from 0 to 10.");
        if (Threshold is not null && Rater is null) throw new ArgumentException($"{nameof(Threshold)} needs a {nameof(Rater)}; a {nameof(Chooser)} gives no scores.");
        if (MaxAttempts < 1) throw new ArgumentException($"{nameof(MaxAttempts)} is {MaxAttempts}; it must be at least 1.");
        if (MaxAttempts > 1 && Threshold is null) throw new ArgumentException($"{nameof(MaxAttempts)} is {MaxAttempts}, but without a {nameof(Threshold)} every first answer is accepted.");
        if (Candidates < 1) throw new ArgumentException($"{nameof(Candidates)} is {Candidates}; it must be at least 1.");
        if (Chooser is not null && Candidates == 1) throw new ArgumentException($"A {nameof(Chooser)} needs {nameof(Candidates)} above 1.");
        if (OnLowScore == LowScore.Block && Threshold is null) throw new ArgumentException($"{nameof(OnLowScore)} is {nameof(LowScore.Block)}, but there is no {nameof(Threshold)}.");
        if (TokenBudget < 1) throw new ArgumentException($"{nameof(TokenBudget)} is {TokenBudget}; it must be at least 1.");
        Check(TimeBudget, nameof(TimeBudget));
        Check(JudgeTimeout, nameof(JudgeTimeout));
        if (Streaming == JudgeStreaming.ReleaseThenAnnotate && (OnLowScore == LowScore.Block || OnJudgeFailure == JudgeFailure.Block))
            throw new ArgumentException($"{nameof(JudgeStreaming.ReleaseThenAnnotate)} releases an answer before it is judged, so it cannot be blocked; choose {nameof(JudgeStreaming.BufferThenRelease)} or {nameof(JudgeStreaming.Refuse)}, or block nothing.");
        if (Streaming == JudgeStreaming.ReleaseThenAnnotate && Rater is null)
            throw new ArgumentException($"{nameof(JudgeStreaming.ReleaseThenAnnotate)} needs a {nameof(Rater)}: there is one answer, and nothing to choose from.");
        ArgumentNullException.ThrowIfNull(Feedback);
        ArgumentNullException.ThrowIfNull(Clock);
    }

    private static void Check(TimeSpan? time, string name)
    {
        if (time is { } t && (t <= TimeSpan.Zero || t.TotalMilliseconds > int.MaxValue)) throw new ArgumentException($"{name} is {t}; it must be above 0 and at most 24 days.");
    }
}
