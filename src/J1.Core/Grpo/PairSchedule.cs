using J1.Engines;

namespace J1.Grpo;

/// <summary>
/// Which pairs a step sees: every epoch is a fresh permutation, steps cut it in turn, and an epoch's end runs into the next one's start.
/// A pure function of the seed and the step, so a resumed run needs no saved position.
/// </summary>
public static class PairSchedule
{
    /// <summary>The indices of the pairs of <paramref name="step"/> (from 0).</summary>
    /// <exception cref="ArgumentException">There are no pairs.</exception>
    public static int[] At(int step, int pairsPerStep, int pairCount, ulong seed)
    {
        if (pairCount == 0) throw new ArgumentException("There are no pairs to train on.");
        var indices = new int[pairsPerStep];
        var (epoch, order) = (-1L, Array.Empty<int>());
        for (var i = 0; i < pairsPerStep; i++)
        {
            var position = (long)step * pairsPerStep + i;
            if (position / pairCount != epoch)
            {
                epoch = position / pairCount;
                order = [.. Enumerable.Range(0, pairCount)];
                SplitMix.For(seed, (ulong)epoch, 0x9A1B).Shuffle(order.AsSpan());
            }
            indices[i] = order[position % pairCount];
        }
        return indices;
    }
}
