using Microsoft.ML;

namespace J1.StandIns.Tests;

/// <summary>Expected numbers were counted by hand.</summary>
public sealed class EvaluationTests
{
    private readonly MLContext context = new(1);

    private sealed class Scored(bool label, float score, float probability)
    {
        public bool Label { get; } = label;
        public float Score { get; } = score;
        public float Probability { get; } = probability;
        public bool PredictedLabel { get; } = score > 0;
    }

    private readonly Scored[] rows =
    [
        new(true, 2, 0.9f), new(true, 1, 0.75f), new(true, -1, 0.25f), new(false, 1, 0.75f), new(false, -2, 0.1f), new(false, -3, 0.05f),
    ];

    [Fact]
    public void Binary_metrics_are_counts_of_agreement()
    {
        var metrics = context.BinaryClassification.Evaluate(context.Data.LoadFromEnumerable(rows));
        Assert.Equal(4 / 6.0, metrics.Accuracy, 12);
        Assert.Equal(2 / 3.0, metrics.PositivePrecision, 12);
        Assert.Equal(2 / 3.0, metrics.PositiveRecall, 12);
        Assert.Equal(2 / 3.0, metrics.NegativePrecision, 12);
        Assert.Equal(2 / 3.0, metrics.F1Score, 12);
        Assert.Equal(7.5 / 9, metrics.AreaUnderRocCurve, 12);
        Assert.Equal(2, metrics.ConfusionMatrix.NumberOfClasses);
        Assert.Equal(1, metrics.ConfusionMatrix.GetCountForClassPair(0, 1));
        Assert.Equal([2.0, 1.0], metrics.ConfusionMatrix.Counts[0]);
        var loss = rows.Average(r => -Math.Log2(r.Label ? r.Probability : 1 - (double)r.Probability));
        Assert.Equal(loss, metrics.LogLoss, 6);
        Assert.Equal(1, metrics.Entropy, 12);
        Assert.Equal(1 - loss, metrics.LogLossReduction, 6);
    }

    private sealed class Contradicting
    {
        public bool Label { get; set; }
        public float Score { get; set; }
        public bool PredictedLabel { get; set; }
    }

    [Fact]
    public void A_row_counts_as_positive_where_its_score_is_above_zero_whatever_its_predicted_label()
    {
        var data = context.Data.LoadFromEnumerable(new Contradicting[] { new() { Label = true, Score = 1 }, new() { Label = false, Score = -1, PredictedLabel = true }, new() { Label = true, Score = float.NaN } });
        Assert.Equal(1, context.BinaryClassification.EvaluateNonCalibrated(data).Accuracy);
    }

    [Fact]
    public void Ranking_over_ties_counts_half()
    {
        var tied = context.Data.LoadFromEnumerable(new Scored[] { new(true, 1, 0.5f), new(false, 1, 0.5f), new(true, 1, 0.5f), new(false, 0, 0.5f) });
        Assert.Equal(0.75, context.BinaryClassification.EvaluateNonCalibrated(tied).AreaUnderRocCurve, 12);
    }

    [Fact]
    public void Columns_of_other_names_are_named_and_wrong_ones_refused()
    {
        var data = context.Data.LoadFromEnumerable(rows);
        var renamed = context.Transforms.CopyColumns("Truth", "Label").Append(context.Transforms.DropColumns("Label")).Fit(data).Transform(data);
        Assert.Equal(4 / 6.0, context.BinaryClassification.EvaluateNonCalibrated(renamed, labelColumnName: "Truth").Accuracy, 12);
        Assert.ThrowsAny<ArgumentException>(() => context.BinaryClassification.EvaluateNonCalibrated(renamed));
        Assert.ThrowsAny<ArgumentException>(() => context.BinaryClassification.EvaluateNonCalibrated(data, scoreColumnName: "Label"));
    }

    private sealed class Graded
    {
        public float Label { get; set; }
        public float Score { get; set; }
    }

    [Fact]
    public void Regression_metrics_are_means_of_errors()
    {
        var metrics = context.Regression.Evaluate(context.Data.LoadFromEnumerable(new Graded[] { new() { Label = 1, Score = 2 }, new() { Label = 3, Score = 3 }, new() { Label = 5, Score = 2 } }));
        Assert.Equal(4 / 3.0, metrics.MeanAbsoluteError, 12);
        Assert.Equal(10 / 3.0, metrics.MeanSquaredError, 12);
        Assert.Equal(Math.Sqrt(10 / 3.0), metrics.RootMeanSquaredError, 12);
        Assert.Equal(1 - 10 / 8.0, metrics.RSquared, 12);
    }
}
