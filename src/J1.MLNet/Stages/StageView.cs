using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Stages;

/// <summary>
/// A view with a stage's columns. Where none of them is read it is its source; otherwise rows are taken from the source a batch at a time, once,
/// and the batch is computed when the first value of it is asked for. The rows' order is the source's.
/// </summary>
internal sealed class StageView : IDataView
{
    private readonly Stage _stage;
    private readonly IDataView _source;

    public StageView(Stage stage, IDataView source) => (_stage, _source, Schema) = (stage, source, stage.OutputSchema(source.Schema));

    public bool CanShuffle => false;

    public DataViewSchema Schema { get; }

    public long? GetRowCount() => _source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var active = columnsNeeded.Select(column => column.Index).ToHashSet();
        var isComputed = active.Any(index => index >= _source.Schema.Count);
        var inputs = isComputed ? _stage.Inputs.Select(input => _source.Schema[input.Column].Index).ToHashSet() : [];
        var cursor = _source.GetRowCursor(_source.Schema.Where(column => active.Contains(column.Index) || inputs.Contains(column.Index)));
        return isComputed ? new BatchCursor(_stage, cursor, Schema, active) : new PlainCursor(cursor, Schema, active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => [GetRowCursor(columnsNeeded, rand)];

    /// <summary>A getter of the type that was asked for.</summary>
    public static ValueGetter<TValue> Typed<TValue>(Delegate getter, DataViewSchema.Column column) => getter as ValueGetter<TValue>
        ?? throw new InvalidOperationException($"Column '{column.Name}' is {column.Type}; it cannot be read as {typeof(TValue)}.");

    public static ArgumentOutOfRangeException Inactive(DataViewSchema.Column column) =>
        new(nameof(column), $"Column '{column.Name}' is not active; name it among the columns that are needed.");

    private sealed class PlainCursor(DataViewRowCursor source, DataViewSchema schema, HashSet<int> active) : DataViewRowCursor
    {
        public override long Position => source.Position;

        public override long Batch => source.Batch;

        public override DataViewSchema Schema => schema;

        public override ValueGetter<DataViewRowId> GetIdGetter() => source.GetIdGetter();

        public override bool IsColumnActive(DataViewSchema.Column column) => active.Contains(column.Index);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) =>
            IsColumnActive(column) ? source.GetGetter<TValue>(source.Schema[column.Index]) : throw Inactive(column);

        public override bool MoveNext() => source.MoveNext();

        protected override void Dispose(bool disposing)
        {
            if (disposing) source.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class BatchCursor : DataViewRowCursor
    {
        private readonly Stage _stage;
        private readonly DataViewRowCursor _source;
        private readonly HashSet<int> _active;
        private readonly RowReader _reader;
        private readonly Dictionary<int, ColumnBuffer> _buffers;
        private readonly ValueGetter<DataViewRowId> _readId;
        private readonly DataViewRowId[] _ids;
        private readonly List<string[]> _rows = [];
        private object[]? _results;
        private int _slot = -1;
        private long _position = -1;

        public BatchCursor(Stage stage, DataViewRowCursor source, DataViewSchema schema, HashSet<int> active)
        {
            (_stage, _source, Schema, _active) = (stage, source, schema, active);
            _reader = new RowReader(stage, source);
            _buffers = active.Where(index => index < source.Schema.Count).ToDictionary(index => index, index => ColumnBuffer.Create(source, source.Schema[index], stage.BatchSize));
            (_readId, _ids) = (source.GetIdGetter(), new DataViewRowId[stage.BatchSize]);
        }

        public override long Position => _position;

        public override long Batch => 0;

        public override DataViewSchema Schema { get; }

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = _ids[Slot()];

        public override bool IsColumnActive(DataViewSchema.Column column) => _active.Contains(column.Index);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (!IsColumnActive(column)) throw Inactive(column);
            return Typed<TValue>(_buffers.TryGetValue(column.Index, out var buffer) ? buffer.Getter(Slot) : _stage.Outputs[column.Index - _source.Schema.Count].Bind(Result), column);
        }

        public override bool MoveNext()
        {
            if (++_slot >= _rows.Count && !Fill())
            {
                (_slot, _position) = (-1, -1);
                return false;
            }
            _position++;
            return true;
        }

        private bool Fill()
        {
            _rows.Clear();
            (_results, _slot) = (null, 0);
            while (_rows.Count < _stage.BatchSize && _source.MoveNext())
            {
                foreach (var buffer in _buffers.Values) buffer.Fill(_rows.Count);
                _readId(ref _ids[_rows.Count]);
                _rows.Add(_reader.Read());
            }
            return _rows.Count > 0;
        }

        private object Result() => (_results ??= _stage.Evaluate(_rows))[Slot()];

        private int Slot() => _position >= 0 ? _slot : throw new InvalidOperationException("There is no row here: move to one first.");

        protected override void Dispose(bool disposing)
        {
            if (disposing) _source.Dispose();
            base.Dispose(disposing);
        }
    }
}
