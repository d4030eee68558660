using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Transforms
{
    public class ValueMappingEstimator : TrivialEstimator<ValueMappingTransformer>
    {
        private readonly string output;
        private readonly string input;

        private protected ValueMappingEstimator(ValueMappingTransformer transformer, string output, string input) : base(transformer)
        {
            this.output = output;
            this.input = input;
        }

        public sealed override SchemaShape GetOutputSchema(SchemaShape inputSchema)
        {
            ArgumentNullException.ThrowIfNull(inputSchema);
            var column = inputSchema.Require("input", input);
            if (column.Kind != SchemaShape.Column.VectorKind.Scalar || !column.ItemType.Equals(Transformer.KeyType) || column.IsKey)
                throw new ArgumentOutOfRangeException(nameof(inputSchema), $"Schema mismatch for input column '{input}': expected {Transformer.KeyType}, got {column.TypeText}");
            return inputSchema.With([SchemaShape.Column.Of(output, Transformer.ValueType)]);
        }
    }

    public sealed class ValueMappingEstimator<TKey, TValue> : ValueMappingEstimator
    {
        internal ValueMappingEstimator(string output, string input, IEnumerable<KeyValuePair<TKey, TValue>> pairs)
            : base(new ValueMappingTransformer(output, input, ValueTable.From(pairs)), output, input) { }
    }

    /// <summary>A table from text or numbers to text or numbers; the table is saved with the model.</summary>
    public class ValueMappingTransformer : OneToOneTransformerBase
    {
        internal const string Signature = "ValueMappingTransform";
        private readonly string output;
        private readonly string input;
        private readonly ValueTable table;

        internal ValueMappingTransformer(string output, string input, ValueTable table)
        {
            this.output = output;
            this.input = input;
            this.table = table;
        }

        internal DataViewType KeyType => table.KeyType;
        internal DataViewType ValueType => table.ValueType;

        private protected override RowMap Bind(DataViewSchema input)
        {
            var column = Require(input, this.input);
            if (!column.Type.Equals(table.KeyType)) throw new ArgumentOutOfRangeException("inputSchema", $"Schema mismatch for input column '{column.Name}': expected {table.KeyType}, got {column.Type}");
            return new Map(input, output, column, table);
        }

        private protected override void SaveModel(ModelSaveContext ctx)
        {
            ctx.Sign(Signature);
            ctx.Writer.Write(output);
            ctx.Writer.Write(input);
            table.Write(ctx.Writer);
        }

        internal static ITransformer Load(IHostEnvironment env, ModelLoadContext ctx) =>
            new ValueMappingTransformer(ctx.Reader.ReadString(), ctx.Reader.ReadString(), ValueTable.Read(ctx.Reader));

        private sealed class Map(DataViewSchema input, string output, DataViewSchema.Column column, ValueTable table)
            : RowMap(input, [new DataViewSchema.DetachedColumn(output, table.ValueType)])
        {
            public override IEnumerable<int> Needs(int added) => [column.Index];
            public override Func<int, Delegate> CreateGetters(DataViewRow input) => _ => table.Getter(input, column);
        }
    }

    internal abstract class ValueTable
    {
        public abstract PrimitiveDataViewType KeyType { get; }
        public abstract PrimitiveDataViewType ValueType { get; }
        public abstract Delegate Getter(DataViewRow row, DataViewSchema.Column column);
        public abstract void Write(BinaryWriter writer);

        public static ValueTable From<TKey, TValue>(IEnumerable<KeyValuePair<TKey, TValue>> pairs) => new ValueTable<TKey, TValue>(pairs);

        public static ValueTable Read(BinaryReader reader)
        {
            var type = typeof(ValueTable<,>).MakeGenericType(Type.GetType(reader.ReadString(), throwOnError: true), Type.GetType(reader.ReadString(), throwOnError: true));
            return (ValueTable)Activator.CreateInstance(type, reader);
        }
    }

    internal sealed class ValueTable<TKey, TValue> : ValueTable
    {
        private readonly Dictionary<TKey, TValue> values = [];

        public ValueTable(IEnumerable<KeyValuePair<TKey, TValue>> pairs)
        {
            foreach (var (key, value) in pairs)
                if (!values.TryAdd(key, value)) throw new ArgumentOutOfRangeException(nameof(pairs), "Duplicate keys exist in value mapping");
        }

        public ValueTable(BinaryReader reader)
        {
            for (var left = reader.ReadInt32(); left > 0; left--) values.Add((TKey)ReadItem(reader, typeof(TKey)), (TValue)ReadItem(reader, typeof(TValue)));
        }

        public override PrimitiveDataViewType KeyType { get; } = TypeOf(typeof(TKey));
        public override PrimitiveDataViewType ValueType { get; } = TypeOf(typeof(TValue));

        public override Delegate Getter(DataViewRow row, DataViewSchema.Column column)
        {
            var read = TypedRows.Reader<TKey>(row, column);
            Func<TValue> look = () => values.GetValueOrDefault(read());
            return look is Func<string> text
                ? (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = text().AsMemory())
                : (ValueGetter<TValue>)((ref TValue value) => value = look());
        }

        public override void Write(BinaryWriter writer)
        {
            writer.Write(typeof(TKey).FullName);
            writer.Write(typeof(TValue).FullName);
            writer.Write(values.Count);
            foreach (var (key, value) in values)
            {
                writer.Write(Text(key));
                writer.Write(Text(value));
            }
        }

        private static PrimitiveDataViewType TypeOf(Type type) => type == typeof(string) || type.IsPrimitive && DataViewTypes.Of(type) != null ? DataViewTypes.Of(type)
            : throw new NotSupportedException($"The stand-in maps text, numbers and booleans, not {type}.");

        private static string Text(object item) => Convert.ToString(item, System.Globalization.CultureInfo.InvariantCulture) ?? "";
        private static object ReadItem(BinaryReader reader, Type type) => Convert.ChangeType(reader.ReadString(), type, System.Globalization.CultureInfo.InvariantCulture);
    }
}

namespace Microsoft.ML
{
    using Microsoft.ML.Transforms;

    public static class ConversionsExtensionsCatalog
    {
        public static ValueMappingEstimator<TInputType, TOutputType> MapValue<TInputType, TOutputType>(this TransformsCatalog.ConversionTransforms catalog, string outputColumnName,
            IEnumerable<KeyValuePair<TInputType, TOutputType>> keyValuePairs, string inputColumnName = null, bool treatValuesAsKeyType = false)
        {
            ArgumentNullException.ThrowIfNull(keyValuePairs);
            if (treatValuesAsKeyType) throw new NotSupportedException("The stand-in maps to values, not to keys.");
            return new(outputColumnName, inputColumnName ?? outputColumnName, keyValuePairs);
        }
    }
}
