using Microsoft.ML.Data;

namespace Microsoft.ML;

public abstract class TrainCatalogBase
{
    private readonly MLContext context;

    private protected TrainCatalogBase(MLContext context) => this.context = context;

    public sealed class CrossValidationResult<T> where T : class
    {
        public readonly T Metrics;
        public readonly ITransformer Model;
        public readonly IDataView ScoredHoldOutSet;
        public readonly int Fold;

        internal CrossValidationResult(ITransformer model, T metrics, IDataView scores, int fold)
        {
            Model = model;
            Metrics = metrics;
            ScoredHoldOutSet = scores;
            Fold = fold;
        }
    }

    private protected IReadOnlyList<CrossValidationResult<T>> CrossValidate<T>(IDataView data, IEstimator<ITransformer> estimator, int folds, string keyColumn, int? seed,
        Func<IDataView, T> evaluate) where T : class
    {
        ArgumentNullException.ThrowIfNull(estimator);
        return [.. context.Data.CrossValidationSplit(data, folds, keyColumn, seed).Select((split, fold) =>
        {
            var model = estimator.Fit(split.TrainSet);
            var scored = model.Transform(split.TestSet);
            return new CrossValidationResult<T>(model, evaluate(scored), scored, fold);
        })];
    }

    private protected static DataViewSchema.Column Check<T>(IDataView data, string name, string role)
    {
        var column = data.Schema.GetColumnOrNull(name) ?? throw new ArgumentOutOfRangeException(nameof(data), $"Could not find {role} column '{name}'");
        return TypedRows.Fits(column.Type, typeof(T)) ? column
            : throw new ArgumentOutOfRangeException(nameof(data), $"Schema mismatch for {role} column '{name}': expected {DataViewTypes.Of(typeof(T))}, got {column.Type}");
    }

    /// <summary>Reads columns together in one pass.</summary>
    private protected static IEnumerable<(TLabel Label, float Score, TOther Other)> Read<TLabel, TOther>(IDataView data, string label, string score, string other)
    {
        var columns = new[] { Check<TLabel>(data, label, "label"), Check<float>(data, score, "score"), Check<TOther>(data, other, "probability") };
        using var cursor = data.GetRowCursor(columns);
        var (readLabel, readScore, readOther) = (TypedRows.Reader<TLabel>(cursor, columns[0]), TypedRows.Reader<float>(cursor, columns[1]), TypedRows.Reader<TOther>(cursor, columns[2]));
        while (cursor.MoveNext()) yield return (readLabel(), readScore(), readOther());
    }
}

public sealed class BinaryClassificationCatalog : TrainCatalogBase
{
    internal BinaryClassificationCatalog(MLContext context) : base(context) { }

    public CalibratedBinaryClassificationMetrics Evaluate(IDataView data, string labelColumnName = "Label", string scoreColumnName = "Score",
        string probabilityColumnName = "Probability", string predictedLabelColumnName = "PredictedLabel")
    {
        ArgumentNullException.ThrowIfNull(data);
        Check<bool>(data, predictedLabelColumnName, "predicted label");
        var rows = Read<bool, float>(data, labelColumnName, scoreColumnName, probabilityColumnName).ToArray();
        return new([.. rows.Select(r => (r.Label, r.Score))], [.. rows.Select(r => r.Other)]);
    }

    public BinaryClassificationMetrics EvaluateNonCalibrated(IDataView data, string labelColumnName = "Label", string scoreColumnName = "Score", string predictedLabelColumnName = "PredictedLabel")
    {
        ArgumentNullException.ThrowIfNull(data);
        Check<bool>(data, predictedLabelColumnName, "predicted label");
        return new([.. Read<bool, float>(data, labelColumnName, scoreColumnName, scoreColumnName).Select(r => (r.Label, r.Score))]);
    }

    public IReadOnlyList<CrossValidationResult<BinaryClassificationMetrics>> CrossValidateNonCalibrated(IDataView data, IEstimator<ITransformer> estimator, int numberOfFolds = 5,
        string labelColumnName = "Label", string samplingKeyColumnName = null, int? seed = null) =>
        CrossValidate(data, estimator, numberOfFolds, samplingKeyColumnName, seed, scored => EvaluateNonCalibrated(scored, labelColumnName));

    public IReadOnlyList<CrossValidationResult<CalibratedBinaryClassificationMetrics>> CrossValidate(IDataView data, IEstimator<ITransformer> estimator, int numberOfFolds = 5,
        string labelColumnName = "Label", string samplingKeyColumnName = null, int? seed = null) =>
        CrossValidate(data, estimator, numberOfFolds, samplingKeyColumnName, seed, scored => Evaluate(scored, labelColumnName));
}

public sealed class RegressionCatalog : TrainCatalogBase
{
    internal RegressionCatalog(MLContext context) : base(context) { }

    public RegressionMetrics Evaluate(IDataView data, string labelColumnName = "Label", string scoreColumnName = "Score")
    {
        ArgumentNullException.ThrowIfNull(data);
        return new([.. Read<float, float>(data, labelColumnName, scoreColumnName, scoreColumnName).Select(r => (r.Label, r.Score))]);
    }
}
