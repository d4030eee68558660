using J1.Engines;

namespace J1.Judging;

/// <summary>
/// What a judge makes of a pair from both orders, in the pair's own frame: A is <c>ResponseA</c> whatever was shown first.
/// Swapping the responses negates it exactly: A and B change places, the margin changes sign, the probability is one less itself.
/// </summary>
public sealed record PairJudgement
{
    /// <summary>The pair's id.</summary>
    public required string Id { get; init; }

    /// <summary>The verdict of both orders together: the margin's sign where a judge gives numbers (log-odds, scores); for plain verdicts what both orders say, a Tie where they disagree.</summary>
    public required Outcome Outcome { get; init; }

    /// <summary>Why the outcome is Invalid; null otherwise.</summary>
    public InvalidReason? Invalid { get; init; }

    /// <summary>Whether the two orders name different responses.</summary>
    public bool Flipped { get; init; }

    /// <summary>The probability that A is better, 0 to 1; null where the outcome is Invalid, and for judges that give none and are not calibrated.</summary>
    public double? Probability { get; init; }

    /// <summary>How far A is ahead: half the difference of the orders' log-odds (nats), the mean score difference, or the mean vote (-1 to 1); null where the outcome is Invalid.</summary>
    public double? Margin { get; init; }

    /// <summary>The verdict with ResponseA shown first, of all its votes.</summary>
    public required Outcome FirstOrder { get; init; }

    /// <summary>The verdict with ResponseB shown first, of all its votes, in the pair's frame. A pointwise judge knows no order: both are the outcome.</summary>
    public required Outcome SecondOrder { get; init; }

    /// <summary>The votes with ResponseA shown first, each as shown; for a pointwise judge the readings of ResponseA.</summary>
    public required IReadOnlyList<Judgement> First { get; init; }

    /// <summary>The votes with ResponseB shown first, each as shown; for a pointwise judge the readings of ResponseB.</summary>
    public required IReadOnlyList<Judgement> Second { get; init; }

    /// <summary>What it takes to ask again.</summary>
    public required Provenance Provenance { get; init; }

    /// <summary>1 where A is better, -1 where B is, 0 for a tie; null for an invalid outcome, which is no number.</summary>
    public int? Comparison => Outcome switch { Outcome.A => 1, Outcome.B => -1, Outcome.Tie => 0, _ => null };

    /// <summary>
    /// Puts the votes of both orders together. Of an order's votes the invalid ones are left out; an order is invalid where more than half of them are,
    /// and a pair where one of its orders is.
    /// </summary>
    /// <param name="id">The pair's id.</param>
    /// <param name="mode">What was asked for.</param>
    /// <param name="first">Votes with ResponseA shown first, at least one.</param>
    /// <param name="second">Votes with ResponseB shown first, at least one.</param>
    /// <param name="provenance">Where the votes come from.</param>
    /// <param name="calibration">Margin to probability; null takes log-odds as they are and gives no probability otherwise.</param>
    public static PairJudgement Combine(string id, JudgeMode mode, IReadOnlyList<Judgement> first, IReadOnlyList<Judgement> second, Provenance provenance, Calibration? calibration = null)
    {
        var (one, two) = (OrderVote.Of(mode, first), OrderVote.Of(mode, second));
        var judgement = new PairJudgement
        {
            Id = id,
            Outcome = Outcome.Invalid,
            Invalid = one.Invalid is { } a && two.Invalid is { } b ? (a < b ? a : b) : one.Invalid ?? two.Invalid,
            FirstOrder = one.Outcome,
            SecondOrder = two.Outcome.Swap(),
            First = first,
            Second = second,
            Provenance = provenance,
        };
        if (mode == JudgeMode.Pointwise)
        {
            var compared = judgement.Invalid is null ? Outcomes.OfMargin(one.Lead - two.Lead) : Outcome.Invalid;
            judgement = judgement with { FirstOrder = compared, SecondOrder = compared };
        }
        if (judgement.Invalid is not null)
            return judgement;

        // Each lead is as shown, so the second order's counts against A: exchanging the responses exchanges the leads, and the sign follows.
        var margin = mode == JudgeMode.Pointwise ? one.Lead - two.Lead : (one.Lead - two.Lead) / 2;
        var (inFirst, inSecond) = (judgement.FirstOrder, judgement.SecondOrder);
        var isNumber = one.HasLogOdds && two.HasLogOdds || mode is JudgeMode.Scores or JudgeMode.Pointwise;
        return judgement with
        {
            Outcome = isNumber ? Outcomes.OfMargin(margin) : inFirst == inSecond ? inFirst : Outcome.Tie,
            Flipped = inFirst.IsDecisive() && inSecond.IsDecisive() && inFirst != inSecond,
            Margin = margin,
            Probability = calibration?.Probability(margin) ?? (one.HasLogOdds && two.HasLogOdds ? Calibration.None.Probability(margin) : null),
        };
    }

    /// <summary>An order's votes as one.</summary>
    private readonly record struct OrderVote(Outcome Outcome, InvalidReason? Invalid, double Lead, bool HasLogOdds)
    {
        public static OrderVote Of(JudgeMode mode, IReadOnlyList<Judgement> votes)
        {
            if (votes.Count == 0) throw new ArgumentException("An order needs at least one vote.", nameof(votes));
            var valid = votes.Where(vote => vote.Outcome != Outcome.Invalid).ToArray();
            if (2 * valid.Length < votes.Count || valid.Length == 0)
                return new(Outcome.Invalid, votes.First(vote => vote.Outcome == Outcome.Invalid).Invalid ?? InvalidReason.Unparsed, 0, false);
            var hasLogOdds = Array.TrueForAll(valid, vote => vote.LogOdds is not null);
            var lead = valid.Average(vote =>
                hasLogOdds ? vote.LogOdds!.Value
                : mode == JudgeMode.Pointwise ? vote.ScoreA!.Value
                : mode == JudgeMode.Scores ? vote.ScoreA!.Value - vote.ScoreB!.Value
                : vote.Outcome switch { Outcome.A => 1, Outcome.B => -1, _ => 0 });
            return new(Outcomes.OfMargin(lead), null, lead, hasLogOdds);
        }
    }
}

/// <summary>Which judge said it, and how it was asked: the same model, prompt, sampling, seed and position in its call give the same words.</summary>
public sealed record Provenance
{
    /// <summary>The judge's identity: a hash over all that its words depend on.</summary>
    public required string Judge { get; init; }

    /// <summary>The model's own identity.</summary>
    public string Model { get; init; } = "";

    /// <summary>Hash of the prompt's text, mode and protocol.</summary>
    public string Prompt { get; init; } = "";

    /// <summary>How completions were drawn; null where none were (an instant judge).</summary>
    public SamplingOptions? Sampling { get; init; }

    /// <summary>Seed of the sampling.</summary>
    public ulong Seed { get; init; }

    /// <summary>Completions an order.</summary>
    public int Votes { get; init; } = 1;
}
