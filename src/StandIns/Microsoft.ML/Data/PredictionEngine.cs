using Microsoft.ML.Data;

namespace Microsoft.ML;

public sealed class PredictionEngineOptions
{
    public bool IgnoreMissingColumns = true;
    public SchemaDefinition InputSchemaDefinition;
    public SchemaDefinition OutputSchemaDefinition;
    public bool OwnsTransformer = true;
}

/// <summary>One object in, one out. Not for several threads at once. Disposes its transformer unless told not to.</summary>
public abstract class PredictionEngineBase<TSrc, TDst> : IDisposable where TSrc : class where TDst : class, new()
{
    private readonly InputRow<TSrc> input;
    private readonly DataViewRow row;
    private readonly Action<TDst> fill;
    private readonly ITransformer owned;
    private bool disposed;

    private protected PredictionEngineBase(ITransformer transformer, PredictionEngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(transformer);
        if (!transformer.IsRowToRowMapper) throw new ArgumentException("Must be a row to row mapper", nameof(transformer));
        owned = options.OwnsTransformer ? transformer : null;
        input = new InputRow<TSrc>(TypedRows.Bind(typeof(TSrc), options.InputSchemaDefinition, SchemaDefinition.Direction.Read));
        var mapper = transformer.GetRowToRowMapper(input.Schema);
        OutputSchema = mapper.OutputSchema;
        var reader = new TypedReader<TDst>(OutputSchema, options.OutputSchemaDefinition, options.IgnoreMissingColumns);
        row = mapper.GetRow(input, reader.Columns);
        fill = reader.Bind(row);
    }

    public DataViewSchema OutputSchema { get; }

    public TDst Predict(TSrc example)
    {
        TDst prediction = new();
        Predict(example, ref prediction);
        return prediction;
    }

    public abstract void Predict(TSrc example, ref TDst prediction);

    private protected void Run(TSrc example, TDst prediction)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        input.Set(example ?? throw new ArgumentNullException(nameof(example)));
        fill(prediction);
    }

    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        row.Dispose();
        (owned as IDisposable)?.Dispose();
        GC.SuppressFinalize(this);
    }
}

public sealed class PredictionEngine<TSrc, TDst> : PredictionEngineBase<TSrc, TDst> where TSrc : class where TDst : class, new()
{
    internal PredictionEngine(ITransformer transformer, PredictionEngineOptions options) : base(transformer, options) { }

    public override void Predict(TSrc example, ref TDst prediction) => Run(example, prediction ??= new());
}

/// <summary>The object that is predicted on, as a row whose position grows with each.</summary>
internal sealed class InputRow<TSrc> : DataViewRow
{
    private readonly Delegate[] getters;
    private TSrc current;
    private long position = -1;

    public InputRow(TypedColumn[] columns)
    {
        Schema = TypedRows.ToSchema(columns);
        getters = [.. columns.Select(c => TypedRows.Getter(c, () => current))];
    }

    public void Set(TSrc example)
    {
        current = example;
        position++;
    }

    public override long Position => position;
    public override long Batch => 0;
    public override DataViewSchema Schema { get; }
    public override bool IsColumnActive(DataViewSchema.Column column) => column.Index < getters.Length;
    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)position, 0);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) =>
        getters[column.Index] as ValueGetter<TValue> ?? throw new InvalidOperationException($"Invalid TValue in GetGetter for column '{column.Name}': '{typeof(TValue)}', expected type: '{Schema[column.Index].Type.RawType}'.");
}
