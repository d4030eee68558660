namespace Microsoft.ML.Data;

/// <summary>A view whose rows are made one after the other by one thread.</summary>
internal abstract class SerialView : IDataView
{
    public abstract DataViewSchema Schema { get; }
    public virtual bool CanShuffle => false;
    public virtual long? GetRowCount() => null;
    public abstract DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null);

    public virtual DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];
}

/// <summary>A cursor over another one: all of it is the other's, but for what a subclass says.</summary>
internal abstract class CursorOver(DataViewRowCursor source) : DataViewRowCursor
{
    protected DataViewRowCursor Source => source;
    public override long Position => source.Position;
    public override long Batch => source.Batch;
    public override DataViewSchema Schema => source.Schema;
    public override ValueGetter<DataViewRowId> GetIdGetter() => source.GetIdGetter();
    public override bool IsColumnActive(DataViewSchema.Column column) => source.IsColumnActive(column);
    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => source.GetGetter<TValue>(column);

    protected override void Dispose(bool disposing)
    {
        if (disposing) source.Dispose();
    }
}

/// <summary>Objects as rows, read as they come by each cursor anew; a collection knows its length.</summary>
internal sealed class EnumerableView<TRow>(IEnumerable<TRow> data, TypedColumn[] columns, DataViewSchema schema) : SerialView where TRow : class
{
    public override DataViewSchema Schema => schema;
    public override long? GetRowCount() => (data as ICollection<TRow>)?.Count;
    public override DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null) => new Cursor(this, new ActiveColumns(schema, columnsNeeded));

    private IEnumerable<TRow> Rows => data;
    private TypedColumn[] Columns => columns;

    private sealed class Cursor(EnumerableView<TRow> view, ActiveColumns active) : DataViewRowCursor
    {
        private readonly IEnumerator<TRow> rows = view.Rows.GetEnumerator();
        private readonly Delegate[] getters = new Delegate[view.Schema.Count];
        private long position = -1;

        public override long Position => position;
        public override long Batch => 0;
        public override DataViewSchema Schema => view.Schema;
        public override bool IsColumnActive(DataViewSchema.Column column) => active.IsActive(column);
        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)position, 0);
        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => active.Getter<TValue>(column, c => getters[c] ??= TypedRows.Getter(view.Columns[c], Current));

        public override bool MoveNext()
        {
            if (!rows.MoveNext())
            {
                position = -1;
                return false;
            }
            if (rows.Current == null) throw new InvalidOperationException("Encountered null when iterating over data, this is not supported.");
            position++;
            return true;
        }

        protected override void Dispose(bool disposing) => rows.Dispose();

        private TRow Current() => position >= 0 ? rows.Current : throw new InvalidOperationException("Cannot call a getter where there is no row: move to one first.");
    }
}

/// <summary>Some of the rows, in their order: those that a new filter, made for each reading, lets through.</summary>
internal sealed class FilterView(IDataView source, IEnumerable<DataViewSchema.Column> reads, Func<DataViewRow, Func<bool?>> filter, bool canShuffle = false) : SerialView
{
    private readonly DataViewSchema.Column[] reads = [.. reads];

    public override DataViewSchema Schema => source.Schema;
    public override bool CanShuffle => canShuffle && source.CanShuffle;

    public override DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var active = new ActiveColumns(Schema, columnsNeeded);
        return new Cursor(source.GetRowCursor(active.Columns.UnionBy(reads, c => c.Index), CanShuffle ? rand : null), active, filter);
    }

    /// <summary>The active columns are those asked of this view; the source's cursor has the filter's own too.</summary>
    private sealed class Cursor(DataViewRowCursor source, ActiveColumns active, Func<DataViewRow, Func<bool?>> filter) : CursorOver(source)
    {
        private readonly Func<bool?> passes = filter(source);
        private long position = -1;

        public override long Position => position;
        public override bool IsColumnActive(DataViewSchema.Column column) => active.IsActive(column);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) =>
            active.Getter<TValue>(column, c => Source.GetGetter<TValue>(Schema[c]));

        /// <summary>A filter says null where no later row can pass.</summary>
        public override bool MoveNext()
        {
            while (Source.MoveNext())
            {
                var answer = passes();
                if (answer == null) break;
                if (answer == false) continue;
                position++;
                return true;
            }
            position = -1;
            return false;
        }
    }
}

/// <summary>Keeps what is read, a column when it is first read. Columns that are first read together are filled in one pass.</summary>
internal sealed class CacheView : SerialView
{
    private readonly IDataView source;
    private readonly Lock gate = new();
    private readonly Dictionary<int, RowBlock> filled = [];
    private RowBlock ids;

    public CacheView(IDataView source, string[] prefetch)
    {
        this.source = source;
        var columns = (prefetch ?? []).Select(name => source.Schema[name]).ToArray();
        if (columns.Length > 0) Fill(columns);
    }

    public override DataViewSchema Schema => source.Schema;
    public override bool CanShuffle => true;
    public override long? GetRowCount() => ids?.Count ?? source.GetRowCount();

    public override DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var active = new ActiveColumns(Schema, columnsNeeded);
        return new Cursor(this, active, rand);
    }

    private void Fill(IEnumerable<DataViewSchema.Column> columns)
    {
        lock (gate)
        {
            var missing = columns.Where(c => !filled.ContainsKey(c.Index)).ToArray();
            if (missing.Length == 0 && ids != null) return;
            var block = new RowBlock(missing);
            using (var cursor = source.GetRowCursor(missing))
            {
                var fill = block.Filler(cursor, Schema);
                for (var slot = 0; cursor.MoveNext(); slot++) fill(slot);
            }
            foreach (var column in missing) filled[column.Index] = block;
            ids ??= block;
        }
    }

    private sealed class Cursor(CacheView view, ActiveColumns active, Random rand) : DataViewRowCursor
    {
        private int[] order;
        private int position = -1;

        public override long Position => position;
        public override long Batch => 0;
        public override DataViewSchema Schema => view.Schema;
        public override bool IsColumnActive(DataViewSchema.Column column) => active.IsActive(column);
        public override ValueGetter<DataViewRowId> GetIdGetter()
        {
            view.Fill(active.Columns);
            return view.ids.IdGetter(Slot);
        }

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => active.Getter<TValue>(column, c =>
        {
            view.Fill(active.Columns);
            return view.filled[c].Getter(c, Slot);
        });

        public override bool MoveNext()
        {
            view.Fill(active.Columns);
            if (order == null && rand != null)
            {
                order = [.. Enumerable.Range(0, view.ids.Count)];
                rand.Shuffle(order);
            }
            if (++position < view.ids.Count) return true;
            position = -1;
            return false;
        }

        private int Slot() => position < 0 ? throw new InvalidOperationException("Cannot call a getter where there is no row: move to one first.") : order?[position] ?? position;
    }
}

/// <summary>Another order: each row is drawn from a pool of the next ones.</summary>
internal sealed class ShuffleView(IDataView source, int seed, int poolSize, bool shuffleSource) : SerialView
{
    public override DataViewSchema Schema => source.Schema;
    public override bool CanShuffle => true;
    public override long? GetRowCount() => source.GetRowCount();

    public override DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var active = new ActiveColumns(Schema, columnsNeeded);
        rand ??= new Random(seed);
        return new Cursor(source.GetRowCursor(active.Columns, shuffleSource && source.CanShuffle ? rand : null), new RowBlock(active.Columns), active, rand, poolSize);
    }

    private sealed class Cursor : CursorOver
    {
        private readonly BlockRow row;
        private readonly Random rand;
        private readonly Action<int> fill;
        private readonly List<int> full = [];
        private readonly Stack<int> free;
        private long position = -1;

        public Cursor(DataViewRowCursor source, RowBlock block, ActiveColumns active, Random rand, int poolSize) : base(source)
        {
            this.rand = rand;
            row = new BlockRow(source.Schema, block, active);
            fill = block.Filler(source, source.Schema);
            free = new Stack<int>(Enumerable.Range(0, poolSize).Reverse());
        }

        public override long Position => position;
        public override ValueGetter<DataViewRowId> GetIdGetter() => row.GetIdGetter();
        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => row.GetGetter<TValue>(column);

        public override bool MoveNext()
        {
            if (position >= 0) free.Push(row.Slot);
            while (free.Count > 0 && Source.MoveNext())
            {
                fill(free.Peek());
                full.Add(free.Pop());
            }
            if (full.Count == 0)
            {
                position = -1;
                return false;
            }
            var drawn = rand.Next(full.Count);
            row.Slot = full[drawn];
            full[drawn] = full[^1];
            full.RemoveAt(full.Count - 1);
            position++;
            return true;
        }
    }
}
