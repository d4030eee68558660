namespace J1.Engines;

/// <summary>
/// From log-probabilities (at the sampling temperature) to a token: top-k, then top-p, then min-p, then a draw.
/// Plain double arithmetic over the whole vocabulary; engines with large vocabularies may do the same faster.
/// </summary>
public static class Sampler
{
    /// <summary>The probabilities that are left after the filters, summing to 1. Shape [V].</summary>
    /// <param name="logProbs">Natural logarithms at the sampling temperature, shape [V].</param>
    /// <param name="sampling">Only its filters are read.</param>
    public static double[] Filter(ReadOnlySpan<double> logProbs, SamplingOptions sampling)
    {
        ArgumentNullException.ThrowIfNull(sampling);
        var p = new double[logProbs.Length];
        for (var v = 0; v < p.Length; v++) p[v] = Math.Exp(logProbs[v]);
        if (sampling.TopK == 0 && sampling.TopP >= 1 && sampling.MinP <= 0) return p;

        var order = Enumerable.Range(0, p.Length).ToArray();
        Array.Sort(order, (x, y) => p[y] != p[x] ? p[y].CompareTo(p[x]) : x.CompareTo(y));
        var keep = sampling.TopK > 0 ? Math.Min(sampling.TopK, p.Length) : p.Length;
        if (sampling.TopP < 1)
        {
            var total = order.Take(keep).Sum(v => p[v]);
            var (sum, reached) = (0.0, 0);
            while (reached < keep && sum < sampling.TopP * total) sum += p[order[reached++]];
            keep = Math.Max(1, reached);
        }
        while (keep > 1 && p[order[keep - 1]] < sampling.MinP * p[order[0]]) keep--;

        var kept = new double[p.Length];
        var mass = order.Take(keep).Sum(v => p[v]);
        foreach (var v in order.AsSpan(0, keep)) kept[v] = p[v] / mass;
        return kept;
    }

    /// <summary>Draws a token; temperature 0 takes the most likely, the lowest id of equals.</summary>
    public static int Draw(ReadOnlySpan<double> logProbs, SamplingOptions sampling, ref SplitMix random)
    {
        ArgumentNullException.ThrowIfNull(sampling);
        var best = 0;
        if (sampling.Temperature == 0)
        {
            for (var v = 1; v < logProbs.Length; v++)
                if (logProbs[v] > logProbs[best]) best = v;
            return best;
        }
        var p = Filter(logProbs, sampling);
        var left = random.NextDouble() * p.Sum();
        for (var v = 0; v < p.Length; v++)
        {
            if (p[v] <= 0) continue;
            best = v;
            if ((left -= p[v]) < 0) break;
        }
        return best;
    }
}
