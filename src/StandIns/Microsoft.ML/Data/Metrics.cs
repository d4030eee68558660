using System.Globalization;

namespace Microsoft.ML.Data;

/// <summary>A row counts as positive where its score is above 0, whatever its predicted label. Rows whose score is not a number are left out.</summary>
public class BinaryClassificationMetrics
{
    internal BinaryClassificationMetrics(IReadOnlyList<(bool Label, float Score)> all)
    {
        var rows = all.Where(r => !float.IsNaN(r.Score)).ToArray();
        double Count(bool label, bool predicted) => rows.Count(r => r.Label == label && r.Score > 0 == predicted);
        var (tp, fn, fp, tn) = (Count(true, true), Count(true, false), Count(false, true), Count(false, false));
        ConfusionMatrix = new ConfusionMatrix([[tp, fn], [fp, tn]]);
        Accuracy = (tp + tn) / rows.Length;
        PositivePrecision = Ratio(tp, tp + fp);
        PositiveRecall = Ratio(tp, tp + fn);
        NegativePrecision = Ratio(tn, tn + fn);
        NegativeRecall = Ratio(tn, tn + fp);
        F1Score = 2 * PositivePrecision * PositiveRecall / (PositivePrecision + PositiveRecall);
        (AreaUnderRocCurve, AreaUnderPrecisionRecallCurve) = Areas(rows);
    }

    public double AreaUnderRocCurve { get; }
    public double Accuracy { get; }
    public double PositivePrecision { get; }
    public double PositiveRecall { get; private set; }
    public double NegativePrecision { get; }
    public double NegativeRecall { get; }
    public double F1Score { get; }
    public double AreaUnderPrecisionRecallCurve { get; }
    public ConfusionMatrix ConfusionMatrix { get; }

    private static double Ratio(double part, double whole) => whole == 0 ? 0 : part / whole;

    /// <summary>Trapezoids over the thresholds, rows of one score taken together.</summary>
    private static (double Roc, double PrecisionRecall) Areas((bool Label, float Score)[] rows)
    {
        double positives = rows.Count(r => r.Label), negatives = rows.Length - positives;
        if (positives == 0 || negatives == 0) throw new ArgumentOutOfRangeException(nameof(rows), $"AUC is not defined when there is no {(positives == 0 ? "positive" : "negative")} class in the data");
        var (tp, fp, roc, pr, recall, precision) = (0.0, 0.0, 0.0, 0.0, 0.0, 1.0);
        foreach (var tied in rows.GroupBy(r => r.Score).OrderByDescending(g => g.Key))
        {
            var (hits, misses) = (tied.Count(r => r.Label), tied.Count(r => !r.Label));
            roc += misses * (tp + hits / 2.0);
            (tp, fp) = (tp + hits, fp + misses);
            var (nextRecall, nextPrecision) = (tp / positives, tp / (tp + fp));
            if (recall == 0 && precision == 1) precision = nextPrecision;
            pr += (nextRecall - recall) * (precision + nextPrecision) / 2;
            (recall, precision) = (nextRecall, nextPrecision);
        }
        return (roc / (positives * negatives), pr);
    }
}

public sealed class CalibratedBinaryClassificationMetrics : BinaryClassificationMetrics
{
    internal CalibratedBinaryClassificationMetrics(IReadOnlyList<(bool Label, float Score)> rows, float[] probabilities) : base(rows)
    {
        var pairs = rows.Zip(probabilities).Where(r => !float.IsNaN(r.First.Score)).Select(r => (r.First.Label, P: (double)r.Second)).ToArray();
        LogLoss = pairs.Average(r => r.Label ? -Math.Log2(r.P) : -Math.Log2(1 - r.P));
        var prior = pairs.Average(r => r.Label ? 1.0 : 0.0);
        Entropy = -prior * Math.Log2(prior) - (1 - prior) * Math.Log2(1 - prior);
        LogLossReduction = (Entropy - LogLoss) / Entropy;
    }

    /// <summary>In bits.</summary>
    public double LogLoss { get; }

    public double LogLossReduction { get; }
    public double Entropy { get; }
}

/// <summary>Rows are the truth, columns the prediction; the positive class comes first.</summary>
public sealed class ConfusionMatrix
{
    internal ConfusionMatrix(double[][] counts)
    {
        Counts = counts;
        NumberOfClasses = counts.Length;
        PerClassRecall = [.. counts.Select((row, i) => row.Sum() is > 0 and var sum ? row[i] / sum : 0)];
        PerClassPrecision = [.. counts.Select((row, i) => counts.Sum(r => r[i]) is > 0 and var sum ? row[i] / sum : 0)];
    }

    public IReadOnlyList<double> PerClassPrecision { get; }
    public IReadOnlyList<double> PerClassRecall { get; }
    public IReadOnlyList<IReadOnlyList<double>> Counts { get; }
    public int NumberOfClasses { get; }

    public double GetCountForClassPair(int predictedClassIndicatorIndex, int actualClassIndicatorIndex) => Counts[actualClassIndicatorIndex][predictedClassIndicatorIndex];

    public string GetFormattedConfusionTable() =>
        string.Join('\n', Counts.Select((row, i) => string.Create(CultureInfo.InvariantCulture, $"{i,4} || {string.Join(" | ", row)} | {PerClassRecall[i]:F4}")));
}

/// <summary>Rows whose label or score is not a number are left out.</summary>
public sealed class RegressionMetrics
{
    internal RegressionMetrics(IReadOnlyList<(float Label, float Score)> all)
    {
        var rows = all.Where(r => !float.IsNaN(r.Label) && !float.IsNaN(r.Score)).Select(r => (Label: (double)r.Label, Error: (double)r.Score - r.Label)).ToArray();
        MeanAbsoluteError = rows.Average(r => Math.Abs(r.Error));
        MeanSquaredError = LossFunction = rows.Average(r => r.Error * r.Error);
        RootMeanSquaredError = Math.Sqrt(MeanSquaredError);
        var mean = rows.Average(r => r.Label);
        RSquared = 1 - MeanSquaredError / rows.Average(r => (r.Label - mean) * (r.Label - mean));
    }

    public double MeanAbsoluteError { get; }
    public double MeanSquaredError { get; }
    public double RootMeanSquaredError { get; }
    public double LossFunction { get; }
    public double RSquared { get; }
}
