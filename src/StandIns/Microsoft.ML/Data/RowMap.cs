namespace Microsoft.ML.Data;

/// <summary>A transformer bound to a schema: which output columns are the input's own, and how the others are computed from a row.</summary>
internal abstract class RowMap : IRowToRowMapper
{
    /// <summary>For each output column the input column that it is, or the complement of the number of an added one.</summary>
    protected RowMap(DataViewSchema input, DataViewSchema output, int[] sources)
    {
        InputSchema = input;
        OutputSchema = output;
        Sources = sources;
    }

    /// <summary>All input columns, then the added ones.</summary>
    protected RowMap(DataViewSchema input, IEnumerable<DataViewSchema.DetachedColumn> added)
    {
        InputSchema = input;
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input);
        builder.AddColumns(added);
        OutputSchema = builder.ToSchema();
        Sources = [.. Enumerable.Range(0, OutputSchema.Count).Select(i => i < input.Count ? i : ~(i - input.Count))];
    }

    public DataViewSchema InputSchema { get; }
    public DataViewSchema OutputSchema { get; }
    public int[] Sources { get; }

    /// <summary>The input columns that an added one is computed from.</summary>
    public abstract IEnumerable<int> Needs(int added);

    /// <summary>The getter of an added column; asked for at most once a row.</summary>
    public abstract Func<int, Delegate> CreateGetters(DataViewRow input);

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        [.. dependingColumns.SelectMany(c => Sources[c.Index] is >= 0 and var own ? [own] : Needs(~Sources[c.Index])).Distinct().Order().Select(i => InputSchema[i])];

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.Schema != InputSchema) throw new ArgumentException("Schema of input row must be the same as the schema the mapper is bound to", nameof(input));
        return new Row(this, input, new ActiveColumns(OutputSchema, activeColumns));
    }

    private sealed class Row(RowMap map, DataViewRow input, ActiveColumns active) : DataViewRow
    {
        private readonly Delegate[] getters = new Delegate[map.Sources.Length];
        private Func<int, Delegate> added;

        public override long Position => input.Position;
        public override long Batch => input.Batch;
        public override DataViewSchema Schema => map.OutputSchema;
        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();
        public override bool IsColumnActive(DataViewSchema.Column column) => active.IsActive(column);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => active.Getter<TValue>(column, c =>
            map.Sources[c] >= 0 ? input.GetGetter<TValue>(map.InputSchema[map.Sources[c]]) : getters[c] ??= (added ??= map.CreateGetters(input))(~map.Sources[c]));
    }
}

/// <summary>Mappers one after the other, each with only the columns active that a later one needs.</summary>
internal sealed class CompositeMapper(DataViewSchema input, IReadOnlyList<IRowToRowMapper> mappers) : IRowToRowMapper
{
    public DataViewSchema InputSchema => input;
    public DataViewSchema OutputSchema => mappers.Count == 0 ? input : mappers[^1].OutputSchema;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
    {
        for (var m = mappers.Count - 1; m >= 0; m--) dependingColumns = mappers[m].GetDependencies(dependingColumns);
        return dependingColumns;
    }

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.Schema != InputSchema) throw new ArgumentException("Schema of input row must be the same as the schema the mapper is bound to", nameof(input));
        var active = new IEnumerable<DataViewSchema.Column>[mappers.Count];
        for (var m = mappers.Count - 1; m >= 0; m--)
        {
            active[m] = [.. activeColumns];
            activeColumns = mappers[m].GetDependencies(active[m]);
        }
        var rows = new List<DataViewRow>();
        for (var m = 0; m < mappers.Count; m++) rows.Add(mappers[m].GetRow(m == 0 ? input : rows[^1], active[m]));
        return new Row(rows.Count == 0 ? input : rows[^1], rows);
    }

    private sealed class Row(DataViewRow last, List<DataViewRow> rows) : DataViewRow
    {
        public override long Position => last.Position;
        public override long Batch => last.Batch;
        public override DataViewSchema Schema => last.Schema;
        public override ValueGetter<DataViewRowId> GetIdGetter() => last.GetIdGetter();
        public override bool IsColumnActive(DataViewSchema.Column column) => last.IsColumnActive(column);
        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => last.GetGetter<TValue>(column);

        protected override void Dispose(bool disposing)
        {
            if (disposing) rows.ForEach(r => r.Dispose());
        }
    }
}

/// <summary>
/// A row mapper's lazy view. Where a column that it adds is read and there are rows enough, its mapping is called from several threads at once,
/// here as in the real library; the rows still come in the source's order.
/// </summary>
internal sealed class MapView(IDataView source, RowMap map) : IDataView
{
    public DataViewSchema Schema => map.OutputSchema;
    public bool CanShuffle => source.CanShuffle;
    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var active = new ActiveColumns(Schema, columnsNeeded);
        var maps = new List<RowMap>();
        IDataView bottom = this;
        for (; bottom is MapView view; bottom = view.Inner) maps.Insert(0, view.Map);
        var mapper = new CompositeMapper(bottom.Schema, maps);
        var threads = active.Columns.Any(c => map.Sources[c.Index] < 0) ? Environment.ProcessorCount : 1;
        var cursor = bottom.GetRowCursor(mapper.GetDependencies(active.Columns), rand);
        return threads > 1 && (bottom.GetRowCount() ?? long.MaxValue) > threads
            ? new ParallelCursor(cursor, mapper, active, threads) : new Cursor(cursor, mapper.GetRow(cursor, active.Columns));
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) => [GetRowCursor(columnsNeeded, rand)];

    private IDataView Inner => source;
    private RowMap Map => map;

    private sealed class Cursor(DataViewRowCursor source, DataViewRow row) : CursorOver(source)
    {
        public override DataViewSchema Schema => row.Schema;
        public override bool IsColumnActive(DataViewSchema.Column column) => row.IsColumnActive(column);
        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => row.GetGetter<TValue>(column);
        public override bool MoveNext() => Source.MoveNext();

        protected override void Dispose(bool disposing)
        {
            if (disposing) row.Dispose();
            base.Dispose(disposing);
        }
    }
}
