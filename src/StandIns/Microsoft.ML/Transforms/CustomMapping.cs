using System.Reflection;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Transforms
{
    /// <summary>Makes the mapping again when a model is loaded: no arguments, no environment.</summary>
    public abstract class CustomMappingFactory<TSrc, TDst> : ICustomMappingFactory where TSrc : class, new() where TDst : class, new()
    {
        public abstract Action<TSrc, TDst> GetMapping();

        ITransformer ICustomMappingFactory.CreateTransformer(string contractName) => new CustomMappingTransformer<TSrc, TDst>(GetMapping(), contractName, null, null);
    }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class CustomMappingFactoryAttributeAttribute(string contractName) : ExtensionBaseAttribute(contractName);

    internal interface ICustomMappingFactory
    {
        ITransformer CreateTransformer(string contractName);
    }

    public sealed class CustomMappingEstimator<TSrc, TDst> : TrivialEstimator<CustomMappingTransformer<TSrc, TDst>> where TSrc : class, new() where TDst : class, new()
    {
        internal CustomMappingEstimator(Action<TSrc, TDst> mapAction, string contractName, SchemaDefinition input, SchemaDefinition output)
            : base(new(mapAction, contractName, input, output)) { }

        public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
        {
            ArgumentNullException.ThrowIfNull(inputSchema);
            foreach (var member in Transformer.Inputs)
            {
                var (column, wanted) = (inputSchema.Require("input", member.Name), SchemaShape.Column.Of(member.Name, member.Type));
                var kindFits = column.Kind == wanted.Kind || wanted.Kind == SchemaShape.Column.VectorKind.VariableVector && column.Kind == SchemaShape.Column.VectorKind.Vector;
                if (!kindFits || !column.ItemType.Equals(wanted.ItemType) || column.IsKey != wanted.IsKey)
                    throw new ArgumentOutOfRangeException(nameof(inputSchema), $"Schema mismatch for input column '{member.Name}': expected {wanted.TypeText}, got {column.TypeText}");
            }
            return inputSchema.With(Transformer.Outputs.Select(m => SchemaShape.Column.Of(m.Name, m.Type, m.Annotations.Schema)));
        }
    }

    /// <summary>Calls the mapping once a row, however many of its columns are read, and from several threads.</summary>
    public sealed class CustomMappingTransformer<TSrc, TDst> : ITransformer where TSrc : class, new() where TDst : class, new()
    {
        private readonly Action<TSrc, TDst> mapAction;
        private readonly string contractName;
        private readonly SchemaDefinition inputDefinition;

        internal CustomMappingTransformer(Action<TSrc, TDst> mapAction, string contractName, SchemaDefinition input, SchemaDefinition output)
        {
            this.mapAction = mapAction ?? throw new ArgumentNullException(nameof(mapAction));
            this.contractName = contractName;
            inputDefinition = input ?? SchemaDefinition.Create(typeof(TSrc), SchemaDefinition.Direction.Write);
            Inputs = TypedRows.Bind(typeof(TSrc), inputDefinition, SchemaDefinition.Direction.Write);
            Outputs = TypedRows.Bind(typeof(TDst), output, SchemaDefinition.Direction.Read);
        }

        internal TypedColumn[] Inputs { get; }
        internal TypedColumn[] Outputs { get; }

        bool ITransformer.IsRowToRowMapper => true;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).OutputSchema;
        public IDataView Transform(IDataView input) => new MapView(input ?? throw new ArgumentNullException(nameof(input)), Bind(input.Schema));
        IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => Bind(inputSchema);

        void ICanSaveModel.Save(ModelSaveContext ctx)
        {
            if (contractName == null) throw new InvalidOperationException("Empty contract name for a transform: the transform cannot be saved");
            ctx.Sign(CustomMappingModel.Signature);
            ctx.Writer.Write(contractName);
            ctx.Writer.Write(mapAction.Method.DeclaringType.Assembly.FullName);
        }

        private Map Bind(DataViewSchema input)
        {
            ArgumentNullException.ThrowIfNull(input);
            return new(input, this, new TypedReader<TSrc>(input, inputDefinition, ignoreMissing: false));
        }

        private sealed class Map(DataViewSchema input, CustomMappingTransformer<TSrc, TDst> transformer, TypedReader<TSrc> reader)
            : RowMap(input, transformer.Outputs.Select(o => new DataViewSchema.DetachedColumn(o.Name, o.Type, o.Annotations)))
        {
            public override IEnumerable<int> Needs(int added) => reader.Columns.Select(c => c.Index);

            public override Func<int, Delegate> CreateGetters(DataViewRow input)
            {
                var (source, target, mapped) = (new TSrc(), new TDst(), -1L);
                var fill = reader.Bind(input);

                TDst Current()
                {
                    if (mapped == input.Position) return target;
                    fill(source);
                    target = new TDst();
                    transformer.mapAction(source, target);
                    mapped = input.Position;
                    return target;
                }

                return added => TypedRows.Getter(transformer.Outputs[added], Current);
            }
        }
    }

    internal static class CustomMappingModel
    {
        public const string Signature = "CustomMapping";

        /// <summary>The assembly that the mapping came from is found by its name and registered; nobody else has to.</summary>
        public static ITransformer Load(IHostEnvironment env, ModelLoadContext ctx)
        {
            var (contractName, assemblyName) = (ctx.Reader.ReadString(), ctx.Reader.ReadString());
            env.ComponentCatalog.RegisterAssembly(Assembly.Load(assemblyName), throwOnError: false);
            return env.ComponentCatalog.Factory(contractName).CreateTransformer(contractName);
        }
    }
}

namespace Microsoft.ML
{
    using Microsoft.ML.Transforms;

    public static class CustomMappingCatalog
    {
        public static CustomMappingEstimator<TSrc, TDst> CustomMapping<TSrc, TDst>(this TransformsCatalog catalog, Action<TSrc, TDst> mapAction, string contractName,
            SchemaDefinition inputSchemaDefinition = null, SchemaDefinition outputSchemaDefinition = null) where TSrc : class, new() where TDst : class, new() =>
            new(mapAction, contractName, inputSchemaDefinition, outputSchemaDefinition);
    }
}
