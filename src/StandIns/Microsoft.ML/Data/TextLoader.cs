using System.Globalization;
using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.Data
{
    public sealed class TextLoader
    {
        private TextLoader() { }

        public class Options
        {
            /// <summary>Whether a field may be in double quotes, a quote within it doubled.</summary>
            public bool AllowQuoting;

            /// <summary>Whether a line may end within quotes.</summary>
            public bool ReadMultilines;

            public bool HasHeader;
            public char[] Separators = ['\t'];
            public bool TrimWhitespace;
        }
    }

    /// <summary>A file read anew by every cursor. A field that is not there is the default of its type; a number that is none is not a number.</summary>
    internal sealed class TextFileView<TInput> : SerialView
    {
        private readonly string path;
        private readonly TextLoader.Options options;
        private readonly TypedColumn[] columns;
        private readonly int[][] fields;

        public TextFileView(string path, TextLoader.Options options)
        {
            if (!File.Exists(path)) throw new ArgumentOutOfRangeException(nameof(path), $"File or directory does not exist at path: {path}");
            this.path = path;
            this.options = options;
            var definition = SchemaDefinition.Create(typeof(TInput), SchemaDefinition.Direction.Write);
            columns = TypedRows.Bind(typeof(TInput), definition, SchemaDefinition.Direction.Write);
            fields = [.. columns.Select(c => ((LoadColumnAttribute)Attribute.GetCustomAttribute(c.Member, typeof(LoadColumnAttribute)))?.Fields
                ?? throw new InvalidOperationException($"{c.Member.MemberType} {c.Member.Name} is missing the LoadColumn attribute"))];
            var builder = new DataViewSchema.Builder();
            foreach (var (column, indices) in columns.Zip(fields))
                builder.AddColumn(column.Name, column.Type is VectorDataViewType vector ? new VectorDataViewType(vector.ItemType, indices.Length) : column.Type, column.Annotations);
            Schema = builder.ToSchema();
        }

        public override DataViewSchema Schema { get; }

        public override DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null) => new Cursor(this, new ActiveColumns(Schema, columnsNeeded));

        private sealed class Cursor : DataViewRowCursor
        {
            private readonly TextFileView<TInput> view;
            private readonly ActiveColumns active;
            private readonly StreamReader reader;
            private readonly List<string> row = [];
            private long position = -1;

            public Cursor(TextFileView<TInput> view, ActiveColumns active)
            {
                this.view = view;
                this.active = active;
                reader = new StreamReader(view.path, Encoding.UTF8);
                if (view.options.HasHeader) Next();
            }

            public override long Position => position;
            public override long Batch => 0;
            public override DataViewSchema Schema => view.Schema;
            public override bool IsColumnActive(DataViewSchema.Column column) => active.IsActive(column);
            public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)position, 0);
            public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => active.Getter<TValue>(column, Getter);

            public override bool MoveNext()
            {
                if (!Next())
                {
                    position = -1;
                    return false;
                }
                position++;
                return true;
            }

            protected override void Dispose(bool disposing) => reader.Dispose();

            private Delegate Getter(int column)
            {
                var (type, indices) = (view.Schema[column].Type, view.fields[column]);
                var name = type is VectorDataViewType ? nameof(VectorGetter) : nameof(ScalarGetter);
                var method = typeof(Cursor).GetMethod(name, System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Instance);
                return (Delegate)method.MakeGenericMethod(DataViewTypes.ItemTypeOf(type).RawType).Invoke(this, [indices]);
            }

            private ValueGetter<T> ScalarGetter<T>(int[] indices) => (ref T value) => value = Parse<T>(Field(indices[0]));

            private ValueGetter<VBuffer<T>> VectorGetter<T>(int[] indices) => (ref VBuffer<T> value) =>
            {
                var editor = VBufferEditor.Create(ref value, indices.Length);
                for (var i = 0; i < indices.Length; i++) editor.Values[i] = Parse<T>(Field(indices[i]));
                value = editor.Commit();
            };

            private string Field(int index) => index < row.Count ? row[index] : "";

            private static T Parse<T>(string text)
            {
                if (typeof(T) == typeof(ReadOnlyMemory<char>)) return (T)(object)text.AsMemory();
                var trimmed = text.Trim();
                if (trimmed.Length == 0) return default;
                var number = double.TryParse(trimmed, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) ? parsed : double.NaN;
                if (typeof(T) == typeof(float)) return (T)(object)(float)number;
                if (typeof(T) == typeof(double)) return (T)(object)number;
                if (typeof(T) == typeof(bool)) return (T)(object)(number > 0 || trimmed.ToLowerInvariant() is "true" or "yes" or "t" or "y");
                try
                {
                    return (T)Convert.ChangeType(trimmed, typeof(T), CultureInfo.InvariantCulture);
                }
                catch (Exception e) when (e is FormatException or OverflowException)
                {
                    return default;
                }
            }

            /// <summary>Reads the next row that is not empty.</summary>
            private bool Next()
            {
                while (reader.ReadLine() is { } line)
                {
                    if (line.Length == 0) continue;
                    Split(line);
                    return true;
                }
                return false;
            }

            private void Split(string line)
            {
                row.Clear();
                for (var at = 0; at <= line.Length; at++)
                {
                    var quoted = view.options.AllowQuoting && at < line.Length && line[at] == '"';
                    var field = new StringBuilder();
                    if (quoted)
                    {
                        for (at++; ; at++)
                        {
                            if (at >= line.Length)
                            {
                                if (!view.options.ReadMultilines || reader.ReadLine() is not { } more) break;
                                field.Append('\n');
                                (line, at) = (more, -1);
                            }
                            else if (line[at] != '"') field.Append(line[at]);
                            else if (at + 1 < line.Length && line[at + 1] == '"') field.Append(line[at++]);
                            else
                            {
                                at++;
                                break;
                            }
                        }
                    }
                    for (; at < line.Length && !view.options.Separators.Contains(line[at]); at++) field.Append(line[at]);
                    row.Add(view.options.TrimWhitespace && !quoted ? field.ToString().Trim() : field.ToString());
                }
            }
        }
    }
}

namespace Microsoft.ML
{
    public static class TextLoaderSaverCatalog
    {
        public static IDataView LoadFromTextFile<TInput>(this DataOperationsCatalog catalog, string path, char separatorChar = '\t', bool hasHeader = false,
            bool allowQuoting = false, bool trimWhitespace = false, bool allowSparse = false)
        {
            if (allowSparse) throw new NotSupportedException("The stand-in reads no sparse rows.");
            return new TextFileView<TInput>(path, new TextLoader.Options { Separators = [separatorChar], HasHeader = hasHeader, AllowQuoting = allowQuoting, TrimWhitespace = trimWhitespace });
        }

        public static IDataView LoadFromTextFile<TInput>(this DataOperationsCatalog catalog, string path, TextLoader.Options options) => new TextFileView<TInput>(path, options);
    }
}
