using J1.Data;

namespace J1.Judging;

/// <summary>
/// Several judges as one: each has a vote, invalid ones have none, and the jury is invalid where more than half of its members are.
/// Margin is the mean vote (-1 to 1); the probability is the members' mean, where all that vote give one.
/// </summary>
public sealed class JuryJudge : IJudge
{
    private readonly IReadOnlyList<IJudge> _members;

    /// <param name="members">At least one.</param>
    public JuryJudge(IReadOnlyList<IJudge> members)
    {
        ArgumentNullException.ThrowIfNull(members);
        if (members.Count == 0) throw new ArgumentException("A jury needs at least one judge.", nameof(members));
        _members = members;
    }

    public string Identity => Hashes.Of(["jury", .. _members.Select(member => member.Identity)]);

    public async ValueTask<IReadOnlyList<PairJudgement>> JudgeAsync(IReadOnlyList<PreferencePair> pairs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var provenance = new Provenance { Judge = Identity, Votes = _members.Count };
        var said = new List<IReadOnlyList<PairJudgement>>();
        foreach (var member in _members) said.Add(await member.JudgeAsync(pairs, cancellationToken).ConfigureAwait(false));
        return [.. pairs.Select((pair, i) => Combine(pair.Id, [.. said.Select(judgements => judgements[i])], provenance))];
    }

    private static PairJudgement Combine(string id, PairJudgement[] said, Provenance provenance)
    {
        var valid = said.Where(judgement => judgement.Outcome != Outcome.Invalid).ToArray();
        var isValid = valid.Length > 0 && 2 * valid.Length >= said.Length;
        var (first, second) = (Majority(valid.Select(j => j.FirstOrder)), Majority(valid.Select(j => j.SecondOrder)));
        double? margin = isValid ? valid.Average(judgement => judgement.Comparison!.Value) : null;
        // Around 1/2, where exchanging the responses is exactly a change of sign.
        double? lead = isValid && Array.TrueForAll(valid, judgement => judgement.Probability is not null) ? valid.Average(judgement => judgement.Probability!.Value - 0.5) : null;
        return new PairJudgement
        {
            Id = id,
            Outcome = margin is { } m ? Outcomes.OfMargin(m) : Outcome.Invalid,
            Invalid = isValid ? null : said.First(judgement => judgement.Invalid is not null).Invalid,
            FirstOrder = isValid ? first : Outcome.Invalid,
            SecondOrder = isValid ? second : Outcome.Invalid,
            Flipped = isValid && first.IsDecisive() && second.IsDecisive() && first != second,
            Margin = margin,
            Probability = lead is { } l ? (l < 0 ? 1 - (0.5 - l) : 0.5 + l) : null,
            First = [.. said.SelectMany(judgement => judgement.First)],
            Second = [.. said.SelectMany(judgement => judgement.Second)],
            Provenance = provenance,
        };
    }

    private static Outcome Majority(IEnumerable<Outcome> outcomes) => Outcomes.OfMargin(outcomes.Sum(outcome => outcome switch { Outcome.A => 1, Outcome.B => -1, _ => 0 }));
}
