using System.Globalization;
using J1.Data;
using J1.Judging;

namespace J1.MLNet;

/// <summary>
/// Pairs asked in both orders, each order of all pairs in a call of its own, so that a batch of rows is a batch of prompts; put together as <see cref="TwoOrderJudge"/> does.
/// With one order the other is taken to have said the same: nothing ever flips.
/// </summary>
internal sealed class OrderByOrder(IOrderedJudge judge, int votes, Calibration? calibration, bool bothOrders) : IJudge
{
    // A pointwise judge knows no order, but both responses have to be read.
    private readonly bool _asksTwice = bothOrders || judge.Mode == JudgeMode.Pointwise;

    public string Identity => Provenance.Judge;

    private Provenance Provenance
    {
        get
        {
            var asked = judge.Provenance;
            return asked with { Judge = string.Create(CultureInfo.InvariantCulture, $"{asked.Judge} {(_asksTwice ? "both orders" : "one order")} {votes} {calibration?.Scale}"), Votes = votes };
        }
    }

    public async ValueTask<IReadOnlyList<PairJudgement>> JudgeAsync(IReadOnlyList<PreferencePair> pairs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var provenance = Provenance;
        // The response that sorts first is shown first in the first call, so that a pair and its swap are asked the same; equal responses are asked about once.
        int[] order = [.. pairs.Select(pair => _asksTwice ? string.CompareOrdinal(pair.ResponseA, pair.ResponseB) : -1)];
        var one = await judge.ReadAsync([.. pairs.Select((pair, i) => Show(order[i] <= 0 ? pair : pair.Swap()))], votes, cancellationToken).ConfigureAwait(false);
        int[] again = [.. Enumerable.Range(0, pairs.Count).Where(i => _asksTwice && order[i] != 0)];
        var other = new Judgement[pairs.Count][];
        if (again.Length > 0)
        {
            var read = await judge.ReadAsync([.. again.Select(i => Show(order[i] <= 0 ? pairs[i].Swap() : pairs[i]))], votes, cancellationToken).ConfigureAwait(false);
            for (var j = 0; j < again.Length; j++) other[again[j]] = read[j];
        }
        return [.. pairs.Select((pair, i) =>
        {
            var second = other[i] ?? (_asksTwice ? one[i] : [.. one[i].Select(Mirror)]);
            return PairJudgement.Combine(pair.Id, judge.Mode, order[i] <= 0 ? one[i] : second, order[i] <= 0 ? second : one[i], provenance, calibration);
        })];
    }

    private ShownPair Show(PreferencePair pair) => new(pair.Id, pair.Instruction, pair.ResponseA, judge.Mode == JudgeMode.Pointwise ? null : pair.ResponseB);

    private static Judgement Mirror(Judgement said) => said with { Outcome = said.Outcome.Swap(), ScoreA = said.ScoreB, ScoreB = said.ScoreA, LogOdds = -said.LogOdds };
}
