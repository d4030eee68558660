using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Stages;

/// <summary>A stage row by row, as a prediction engine needs it: each row is a batch of its own, computed once however many of its columns are read.</summary>
internal sealed class StageMapper(Stage stage, DataViewSchema input) : IRowToRowMapper
{
    public DataViewSchema InputSchema => input;

    public DataViewSchema OutputSchema { get; } = stage.OutputSchema(input);

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        [.. dependingColumns.SelectMany(column => column.Index < input.Count ? [column.Index] : stage.Inputs.Select(wanted => input[wanted.Column].Index)).Distinct().Order().Select(index => input[index])];

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new Row(stage, input, OutputSchema, activeColumns.Select(column => column.Index).ToHashSet());
    }

    private sealed class Row(Stage stage, DataViewRow input, DataViewSchema schema, HashSet<int> active) : DataViewRow
    {
        private RowReader? _reader;
        private object? _result;
        private long _at = -1;

        public override long Position => input.Position;

        public override long Batch => input.Batch;

        public override DataViewSchema Schema => schema;

        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

        public override bool IsColumnActive(DataViewSchema.Column column) => active.Contains(column.Index);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (!IsColumnActive(column)) throw StageView.Inactive(column);
            return column.Index < input.Schema.Count ? input.GetGetter<TValue>(input.Schema[column.Index]) : StageView.Typed<TValue>(stage.Outputs[column.Index - input.Schema.Count].Bind(Result), column);
        }

        private object Result()
        {
            if (_result is not null && _at == Position) return _result;
            _reader ??= new RowReader(stage, input);
            (_result, _at) = (stage.Evaluate([_reader.Read()])[0], Position);
            return _result;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) input.Dispose();
            base.Dispose(disposing);
        }
    }
}
