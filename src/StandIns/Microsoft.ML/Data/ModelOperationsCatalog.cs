using System.IO.Compression;
using System.Text;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>
/// A model is a zip: the input's schema, and a folder a transformer. The layout is the real library's; what is in the parts is not, and
/// neither reads the other's files.
/// </summary>
public sealed class ModelOperationsCatalog
{
    private readonly IHostEnvironment env;

    internal ModelOperationsCatalog(IHostEnvironment env) => this.env = env;

    public void Save(ITransformer model, DataViewSchema inputSchema, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(stream);
        using var buffer = new MemoryStream();
        using (var zip = new ZipArchive(buffer, ZipArchiveMode.Create, leaveOpen: true))
        {
            using (var context = new ModelSaveContext(zip, TransformerChain.Signature))
            {
                var chain = model as ITransformerChain is { } ? model : new TransformerChain<ITransformer>(model);
                chain.Save(context);
                context.Done();
            }
            if (inputSchema != null) WriteSchema(zip.CreateEntry("Schema"), inputSchema);
        }
        buffer.WriteTo(stream);
    }

    public void Save(ITransformer model, DataViewSchema inputSchema, string filePath)
    {
        ArgumentException.ThrowIfNullOrEmpty(filePath);
        using var stream = File.Create(filePath);
        Save(model, inputSchema, stream);
    }

    public ITransformer Load(Stream stream, out DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        inputSchema = zip.GetEntry("Schema") is { } entry ? ReadSchema(entry) : null;
        return ModelLoadContext.Load(env, zip, TransformerChain.Signature);
    }

    public ITransformer Load(string filePath, out DataViewSchema inputSchema)
    {
        ArgumentException.ThrowIfNullOrEmpty(filePath);
        using var stream = File.OpenRead(filePath);
        return Load(stream, out inputSchema);
    }

    public PredictionEngine<TSrc, TDst> CreatePredictionEngine<TSrc, TDst>(ITransformer transformer, bool ignoreMissingColumns = true,
        SchemaDefinition inputSchemaDefinition = null, SchemaDefinition outputSchemaDefinition = null) where TSrc : class where TDst : class, new() =>
        new(transformer, new PredictionEngineOptions
        {
            IgnoreMissingColumns = ignoreMissingColumns,
            InputSchemaDefinition = inputSchemaDefinition,
            OutputSchemaDefinition = outputSchemaDefinition,
        });

    public PredictionEngine<TSrc, TDst> CreatePredictionEngine<TSrc, TDst>(ITransformer transformer, DataViewSchema inputSchema) where TSrc : class where TDst : class, new()
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return new(transformer, new PredictionEngineOptions { InputSchemaDefinition = DataOperationsCatalog.DefinitionFrom(typeof(TSrc), inputSchema) });
    }

    public PredictionEngine<TSrc, TDst> CreatePredictionEngine<TSrc, TDst>(ITransformer transformer, PredictionEngineOptions options) where TSrc : class where TDst : class, new()
    {
        ArgumentNullException.ThrowIfNull(options);
        return new(transformer, options);
    }

    private static void WriteSchema(ZipArchiveEntry entry, DataViewSchema schema)
    {
        using var writer = new BinaryWriter(entry.Open(), Encoding.UTF8);
        var columns = schema.Where(c => !c.IsHidden).ToArray();
        writer.Write(columns.Length);
        foreach (var column in columns)
        {
            writer.Write(column.Name);
            var item = DataViewTypes.ItemTypeOf(column.Type);
            writer.Write(DataViewTypes.Of(item.RawType) == null ? throw new NotSupportedException($"Column '{column.Name}': the stand-in does not save the type {column.Type}.") : item.RawType.Name);
            writer.Write((item as KeyDataViewType)?.Count ?? 0);
            var dimensions = (column.Type as VectorDataViewType)?.Dimensions ?? [];
            writer.Write(dimensions.Length);
            foreach (var d in dimensions) writer.Write(d);
        }
    }

    private static readonly Dictionary<string, Type> TypeNames = new[]
    {
        typeof(ReadOnlyMemory<char>), typeof(bool), typeof(DateTime), typeof(DataViewRowId), typeof(sbyte), typeof(byte), typeof(short), typeof(ushort),
        typeof(int), typeof(uint), typeof(long), typeof(ulong), typeof(float), typeof(double),
    }.ToDictionary(t => t.Name);

    private static DataViewSchema ReadSchema(ZipArchiveEntry entry)
    {
        using var reader = new BinaryReader(entry.Open(), Encoding.UTF8);
        var builder = new DataViewSchema.Builder();
        for (var left = reader.ReadInt32(); left > 0; left--)
        {
            var name = reader.ReadString();
            var raw = TypeNames[reader.ReadString()];
            PrimitiveDataViewType item = reader.ReadUInt64() is > 0 and var count ? new KeyDataViewType(raw, count) : DataViewTypes.Of(raw);
            int[] dimensions = [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => reader.ReadInt32())];
            builder.AddColumn(name, dimensions.Length > 0 ? new VectorDataViewType(item, dimensions) : item);
        }
        return builder.ToSchema();
    }
}
