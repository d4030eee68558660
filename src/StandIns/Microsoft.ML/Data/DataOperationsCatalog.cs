using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

public sealed class DataOperationsCatalog
{
    private readonly IHostEnvironment env;

    internal DataOperationsCatalog(IHostEnvironment env) => this.env = env;

    public readonly struct TrainTestData
    {
        public readonly IDataView TrainSet;
        public readonly IDataView TestSet;

        internal TrainTestData(IDataView trainSet, IDataView testSet)
        {
            TrainSet = trainSet;
            TestSet = testSet;
        }
    }

    public IDataView LoadFromEnumerable<TRow>(IEnumerable<TRow> data, SchemaDefinition schemaDefinition = null) where TRow : class
    {
        ArgumentNullException.ThrowIfNull(data);
        var columns = TypedRows.Bind(typeof(TRow), schemaDefinition, SchemaDefinition.Direction.Read);
        return new EnumerableView<TRow>(data, columns, TypedRows.ToSchema(columns));
    }

    public IDataView LoadFromEnumerable<TRow>(IEnumerable<TRow> data, DataViewSchema schema) where TRow : class
    {
        ArgumentNullException.ThrowIfNull(schema);
        return LoadFromEnumerable(data, DefinitionFrom(typeof(TRow), schema));
    }

    public IEnumerable<TRow> CreateEnumerable<TRow>(IDataView data, bool reuseRowObject, bool ignoreMissingColumns = false, SchemaDefinition schemaDefinition = null)
        where TRow : class, new()
    {
        ArgumentNullException.ThrowIfNull(data);
        return Read(data, new TypedReader<TRow>(data.Schema, schemaDefinition, ignoreMissingColumns), reuseRowObject);
    }

    private static IEnumerable<TRow> Read<TRow>(IDataView data, TypedReader<TRow> reader, bool reuse) where TRow : class, new()
    {
        using var cursor = data.GetRowCursor(reader.Columns);
        var fill = reader.Bind(cursor);
        for (var row = new TRow(); cursor.MoveNext(); row = reuse ? row : new TRow())
        {
            fill(row);
            yield return row;
        }
    }

    public IDataView Cache(IDataView input, params string[] columnsToPrefetch)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new CacheView(input, columnsToPrefetch);
    }

    public IDataView TakeRows(IDataView input, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return new FilterView(input, [], _ =>
        {
            var taken = 0L;
            return () => taken++ < count ? true : null;
        });
    }

    public IDataView SkipRows(IDataView input, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return new FilterView(input, [], _ =>
        {
            var skipped = 0L;
            return () => skipped++ >= count;
        });
    }

    public IDataView ShuffleRows(IDataView input, int? seed = null, int shufflePoolSize = 1000, bool shuffleSource = true)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shufflePoolSize);
        return new ShuffleView(input, seed ?? env.Register("RowShuffle").Rand.Next(), shufflePoolSize, shuffleSource);
    }

    public IDataView FilterRowsByColumn(IDataView input, string columnName, double lowerBound = double.NegativeInfinity, double upperBound = double.PositiveInfinity)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (lowerBound > upperBound) throw new ArgumentOutOfRangeException(nameof(upperBound), "The upper bound is below the lower.");
        var column = input.Schema[columnName];
        if (column.Type != NumberDataViewType.Single && column.Type != NumberDataViewType.Double)
            throw new ArgumentOutOfRangeException(nameof(columnName), $"Schema mismatch for filter column '{columnName}': expected Single or Double, got {column.Type}");
        return new FilterView(input, [column], row =>
        {
            var read = column.Type == NumberDataViewType.Double ? TypedRows.Reader<double>(row, column) : Widened(TypedRows.Reader<float>(row, column));
            return () => read() is var x && x >= lowerBound && x < upperBound;
        }, canShuffle: true);
    }

    private static Func<double> Widened(Func<float> read) => () => read();

    public TrainTestData TrainTestSplit(IDataView data, double testFraction = 0.1, string samplingKeyColumnName = null, int? seed = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (testFraction is not (> 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(testFraction), "Must be between 0 and 1 exclusive");
        var share = Shares(data, samplingKeyColumnName, seed);
        return new(Part(data, samplingKeyColumnName, share, x => x >= testFraction), Part(data, samplingKeyColumnName, share, x => x < testFraction));
    }

    public IReadOnlyList<TrainTestData> CrossValidationSplit(IDataView data, int numberOfFolds = 5, string samplingKeyColumnName = null, int? seed = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (numberOfFolds <= 1) throw new ArgumentOutOfRangeException(nameof(numberOfFolds), "Must be more than 1");
        var share = Shares(data, samplingKeyColumnName, seed);
        return [.. Enumerable.Range(0, numberOfFolds).Select(fold =>
        {
            bool InFold(double x) => (int)(x * numberOfFolds) == fold;
            return new TrainTestData(Part(data, samplingKeyColumnName, share, x => !InFold(x)), Part(data, samplingKeyColumnName, share, InFold));
        })];
    }

    /// <summary>A row's share of [0, 1): of its key where there is one, else of its place, so that every reading splits alike.</summary>
    private Func<DataViewRow, Func<double>> Shares(IDataView data, string keyColumn, int? seed)
    {
        var salt = DataViewRowId.Mix((ulong)(seed ?? env.Register("TrainTestSplit").Rand.Next()));
        DataViewSchema.Column? column = keyColumn == null ? null : data.Schema.GetColumnOrNull(keyColumn) ?? throw new ArgumentOutOfRangeException(nameof(keyColumn), $"Could not find sampling key column '{keyColumn}'");
        return row =>
        {
            if (column is not { } key)
            {
                var place = 0UL;
                return () => Share(salt + place++ * 0x9E3779B97F4A7C15);
            }
            var text = (Func<string>)typeof(DataOperationsCatalog).GetMethod(nameof(TextOf), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)
                .MakeGenericMethod(key.Type.RawType).Invoke(null, [row, key]);
            return () => Share(text().Aggregate(salt, (hash, c) => DataViewRowId.Mix(hash ^ c)));
        };
    }

    private static double Share(ulong hash) => (DataViewRowId.Mix(hash) >> 11) * (1.0 / (1UL << 53));

    private static Func<string> TextOf<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var read = TypedRows.Reader<T>(row, column);
        return () => string.Format(System.Globalization.CultureInfo.InvariantCulture, "{0}", read());
    }

    private static FilterView Part(IDataView data, string keyColumn, Func<DataViewRow, Func<double>> share, Func<double, bool> belongs) =>
        new(data, keyColumn == null ? [] : [data.Schema[keyColumn]], row =>
        {
            var next = share(row);
            return () => belongs(next());
        });

    internal static SchemaDefinition DefinitionFrom(Type type, DataViewSchema schema)
    {
        var definition = SchemaDefinition.Create(type, SchemaDefinition.Direction.Read);
        foreach (var column in definition)
            if (schema.GetColumnOrNull(column.ColumnName) is { } given) column.ColumnType = given.Type;
        return definition;
    }
}
