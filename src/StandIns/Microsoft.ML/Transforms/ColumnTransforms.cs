using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Transforms
{
    /// <summary>A column again, under another name.</summary>
    public sealed class ColumnCopyingTransformer : OneToOneTransformerBase
    {
        internal const string Signature = "CopyTransform";
        private readonly (string Output, string Input)[] pairs;

        internal ColumnCopyingTransformer(params (string Output, string Input)[] pairs) => this.pairs = pairs;

        internal IReadOnlyList<(string Output, string Input)> Pairs => pairs;

        private protected override RowMap Bind(DataViewSchema input) => new Map(input, [.. pairs.Select(p => (p.Output, Require(input, p.Input)))]);

        private protected override void SaveModel(ModelSaveContext ctx)
        {
            ctx.Sign(Signature);
            ctx.Writer.Write(pairs.Length);
            foreach (var (output, input) in pairs)
            {
                ctx.Writer.Write(output);
                ctx.Writer.Write(input);
            }
        }

        internal static ITransformer Load(IHostEnvironment env, ModelLoadContext ctx) =>
            new ColumnCopyingTransformer([.. Enumerable.Range(0, ctx.Reader.ReadInt32()).Select(_ => (ctx.Reader.ReadString(), ctx.Reader.ReadString()))]);

        private sealed class Map(DataViewSchema input, (string Output, DataViewSchema.Column Input)[] pairs)
            : RowMap(input, pairs.Select(p => new DataViewSchema.DetachedColumn(p.Output, p.Input.Type, p.Input.Annotations)))
        {
            public override IEnumerable<int> Needs(int added) => [pairs[added].Input.Index];
            public override Func<int, Delegate> CreateGetters(DataViewRow input) => added => Getters.Of(input, pairs[added].Input);
        }
    }

    public sealed class ColumnCopyingEstimator : TrivialEstimator<ColumnCopyingTransformer>
    {
        internal ColumnCopyingEstimator(string output, string input) : base(new ColumnCopyingTransformer((output, input))) { }

        public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
        {
            ArgumentNullException.ThrowIfNull(inputSchema);
            return inputSchema.With([.. Transformer.Pairs.Select(p => inputSchema.Require("input", p.Input).Renamed(p.Output))]);
        }
    }

    /// <summary>Some of the columns: those named, in that order, or all but those named.</summary>
    public sealed class ColumnSelectingTransformer : ITransformer
    {
        internal const string Signature = "SelectColumns";
        private readonly string[] names;
        private readonly bool drops;
        private readonly bool keepHidden;

        internal ColumnSelectingTransformer(string[] names, bool drops, bool keepHidden)
        {
            this.names = names;
            this.drops = drops;
            this.keepHidden = keepHidden;
        }

        bool ITransformer.IsRowToRowMapper => true;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).OutputSchema;
        public IDataView Transform(IDataView input) => new MapView(input ?? throw new ArgumentNullException(nameof(input)), Bind(input.Schema));
        IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => Bind(inputSchema);

        void ICanSaveModel.Save(ModelSaveContext ctx)
        {
            ctx.Sign(Signature);
            ctx.Writer.Write(drops);
            ctx.Writer.Write(keepHidden);
            ctx.Writer.Write(names.Length);
            foreach (var name in names) ctx.Writer.Write(name);
        }

        internal static ITransformer Load(IHostEnvironment env, ModelLoadContext ctx)
        {
            var (drops, keepHidden) = (ctx.Reader.ReadBoolean(), ctx.Reader.ReadBoolean());
            return new ColumnSelectingTransformer([.. Enumerable.Range(0, ctx.Reader.ReadInt32()).Select(_ => ctx.Reader.ReadString())], drops, keepHidden);
        }

        internal IEnumerable<string> Kept(IEnumerable<string> all)
        {
            var missing = names.Except(all).FirstOrDefault();
            if (missing != null) throw new ArgumentOutOfRangeException("inputSchema", $"Could not find input column '{missing}'");
            return drops ? all.Except(names) : names;
        }

        private Map Bind(DataViewSchema input)
        {
            ArgumentNullException.ThrowIfNull(input);
            var kept = Kept(input.Select(c => c.Name)).ToArray();
            var columns = drops
                ? input.Where(c => kept.Contains(c.Name) && (keepHidden || !c.IsHidden))
                : kept.SelectMany(name => input.Where(c => c.Name == name && (keepHidden || !c.IsHidden)));
            var builder = new DataViewSchema.Builder();
            builder.AddColumns(columns);
            return new Map(input, builder.ToSchema(), [.. columns.Select(c => c.Index)]);
        }

        private sealed class Map(DataViewSchema input, DataViewSchema output, int[] sources) : RowMap(input, output, sources)
        {
            public override IEnumerable<int> Needs(int added) => throw new InvalidOperationException("No column is added.");
            public override Func<int, Delegate> CreateGetters(DataViewRow input) => throw new InvalidOperationException("No column is added.");
        }
    }

    public sealed class ColumnSelectingEstimator : TrivialEstimator<ColumnSelectingTransformer>
    {
        internal ColumnSelectingEstimator(string[] names, bool drops, bool keepHidden = false)
            : base(new ColumnSelectingTransformer(names ?? throw new ArgumentNullException(nameof(names)), drops, keepHidden)) { }

        public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
        {
            ArgumentNullException.ThrowIfNull(inputSchema);
            return new SchemaShape(Transformer.Kept(inputSchema.Select(c => c.Name)).Select(name => inputSchema.Require("input", name)));
        }
    }

    public sealed class ColumnConcatenatingEstimator : IEstimator<ColumnConcatenatingTransformer>
    {
        private readonly string output;
        private readonly string[] inputs;

        internal ColumnConcatenatingEstimator(string output, string[] inputs)
        {
            ArgumentException.ThrowIfNullOrEmpty(output);
            this.output = output;
            this.inputs = inputs is { Length: > 0 } ? inputs : throw new ArgumentOutOfRangeException(nameof(inputs), "Input columns not specified");
        }

        public ColumnConcatenatingTransformer Fit(IDataView input)
        {
            ArgumentNullException.ThrowIfNull(input);
            return new(output, inputs);
        }

        public SchemaShape GetOutputSchema(SchemaShape inputSchema)
        {
            ArgumentNullException.ThrowIfNull(inputSchema);
            var columns = inputs.Select(name => inputSchema.Require("input", name)).ToArray();
            if (columns.FirstOrDefault(c => !c.ItemType.Equals(columns[0].ItemType) || c.IsKey != columns[0].IsKey) is { Name: not null } odd)
                throw new InvalidOperationException($"Concatenated columns should have the same type. Column '{odd.Name}' has type of {odd.TypeText}, but expected column type is {columns[0].TypeText}.");
            var kind = columns.Any(c => c.Kind == SchemaShape.Column.VectorKind.VariableVector) ? SchemaShape.Column.VectorKind.VariableVector : SchemaShape.Column.VectorKind.Vector;
            return inputSchema.With([new(output, kind, columns[0].ItemType, columns[0].IsKey)]);
        }
    }
}

namespace Microsoft.ML.Data
{
    /// <summary>Scalars and vectors of one type, one after the other in one vector.</summary>
    public sealed class ColumnConcatenatingTransformer : RowToRowTransformerBase
    {
        internal const string Signature = "ConcatTransform";
        private readonly string output;
        private readonly string[] inputs;

        internal ColumnConcatenatingTransformer(string output, string[] inputs)
        {
            this.output = output;
            this.inputs = inputs;
        }

        private protected override RowMap Bind(DataViewSchema input)
        {
            var columns = inputs.Select(name => Require(input, name)).ToArray();
            var item = DataViewTypes.ItemTypeOf(columns[0].Type);
            if (columns.FirstOrDefault(c => !DataViewTypes.ItemTypeOf(c.Type).Equals(item)) is { Name: not null } odd)
                throw new ArgumentOutOfRangeException("inputSchema", $"Schema mismatch for input column '{odd.Name}': expected {item} or vector of {item}, got {odd.Type}");
            var sizes = columns.Select(c => c.Type is VectorDataViewType vector ? vector.Size : 1).ToArray();
            var type = new VectorDataViewType((PrimitiveDataViewType)item, sizes.Contains(0) ? 0 : sizes.Sum());
            return (RowMap)Activator.CreateInstance(typeof(Map<>).MakeGenericType(item.RawType), System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.Public, null, [input, output, type, columns], null);
        }

        private protected override void SaveModel(ModelSaveContext ctx)
        {
            ctx.Sign(Signature);
            ctx.Writer.Write(output);
            ctx.Writer.Write(inputs.Length);
            foreach (var name in inputs) ctx.Writer.Write(name);
        }

        internal static ITransformer Load(IHostEnvironment env, ModelLoadContext ctx) =>
            new ColumnConcatenatingTransformer(ctx.Reader.ReadString(), [.. Enumerable.Range(0, ctx.Reader.ReadInt32()).Select(_ => ctx.Reader.ReadString())]);

        private sealed class Map<T>(DataViewSchema input, string output, VectorDataViewType type, DataViewSchema.Column[] columns)
            : RowMap(input, [new DataViewSchema.DetachedColumn(output, type)])
        {
            public override IEnumerable<int> Needs(int added) => columns.Select(c => c.Index);

            public override Func<int, Delegate> CreateGetters(DataViewRow input)
            {
                var parts = columns.Select(c => c.Type is VectorDataViewType ? TypedRows.Reader<T[]>(input, c) : One(TypedRows.Reader<T>(input, c))).ToArray();
                return _ => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) =>
                {
                    T[] all = [.. parts.SelectMany(read => read())];
                    var editor = VBufferEditor.Create(ref value, all.Length);
                    all.CopyTo(editor.Values);
                    value = editor.Commit();
                });
            }

            private static Func<T[]> One(Func<T> read) => () => [read()];
        }
    }
}

namespace Microsoft.ML
{
    using Microsoft.ML.Transforms;

    public static class TransformExtensionsCatalog
    {
        public static ColumnCopyingEstimator CopyColumns(this TransformsCatalog catalog, string outputColumnName, string inputColumnName) => new(outputColumnName, inputColumnName);
        public static ColumnConcatenatingEstimator Concatenate(this TransformsCatalog catalog, string outputColumnName, params string[] inputColumnNames) => new(outputColumnName, inputColumnNames);
        public static ColumnSelectingEstimator DropColumns(this TransformsCatalog catalog, params string[] columnNames) => new(columnNames, drops: true);
        public static ColumnSelectingEstimator SelectColumns(this TransformsCatalog catalog, string[] columnNames, bool keepHidden) => new(columnNames, drops: false, keepHidden);
        public static ColumnSelectingEstimator SelectColumns(this TransformsCatalog catalog, params string[] columnNames) => new(columnNames, drops: false);
    }
}
