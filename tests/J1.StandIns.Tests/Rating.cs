using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace J1.StandIns.Tests;

/// <summary>A stage written from outside, as a judge is: an estimator, a lazy transformer with a batch of rows a call, saved through built-ins.</summary>
public sealed class RatingEstimator(MLContext context, string column = "Text", int batchSize = 4) : IEstimator<RatingTransformer>
{
    public int Fits { get; private set; }

    public RatingTransformer Fit(IDataView input)
    {
        Fits++;
        var longest = input.GetColumn<string>(column).Select(t => t.Length).DefaultIfEmpty(1).Max();
        return new RatingTransformer(context, column, longest, batchSize);
    }

    /// <summary>A SchemaShape.Column cannot be made from outside; a custom mapping of the right shape makes it.</summary>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        var found = inputSchema.FirstOrDefault(c => c.Name == column);
        if (found.Name == null || found.ItemType is not TextDataViewType || found.Kind != SchemaShape.Column.VectorKind.Scalar)
            throw new ArgumentOutOfRangeException(nameof(inputSchema), $"Column '{column}' must be text.");
        return context.Transforms.CustomMapping<Nothing, Rated>((_, _) => { }, null).GetOutputSchema(inputSchema);
    }

    public sealed class Nothing;

    public sealed class Rated
    {
        public float Score { get; set; }
        public bool PredictedLabel { get; set; }
    }
}

public sealed class RatingTransformer(MLContext context, string column, int longest, int batchSize) : ITransformer, IDisposable
{
    private int calls;

    public int Calls => calls;
    public bool Disposed { get; private set; }
    public bool IsRowToRowMapper => true;
    public void Dispose() => Disposed = true;

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        if (inputSchema.GetColumnOrNull(column) is not { Type: TextDataViewType }) throw new ArgumentOutOfRangeException(nameof(inputSchema), $"Column '{column}' must be text.");
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(inputSchema);
        builder.AddColumn("Score", NumberDataViewType.Single);
        builder.AddColumn("PredictedLabel", BooleanDataViewType.Instance);
        return builder.ToSchema();
    }

    public IDataView Transform(IDataView input) => new View(this, input, GetOutputSchema(input.Schema));
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => new Mapper(this, inputSchema, GetOutputSchema(inputSchema));

    public float[] Rate(IReadOnlyList<string> texts)
    {
        Interlocked.Increment(ref calls);
        return [.. texts.Select(t => (float)t.Length / longest - 0.5f)];
    }

    /// <summary>Only built-ins can write, so a chain of them that does the same is what is saved; what was learned lies in its table.</summary>
    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        var empty = context.Data.LoadFromEnumerable<Texts>([]);
        var chain = context.Transforms.CopyColumns("__Text", column)
            .Append(context.Transforms.CustomMapping<RatingEstimator.Nothing, Keyed>(KeyFactory.Map, "J1.StandIns.Tests.Key.v1"))
            .Append(context.Transforms.Conversion.MapValue("__State", new Dictionary<string, string> { ["key"] = $"{longest}" }, "__Key"))
            .Append(context.Transforms.CustomMapping<Stated, RatingEstimator.Rated>(RateFactory.Map, "J1.StandIns.Tests.Rate.v1"))
            .Append(context.Transforms.DropColumns("__Text", "__Key", "__State"))
            .Fit(context.Transforms.CopyColumns(column, nameof(Texts.Any)).Fit(empty).Transform(empty));
        ((ICanSaveModel)chain).Save(ctx);
    }

    public sealed class Texts
    {
        public string Any { get; set; } = "";
    }

    public sealed class Keyed
    {
        [ColumnName("__Key")]
        public string Key { get; set; } = "";
    }

    public sealed class Stated
    {
        [ColumnName("__Text")]
        public string Text { get; set; } = "";

        [ColumnName("__State")]
        public string State { get; set; } = "";
    }

    [CustomMappingFactoryAttribute("J1.StandIns.Tests.Key.v1")]
    public sealed class KeyFactory : CustomMappingFactory<RatingEstimator.Nothing, Keyed>
    {
        public static void Map(RatingEstimator.Nothing input, Keyed output) => output.Key = "key";
        public override Action<RatingEstimator.Nothing, Keyed> GetMapping() => Map;
    }

    [CustomMappingFactoryAttribute("J1.StandIns.Tests.Rate.v1")]
    public sealed class RateFactory : CustomMappingFactory<Stated, RatingEstimator.Rated>
    {
        public static void Map(Stated input, RatingEstimator.Rated output)
        {
            output.Score = (float)input.Text.Length / int.Parse(input.State, System.Globalization.CultureInfo.InvariantCulture) - 0.5f;
            output.PredictedLabel = output.Score > 0;
        }

        public override Action<Stated, RatingEstimator.Rated> GetMapping() => Map;
    }

    private sealed class Mapper(RatingTransformer transformer, DataViewSchema input, DataViewSchema output) : IRowToRowMapper
    {
        public DataViewSchema InputSchema => input;
        public DataViewSchema OutputSchema => output;

        public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
            dependingColumns.Select(c => c.Index < input.Count ? input[c.Index] : input[transformer.Column]).DistinctBy(c => c.Index);

        public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
        {
            var active = activeColumns.Select(c => c.Index).ToHashSet();
            return new Row(input, output, active, () => transformer.Read(input));
        }
    }

    private string Column => column;

    private float Read(DataViewRow row)
    {
        ReadOnlyMemory<char> text = default;
        row.GetGetter<ReadOnlyMemory<char>>(row.Schema[column])(ref text);
        return Rate([text.ToString()])[0];
    }

    private sealed class Row(DataViewRow input, DataViewSchema schema, HashSet<int> active, Func<float> rate) : DataViewRow
    {
        private long ratedAt = -1;
        private float rated;

        public override long Position => input.Position;
        public override long Batch => input.Batch;
        public override DataViewSchema Schema => schema;
        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();
        public override bool IsColumnActive(DataViewSchema.Column column) => active.Contains(column.Index);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (column.Index < input.Schema.Count) return input.GetGetter<TValue>(input.Schema[column.Index]);
            Delegate getter = column.Name == "Score" ? (ValueGetter<float>)((ref float value) => value = Rated()) : (ValueGetter<bool>)((ref bool value) => value = Rated() > 0);
            return (ValueGetter<TValue>)getter;
        }

        private float Rated()
        {
            if (ratedAt != Position) (ratedAt, rated) = (Position, rate());
            return rated;
        }
    }

    /// <summary>One cursor over the texts runs a batch ahead of another over whatever else is read.</summary>
    private sealed class View(RatingTransformer transformer, IDataView source, DataViewSchema schema) : IDataView
    {
        public bool CanShuffle => false;
        public DataViewSchema Schema => schema;
        public long? GetRowCount() => source.GetRowCount();
        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => [GetRowCursor(columnsNeeded, rand)];

        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
        {
            var active = columnsNeeded.Select(c => c.Index).ToHashSet();
            var text = source.Schema[transformer.Column];
            var ahead = active.Any(i => i >= source.Schema.Count) ? source.GetRowCursor([text]) : null;
            return new Cursor(transformer, source.GetRowCursor(source.Schema.Where(c => active.Contains(c.Index))), ahead, text, schema, active);
        }
    }

    private sealed class Cursor(RatingTransformer transformer, DataViewRowCursor source, DataViewRowCursor? ahead, DataViewSchema.Column text, DataViewSchema schema, HashSet<int> active)
        : DataViewRowCursor
    {
        private readonly Queue<float> scores = new();
        private readonly ValueGetter<ReadOnlyMemory<char>>? read = ahead?.GetGetter<ReadOnlyMemory<char>>(text);
        private float score;

        public override long Position => source.Position;
        public override long Batch => 0;
        public override DataViewSchema Schema => schema;
        public override ValueGetter<DataViewRowId> GetIdGetter() => source.GetIdGetter();
        public override bool IsColumnActive(DataViewSchema.Column column) => active.Contains(column.Index);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (!active.Contains(column.Index)) throw new ArgumentOutOfRangeException(nameof(column), $"Column '{column.Name}' is not active.");
            if (column.Index < source.Schema.Count) return source.GetGetter<TValue>(source.Schema[column.Index]);
            Delegate getter = column.Name == "Score" ? (ValueGetter<float>)((ref float value) => value = score) : (ValueGetter<bool>)((ref bool value) => value = score > 0);
            return (ValueGetter<TValue>)getter;
        }

        public override bool MoveNext()
        {
            if (!source.MoveNext()) return false;
            if (ahead == null) return true;
            if (scores.Count == 0)
            {
                var texts = new List<string>();
                while (texts.Count < transformer.BatchSize && ahead.MoveNext())
                {
                    ReadOnlyMemory<char> value = default;
                    read!(ref value);
                    texts.Add(value.ToString());
                }
                foreach (var rated in transformer.Rate(texts)) scores.Enqueue(rated);
            }
            score = scores.Dequeue();
            return true;
        }

        protected override void Dispose(bool disposing)
        {
            source.Dispose();
            ahead?.Dispose();
            base.Dispose(disposing);
        }
    }

    private int BatchSize => batchSize;
}

public sealed class Item
{
    public string Text { get; set; } = "";
    public bool Label { get; set; }
    public float Weight { get; set; } = 1;
}

public sealed class Rated
{
    public string Text { get; set; } = "";
    public bool Label { get; set; }
    public float Score { get; set; }
    public bool PredictedLabel { get; set; }
}
