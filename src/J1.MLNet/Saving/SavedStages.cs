using J1.MLNet.Stages;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace J1.MLNet.Saving;

/// <summary>
/// Saves a stage as ML.NET's own stages that do the same, since only those can write themselves:
/// copy the inputs to fixed names, put a key into a column, look the state up by it in a table, ask the judge that the state describes, copy the outputs to their names, drop the rest.
/// ML.NET finds the mapping again by its contract and this assembly's name: a fresh process loads it without a word about J1.MLNet.
/// </summary>
internal static class SavedStages
{
    public const string Key = "__J1_Key", State = "__J1_State";

    /// <exception cref="NotSupportedException">The judge is not one that can be saved.</exception>
    public static void Save(JudgeStage stage, ModelSaveContext ctx)
    {
        var (text, transforms) = (JudgeState.Of(stage).Write(), new MLContext(0).Transforms);
        IDataView view = new EmptyView(stage.Inputs);
        var saved = new List<ITransformer>();
        foreach (var (input, name) in stage.Inputs.Zip(InputNames(stage))) Add(transforms.CopyColumns(name, input.Column));
        Add(transforms.CustomMapping(new KeyMapping().GetMapping(), KeyMapping.Contract));
        Add(transforms.Conversion.MapValue(State, [KeyValuePair.Create(KeyMapping.Value, text)], Key));
        Add(stage switch
        {
            PairStage => Mapping(new SavedPairs(), SavedPairs.Contract),
            ResponseStage => Mapping(new SavedResponses(), SavedResponses.Contract),
            RatingStage => Mapping(new SavedRatings(), SavedRatings.Contract),
            _ => Mapping(new SavedBest(), SavedBest.Contract),
        });
        string[] results = ResultNames(stage);
        for (var i = 0; i < stage.Outputs.Count; i++) Add(transforms.CopyColumns(stage.Outputs[i].Column, results[i]));
        Add(transforms.DropColumns([.. InputNames(stage), Key, State, .. ResultNames(stage)]));
        ((ICanSaveModel)new TransformerChain<ITransformer>([.. saved])).Save(ctx);

        void Add(IEstimator<ITransformer> estimator)
        {
            saved.Add(estimator.Fit(view));
            view = saved[^1].Transform(view);
        }

        IEstimator<ITransformer> Mapping<TIn, TOut>(SavedStage<TIn, TOut> factory, string contract) where TIn : class, IStateRow, new() where TOut : class, new() =>
            transforms.CustomMapping(factory.GetMapping(), contract);
    }

    /// <summary>The stage that a loaded transformer is the saved form of; null for any other.</summary>
    /// <exception cref="Data.DataException">It is one, and was changed.</exception>
    public static JudgeState? Find(ITransformer transformer)
    {
        if (transformer is not IEnumerable<ITransformer> chain) return null;
        ITransformer[] parts = [.. chain];
        if (!parts.Any(part => part is CustomMappingTransformer<PairRow, PairResult> or CustomMappingTransformer<ResponseRow, ResponseResult> or CustomMappingTransformer<ResponseRow, RatingResult> or CustomMappingTransformer<BestRow, BestResult>)) return null;
        var key = Array.FindIndex(parts, part => part is CustomMappingTransformer<Nothing, KeyRow>);
        if (key < 0 || key + 1 == parts.Length) return null;
        var view = parts[key + 1].Transform(parts[key].Transform(new MLContext(0).Data.LoadFromEnumerable([new OneRow()])));
        return JudgeState.Read(view.GetColumn<ReadOnlyMemory<char>>(State).First());
    }

    private static IEnumerable<string> InputNames(JudgeStage stage) => stage switch
    {
        PairStage => ["__J1_Instruction", "__J1_ResponseA", "__J1_ResponseB"],
        BestStage => ["__J1_Instruction", "__J1_Responses"],
        _ => ["__J1_Instruction", "__J1_Response"],
    };

    /// <summary>In the order of the stage's outputs; a thought, which is last, may be absent there.</summary>
    private static string[] ResultNames(JudgeStage stage) => stage switch
    {
        PairStage => ["__J1_PredictedLabel", "__J1_Probability", "__J1_Score", "__J1_Verdict", "__J1_Flipped", "__J1_FirstOrder", "__J1_SecondOrder", "__J1_Thought"],
        ResponseStage => ["__J1_Score", "__J1_Outcome", "__J1_Thought"],
        RatingStage => ["__J1_Rating", "__J1_PredictedLabel", "__J1_Score", "__J1_Outcome", "__J1_Thought"],
        _ => ["__J1_Best", "__J1_BestIndex", "__J1_Scores", "__J1_Outcome", "__J1_Thought"],
    };

    public sealed class OneRow
    {
        public bool Any { get; set; }
    }

    /// <summary>A view with the stage's input columns and no row, to fit stages on that learn nothing.</summary>
    private sealed class EmptyView : IDataView
    {
        public EmptyView(IEnumerable<StageInput> columns)
        {
            var builder = new DataViewSchema.Builder();
            foreach (var column in columns.DistinctBy(column => column.Column)) builder.AddColumn(column.Column, column.IsVector ? new VectorDataViewType(TextDataViewType.Instance) : TextDataViewType.Instance);
            Schema = builder.ToSchema();
        }

        public bool CanShuffle => false;

        public DataViewSchema Schema { get; }

        public long? GetRowCount() => 0;

        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) => throw new NotSupportedException("There are no rows to be read.");

        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => [GetRowCursor(columnsNeeded, rand)];
    }
}

/// <summary>Nothing in.</summary>
public sealed class Nothing;

/// <summary>The key under which the state is looked up.</summary>
public sealed class KeyRow
{
    [ColumnName(SavedStages.Key)]
    public string Key { get; set; } = "";
}

/// <summary>Writes the key.</summary>
[CustomMappingFactoryAttribute(Contract)]
public sealed class KeyMapping : CustomMappingFactory<Nothing, KeyRow>
{
    internal const string Contract = "J1.MLNet.Key.v1", Value = "judge";

    public override Action<Nothing, KeyRow> GetMapping() => static (_, row) => row.Key = Value;
}

/// <summary>A row with a judge's state.</summary>
public interface IStateRow
{
    ReadOnlyMemory<char> State { get; }
}

/// <summary>What a saved judge of pairs reads.</summary>
public sealed class PairRow : IStateRow
{
    [ColumnName(SavedStages.State)]
    public ReadOnlyMemory<char> State { get; set; }

    [ColumnName("__J1_Instruction")]
    public string Instruction { get; set; } = "";

    [ColumnName("__J1_ResponseA")]
    public string ResponseA { get; set; } = "";

    [ColumnName("__J1_ResponseB")]
    public string ResponseB { get; set; } = "";
}

/// <summary>What a saved judge of single responses reads.</summary>
public sealed class ResponseRow : IStateRow
{
    [ColumnName(SavedStages.State)]
    public ReadOnlyMemory<char> State { get; set; }

    [ColumnName("__J1_Instruction")]
    public string Instruction { get; set; } = "";

    [ColumnName("__J1_Response")]
    public string Response { get; set; } = "";
}

/// <summary>What a saved judge of several responses reads.</summary>
public sealed class BestRow : IStateRow
{
    [ColumnName(SavedStages.State)]
    public ReadOnlyMemory<char> State { get; set; }

    [ColumnName("__J1_Instruction")]
    public string Instruction { get; set; } = "";

    [ColumnName("__J1_Responses")]
    public string[] Responses { get; set; } = [];
}

/// <summary>A mapping that asks the judge which its rows' state describes. Called from several threads.</summary>
public abstract class SavedStage<TRow, TResult> : CustomMappingFactory<TRow, TResult> where TRow : class, IStateRow, new() where TResult : class, new()
{
    public sealed override Action<TRow, TResult> GetMapping()
    {
        JudgeStage? stage = null;
        return (row, result) =>
        {
            // All rows of a model have the same state; two threads that come first get the same judge.
            stage ??= LoadedJudges.Stage(row.State);
            Copy((TResult)stage.Evaluate([Texts(row)])[0], result);
        };
    }

    private protected abstract string[] Texts(TRow row);

    private protected abstract void Copy(TResult from, TResult to);
}

[CustomMappingFactoryAttribute(Contract)]
public sealed class SavedPairs : SavedStage<PairRow, PairResult>
{
    internal const string Contract = "J1.MLNet.ScorePairs.v1";

    private protected override string[] Texts(PairRow row) => [row.Instruction, row.ResponseA, row.ResponseB];

    private protected override void Copy(PairResult from, PairResult to)
    {
        (to.PredictedLabel, to.Probability, to.Score, to.Verdict) = (from.PredictedLabel, from.Probability, from.Score, from.Verdict);
        (to.Flipped, to.FirstOrder, to.SecondOrder, to.Thought) = (from.Flipped, from.FirstOrder, from.SecondOrder, from.Thought);
    }
}

[CustomMappingFactoryAttribute(Contract)]
public sealed class SavedResponses : SavedStage<ResponseRow, ResponseResult>
{
    internal const string Contract = "J1.MLNet.ScoreResponses.v1";

    private protected override string[] Texts(ResponseRow row) => [row.Instruction, row.Response];

    private protected override void Copy(ResponseResult from, ResponseResult to) => (to.Score, to.Outcome, to.Thought) = (from.Score, from.Outcome, from.Thought);
}

[CustomMappingFactoryAttribute(Contract)]
public sealed class SavedRatings : SavedStage<ResponseRow, RatingResult>
{
    internal const string Contract = "J1.MLNet.RateResponse.v1";

    private protected override string[] Texts(ResponseRow row) => [row.Instruction, row.Response];

    private protected override void Copy(RatingResult from, RatingResult to) =>
        (to.Rating, to.PredictedLabel, to.Score, to.Outcome, to.Thought) = (from.Rating, from.PredictedLabel, from.Score, from.Outcome, from.Thought);
}

[CustomMappingFactoryAttribute(Contract)]
public sealed class SavedBest : SavedStage<BestRow, BestResult>
{
    internal const string Contract = "J1.MLNet.ChooseBest.v1";

    private protected override string[] Texts(BestRow row) => [row.Instruction, .. row.Responses];

    private protected override void Copy(BestResult from, BestResult to) =>
        (to.Best, to.BestIndex, to.Scores, to.Outcome, to.Thought) = (from.Best, from.BestIndex, from.Scores, from.Outcome, from.Thought);
}
