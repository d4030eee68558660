using J1.Data;

namespace J1.Judging;

/// <summary>
/// Asks in both orders and puts the answers together (<see cref="PairJudgement.Combine"/>), with any number of votes an order:
/// the majority for verdicts, the mean for scores (the paper's SC@N and Mean-Score@N).
/// </summary>
public sealed class TwoOrderJudge : IJudge
{
    private readonly IOrderedJudge _judge;
    private readonly int _votes;

    /// <param name="judge">Asked twice a pair.</param>
    /// <param name="votes">Completions an order; more than one needs a temperature above 0 to differ. Default 1.</param>
    /// <param name="calibration">Margin to probability; null takes log-odds as they are.</param>
    public TwoOrderJudge(IOrderedJudge judge, int votes = 1, Calibration? calibration = null)
    {
        ArgumentNullException.ThrowIfNull(judge);
        ArgumentOutOfRangeException.ThrowIfLessThan(votes, 1);
        (_judge, _votes, Calibration) = (judge, votes, calibration);
    }

    public string Identity => Provenance.Judge;

    /// <summary>Margin to probability; null where log-odds are taken as they are.</summary>
    public Calibration? Calibration { get; }

    private Provenance Provenance
    {
        get
        {
            var asked = _judge.Provenance;
            return asked with { Judge = Hashes.Of("two orders", asked.Judge, _votes, Calibration?.Scale), Votes = _votes };
        }
    }

    public async ValueTask<IReadOnlyList<PairJudgement>> JudgeAsync(IReadOnlyList<PreferencePair> pairs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        // The response that sorts first is shown first in the first question, whichever of the two it is: a pair and its swap ask the same
        // questions in the same places, so that sampled words do not depend on it either. Equal responses are asked about once.
        var shown = new List<ShownPair>(2 * pairs.Count);
        var asked = new (int First, int Second)[pairs.Count];
        for (var i = 0; i < pairs.Count; i++)
        {
            var (a, b) = (pairs[i].ResponseA, pairs[i].ResponseB);
            var order = string.CompareOrdinal(a, b);
            var at = shown.Count;
            shown.Add(Show(pairs[i], order <= 0 ? a : b, order <= 0 ? b : a));
            if (order != 0) shown.Add(Show(pairs[i], order < 0 ? b : a, order < 0 ? a : b));
            asked[i] = order == 0 ? (at, at) : order < 0 ? (at, at + 1) : (at + 1, at);
        }
        var provenance = Provenance;
        var read = await _judge.ReadAsync(shown, _votes, cancellationToken).ConfigureAwait(false);
        return [.. pairs.Select((pair, i) => PairJudgement.Combine(pair.Id, _judge.Mode, read[asked[i].First], read[asked[i].Second], provenance, Calibration))];
    }

    private ShownPair Show(PreferencePair pair, string first, string second) =>
        new(pair.Id, pair.Instruction, first, _judge.Mode == JudgeMode.Pointwise ? null : second);
}
