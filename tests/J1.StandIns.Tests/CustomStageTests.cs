using System.IO.Compression;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.StandIns.Tests;

public sealed class CustomStageTests
{
    private readonly MLContext context = new(1);

    private static Item[] Items(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new Item { Text = new string('x', 1 + i % 10), Label = i % 10 >= 5, Weight = i })];

    private IDataView View(int count = 10) => context.Data.LoadFromEnumerable(Items(count));

    [Fact]
    public void Transform_calls_nothing_until_a_row_is_read_and_then_once_a_batch()
    {
        var model = new RatingEstimator(context).Fit(View());
        var view = model.Transform(View());
        Assert.Equal(0, model.Calls);
        Assert.Equal(10, view.GetColumn<string>("Text").Count());
        Assert.Equal(0, model.Calls);
        Assert.Equal(Items(10).Select(i => i.Text.Length / 10f - 0.5f), view.GetColumn<float>("Score"));
        Assert.Equal(3, model.Calls);
    }

    [Fact]
    public void A_chain_checks_all_schemas_before_it_trains_anything()
    {
        var first = new RatingEstimator(context);
        var chain = first.Append(new RatingEstimator(context, "Missing"));
        Assert.Throws<ArgumentOutOfRangeException>(() => chain.Fit(View()));
        Assert.Equal(0, first.Fits);
        Assert.Throws<ArgumentOutOfRangeException>(() => new RatingEstimator(context).Append(context.Transforms.CopyColumns("Copy", "Missing")).Fit(View()));
    }

    [Fact]
    public void Columns_of_the_schema_shape_come_from_a_custom_mapping()
    {
        var seen = new List<SchemaShape>();
        var chain = new RatingEstimator(context).Append(new Spy(seen));
        chain.Fit(View());
        var score = seen[0].Single(c => c.Name == "Score");
        Assert.Equal(NumberDataViewType.Single, score.ItemType);
        Assert.Equal(SchemaShape.Column.VectorKind.Scalar, score.Kind);
        Assert.False(score.IsKey);
        Assert.Equal(["Text", "Label", "Weight", "Score", "PredictedLabel"], seen[0].Select(c => c.Name));
        Assert.ThrowsAny<ArgumentException>(() => new SchemaShape([default(SchemaShape.Column)]));
    }

    private sealed class Spy(List<SchemaShape> seen) : IEstimator<ITransformer>
    {
        public ITransformer Fit(IDataView input) => new TransformerChain<ITransformer>();

        public SchemaShape GetOutputSchema(SchemaShape inputSchema)
        {
            seen.Add(inputSchema);
            return inputSchema;
        }
    }

    [Fact]
    public void One_stages_output_feeds_the_next_whichever_was_written_outside()
    {
        var chain = context.Transforms.CopyColumns("Copy", "Text")
            .Append(new RatingEstimator(context, "Copy"))
            .Append(context.Transforms.Concatenate("Features", "Score", "Weight"))
            .Append(context.Transforms.SelectColumns("Features", "PredictedLabel"));
        var view = chain.Fit(View()).Transform(View());
        Assert.Equal(["Features", "PredictedLabel"], view.Schema.Select(c => c.Name));
        Assert.Equal(2, ((VectorDataViewType)view.Schema["Features"].Type).Size);
        Assert.Equal([0.3f - 0.5f, 2f], view.GetColumn<float[]>("Features").ElementAt(2));
    }

    [Fact]
    public void A_later_column_of_the_same_name_hides_the_earlier_and_both_stay()
    {
        var model = new RatingEstimator(context).Append(new RatingEstimator(context)).Fit(View());
        var schema = model.GetOutputSchema(View().Schema);
        Assert.Equal(7, schema.Count);
        Assert.True(schema[3].IsHidden);
        Assert.False(schema[5].IsHidden);
        Assert.Equal(5, schema["Score"].Index);
    }

    [Fact]
    public void Evaluators_take_plain_columns()
    {
        var scored = new RatingEstimator(context).Fit(View()).Transform(View(100));
        var metrics = context.BinaryClassification.EvaluateNonCalibrated(scored);
        Assert.Equal(1, metrics.Accuracy, 12);
        Assert.Equal(1, metrics.AreaUnderRocCurve, 12);
    }

    [Fact]
    public void Cross_validation_fits_once_a_fold_and_scores_every_row_once()
    {
        var estimator = new RatingEstimator(context);
        var folds = context.BinaryClassification.CrossValidateNonCalibrated(View(200), estimator, numberOfFolds: 4);
        Assert.Equal(4, estimator.Fits);
        Assert.Equal([0, 1, 2, 3], folds.Select(f => f.Fold));
        Assert.All(folds, f => Assert.Equal(1, f.Metrics.Accuracy, 12));
        Assert.Equal(Enumerable.Range(0, 200).Select(i => (float)i), folds.SelectMany(f => f.ScoredHoldOutSet.GetColumn<float>("Weight")).Order());
    }

    [Fact]
    public void Three_estimators_after_a_stage_read_it_three_times_and_a_prefetched_cache_once()
    {
        var model = new RatingEstimator(context).Fit(View());
        var scored = model.Transform(View(8));
        var readers = new Reader("Score").Append(new Reader("PredictedLabel")).Append(new Reader("Score"));
        readers.Fit(scored);
        Assert.Equal(6, model.Calls);
        readers.Fit(context.Data.Cache(scored, "Score", "PredictedLabel"));
        Assert.Equal(8, model.Calls);
    }

    private sealed class Reader(string column) : IEstimator<ITransformer>
    {
        public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema;

        public ITransformer Fit(IDataView input)
        {
            using var cursor = input.GetRowCursor([input.Schema[column]]);
            while (cursor.MoveNext()) { }
            return new TransformerChain<ITransformer>();
        }
    }

    [Fact]
    public void A_saved_chain_of_built_ins_takes_the_place_of_an_outside_transformer()
    {
        var model = new RatingEstimator(context).Append(context.Transforms.CopyColumns("Rating", "Score")).Fit(View());
        using var file = new MemoryStream();
        context.Model.Save(model, View().Schema, file);

        var other = new MLContext(2);
        var loaded = other.Model.Load(new MemoryStream(file.ToArray()), out var schema);
        Assert.Equal(["Text", "Label", "Weight"], schema.Select(c => c.Name));
        Assert.Equal(NumberDataViewType.Single, schema["Weight"].Type);
        var chain = Assert.IsType<TransformerChain<ITransformer>>(loaded);
        Assert.Equal(2, chain.Count());
        Assert.IsType<TransformerChain<ITransformer>>(chain.First());
        var view = loaded.Transform(other.Data.LoadFromEnumerable(Items(10)));
        Assert.Equal(["Text", "Label", "Weight", "Score", "PredictedLabel", "Rating"], view.Schema.Where(c => !c.IsHidden).Select(c => c.Name));
        Assert.Equal(model.Transform(View()).GetColumn<float>("Rating"), view.GetColumn<float>("Rating"));
        Assert.Equal(0.7f - 0.5f, other.Model.CreatePredictionEngine<Item, Rated>(loaded).Predict(new Item { Text = "sevenxx" }).Score);
    }

    [Fact]
    public void Entries_that_others_put_into_the_file_do_not_disturb()
    {
        var path = Path.GetTempFileName();
        try
        {
            context.Model.Save(context.Transforms.CopyColumns("Copy", "Text").Fit(View()), View().Schema, path);
            using (var zip = ZipFile.Open(path, ZipArchiveMode.Update))
            using (var entry = zip.CreateEntry("J1.MLNet/adapter.safetensors").Open())
                entry.WriteByte(1);
            Assert.Equal("Copy", context.Model.Load(path, out _).GetOutputSchema(View().Schema)[3].Name);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_save_that_writes_nothing_is_an_error()
    {
        var error = Assert.Throws<InvalidOperationException>(() => context.Model.Save(new Unsavable(), View().Schema, new MemoryStream()));
        Assert.Contains("ModelSignature not specified!", error.Message, StringComparison.Ordinal);
    }

    private sealed class Unsavable : ITransformer
    {
        public bool IsRowToRowMapper => false;
        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inputSchema;
        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => throw new NotSupportedException();
        public IDataView Transform(IDataView input) => input;
        public void Save(ModelSaveContext ctx) { }
    }

    [Fact]
    public void A_prediction_engine_rates_once_a_row_however_many_columns_are_read()
    {
        var model = new RatingEstimator(context).Fit(View());
        using var engine = context.Model.CreatePredictionEngine<Item, Rated>(model);
        Assert.Equal(0.4f - 0.5f, engine.Predict(new Item { Text = "four" }).Score);
        Assert.True(engine.Predict(new Item { Text = "sevenxx" }).PredictedLabel);
        Assert.Equal(2, model.Calls);
    }

    [Fact]
    public void A_prediction_engine_disposes_its_transformer_unless_told_not_to()
    {
        var (own, shared) = (new RatingEstimator(context).Append(context.Transforms.CopyColumns("Copy", "Score")).Fit(View()), new RatingEstimator(context).Fit(View()));
        context.Model.CreatePredictionEngine<Item, Rated>(own).Dispose();
        context.Model.CreatePredictionEngine<Item, Rated>(shared, new PredictionEngineOptions { OwnsTransformer = false }).Dispose();
        Assert.True(((RatingTransformer)own.First()).Disposed);
        Assert.False(shared.Disposed);
    }

    [Fact]
    public void A_prediction_engine_needs_a_row_mapper() =>
        Assert.ThrowsAny<ArgumentException>(() => context.Model.CreatePredictionEngine<Item, Rated>(new Unsavable()));

    [Fact]
    public void Dependencies_of_a_chain_are_columns_of_its_input()
    {
        ITransformer chain = context.Transforms.CopyColumns("Copy", "Text").Append(new RatingEstimator(context, "Copy")).Fit(View());
        var input = View().Schema;
        var mapper = chain.GetRowToRowMapper(input);
        Assert.Equal([input["Text"].Index], mapper.GetDependencies([mapper.OutputSchema["Score"]]).Select(c => c.Index));
        Assert.Equal([input["Weight"].Index], mapper.GetDependencies([mapper.OutputSchema["Weight"]]).Select(c => c.Index));
    }

    [Fact]
    public void OnFit_hands_out_the_transformer_with_its_own_type()
    {
        RatingTransformer? fitted = null;
        new RatingEstimator(context).WithOnFitDelegate(t => fitted = t).Append(context.Transforms.CopyColumns("Copy", "Score")).Fit(View());
        Assert.NotNull(fitted);
    }

    [Fact]
    public void Scopes_choose_the_stages_of_a_chain()
    {
        var chain = new EstimatorChain<ITransformer>().Append(new RatingEstimator(context), TransformerScope.TrainTest)
            .Append(context.Transforms.CopyColumns("Copy", "Text")).Fit(View());
        Assert.Single(chain.GetModelFor(TransformerScope.Scoring));
        Assert.Null(chain.GetOutputSchema(View().Schema, TransformerScope.Scoring).GetColumnOrNull("Score"));
    }
}
