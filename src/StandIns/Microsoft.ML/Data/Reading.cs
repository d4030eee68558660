using System.Collections.Immutable;
using Microsoft.ML.Data;

namespace Microsoft.ML.Data
{
    public static class ColumnCursorExtensions
    {
        public static IEnumerable<T> GetColumn<T>(this IDataView data, string columnName)
        {
            ArgumentNullException.ThrowIfNull(data);
            return data.GetColumn<T>(data.Schema[columnName]);
        }

        public static IEnumerable<T> GetColumn<T>(this IDataView data, DataViewSchema.Column column)
        {
            ArgumentNullException.ThrowIfNull(data);
            if (!TypedRows.Fits(column.Type, typeof(T)))
                throw new ArgumentOutOfRangeException(nameof(column), $"Column '{column.Name}' of type '{column.Type}' cannot be read as '{typeof(T)}'.");
            return Read<T>(data, column);
        }

        private static IEnumerable<T> Read<T>(IDataView data, DataViewSchema.Column column)
        {
            using var cursor = data.GetRowCursor([column]);
            var read = TypedRows.Reader<T>(cursor, column);
            while (cursor.MoveNext()) yield return read();
        }
    }

    public sealed class DataDebuggerPreview
    {
        internal DataDebuggerPreview(IDataView data, int maxRows)
        {
            Schema = data.Schema;
            var rows = new List<RowInfo>();
            using var cursor = data.GetRowCursor(Schema);
            var readers = Schema.Select(c => (c.Name, Read: (Func<object>)typeof(DataDebuggerPreview)
                .GetMethod(nameof(Boxed), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)
                .MakeGenericMethod(c.Type.RawType).Invoke(null, [cursor, c]))).ToArray();
            while (rows.Count < maxRows && cursor.MoveNext()) rows.Add(new([.. readers.Select(r => KeyValuePair.Create(r.Name, r.Read()))]));
            RowView = [.. rows];
            ColumnView = [.. Schema.Select(c => new ColumnInfo(c, [.. rows.Select(r => r.Values[c.Index].Value)]))];
        }

        public DataViewSchema Schema { get; }
        public ImmutableArray<ColumnInfo> ColumnView { get; }
        public ImmutableArray<RowInfo> RowView { get; }

        private static Func<object> Boxed<T>(DataViewRow row, DataViewSchema.Column column)
        {
            var read = TypedRows.Reader<T>(row, column);
            return () => read();
        }

        public sealed class ColumnInfo
        {
            internal ColumnInfo(DataViewSchema.Column column, object[] values)
            {
                Column = column;
                Values = values;
            }

            public DataViewSchema.Column Column { get; }
            public object[] Values { get; }
        }

        public sealed class RowInfo
        {
            internal RowInfo(KeyValuePair<string, object>[] values) => Values = values;

            public KeyValuePair<string, object>[] Values { get; }
        }
    }
}

namespace Microsoft.ML
{
    public static class DebuggerExtensions
    {
        public static DataDebuggerPreview Preview(this IDataView data, int maxRows = 100)
        {
            ArgumentNullException.ThrowIfNull(data);
            ArgumentOutOfRangeException.ThrowIfNegative(maxRows);
            return new(data, maxRows);
        }

        public static DataDebuggerPreview Preview(this ITransformer transformer, IDataView data, int maxRows = 100) => transformer.Transform(data).Preview(maxRows);

        public static DataDebuggerPreview Preview(this IEstimator<ITransformer> estimator, IDataView data, int maxRows = 100, int maxTrainingRows = 100)
        {
            var rows = new FilterView(data, [], _ =>
            {
                var taken = 0;
                return () => taken++ < maxTrainingRows ? true : null;
            });
            return estimator.Fit(rows).Preview(data, maxRows);
        }
    }
}
