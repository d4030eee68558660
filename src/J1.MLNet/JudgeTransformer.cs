using J1.MLNet.Saving;
using J1.MLNet.Stages;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet;

/// <summary>
/// A judge as a stage. Nothing is asked until a row's verdict is read, and then a batch of rows a call; rows are asked one by one where a prediction engine, or a model
/// that <c>mlContext.Model.Load</c> returned, goes row by row (<see cref="J1Catalog.LoadModel(string, out DataViewSchema)"/> puts the batches back).
/// </summary>
public sealed class JudgeTransformer : ITransformer, IDisposable
{
    private readonly bool _ownsJudge;

    internal JudgeTransformer(JudgeStage stage, bool ownsJudge) => (Stage, _ownsJudge) = (stage, ownsJudge);

    /// <summary>Who is asked.</summary>
    public Judge Judge => Stage.Judge;

    /// <summary>Columns and batch: a <see cref="ScorePairsOptions"/>, <see cref="ScoreResponsesOptions"/>, <see cref="RateResponseOptions"/> or <see cref="ChooseBestOptions"/>.</summary>
    public StageOptions Options => Stage.Options;

    public bool IsRowToRowMapper => true;

    internal JudgeStage Stage { get; }

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Stage.OutputSchema(inputSchema);

    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new StageView(Stage, input);
    }

    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => new StageMapper(Stage, inputSchema);

    /// <summary>Another stage of the same judge, which stays this one's.</summary>
    public JudgeTransformer With(StageOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new(JudgeStage.Of(Judge, options), ownsJudge: false);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx) => SavedStages.Save(Stage, ctx);

    /// <summary>Frees the model where the stage came with it: from a trainer, or from a file. A judge that a stage was made with stays its maker's.</summary>
    public void Dispose()
    {
        if (_ownsJudge) Judge.Dispose();
    }
}

/// <summary>A judge's stage as an estimator: there is nothing to fit.</summary>
public sealed class JudgeEstimator : IEstimator<JudgeTransformer>
{
    private readonly JudgeStage _stage;

    internal JudgeEstimator(JudgeStage stage) => _stage = stage;

    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    public JudgeTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        _ = _stage.OutputSchema(input.Schema);
        return new JudgeTransformer(_stage, ownsJudge: false);
    }

    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _stage.OutputShape(inputSchema);
}

/// <summary>A builder of pairs as a stage: for training data, where <c>Append(…, TransformerScope.Training)</c> keeps it out of what is saved and scored.</summary>
public sealed class PairBuilderTransformer : ITransformer
{
    private readonly BuilderStage _stage;

    internal PairBuilderTransformer(BuilderStage stage) => _stage = stage;

    public bool IsRowToRowMapper => true;

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _stage.OutputSchema(inputSchema);

    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new StageView(_stage, input);
    }

    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => new StageMapper(_stage, inputSchema);

    void ICanSaveModel.Save(ModelSaveContext ctx) => throw new NotSupportedException(
        "A builder of pairs is not saved: it needs the model that writes. Append it with TransformerScope.Training and save GetModelFor(TransformerScope.Scoring), or build the pairs into a file with J1.Data.SyntheticPairs.");
}

/// <summary>A builder of pairs as an estimator: there is nothing to fit.</summary>
public sealed class PairBuilderEstimator : IEstimator<PairBuilderTransformer>
{
    private readonly BuilderStage _stage;

    internal PairBuilderEstimator(BuilderStage stage) => _stage = stage;

    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    public PairBuilderTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        _ = _stage.OutputSchema(input.Schema);
        return new PairBuilderTransformer(_stage);
    }

    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _stage.OutputShape(inputSchema);
}
