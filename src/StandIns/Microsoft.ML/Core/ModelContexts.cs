using System.IO.Compression;
using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>Where a model is being saved to. As in the real library, only built-ins can write into it.</summary>
public sealed class ModelSaveContext : IDisposable
{
    /// <summary>The first bytes of every part: a file of the real library is not taken for one of ours, nor ours for one of theirs.</summary>
    internal const string Mark = "stand-in model 1";

    private readonly ZipArchive zip;
    private readonly string folder;
    private readonly MemoryStream stream = new();
    private string signature;

    internal ModelSaveContext(ZipArchive zip, string folder)
    {
        this.zip = zip;
        this.folder = folder;
        Writer = new BinaryWriter(stream, Encoding.UTF8);
    }

    internal BinaryWriter Writer { get; }

    /// <summary>Says which loader reads this part again.</summary>
    internal void Sign(string loader) => signature = signature == null ? loader : throw new InvalidOperationException("ModelSignature already specified!");

    internal void SaveModel(ICanSaveModel model, string name)
    {
        using var part = new ModelSaveContext(zip, $"{folder}/{name}");
        model.Save(part);
        part.Done();
    }

    internal void Done()
    {
        if (signature == null) throw new InvalidOperationException("ModelSignature not specified!");
        using var writer = new BinaryWriter(zip.CreateEntry($"{folder}/Model.key").Open(), Encoding.UTF8);
        writer.Write(Mark);
        writer.Write(signature);
        Writer.Flush();
        writer.Write(stream.GetBuffer(), 0, (int)stream.Length);
    }

    public void Dispose() => stream.Dispose();
}

internal sealed class ModelLoadContext : IDisposable
{
    private static readonly Dictionary<string, Func<IHostEnvironment, ModelLoadContext, ITransformer>> Loaders = new()
    {
        [Data.TransformerChain.Signature] = Data.TransformerChain.Load,
        [Transforms.ColumnCopyingTransformer.Signature] = Transforms.ColumnCopyingTransformer.Load,
        [Transforms.ColumnSelectingTransformer.Signature] = Transforms.ColumnSelectingTransformer.Load,
        [Data.ColumnConcatenatingTransformer.Signature] = Data.ColumnConcatenatingTransformer.Load,
        [Transforms.ValueMappingTransformer.Signature] = Transforms.ValueMappingTransformer.Load,
        [Transforms.CustomMappingModel.Signature] = Transforms.CustomMappingModel.Load,
    };

    private readonly ZipArchive zip;
    private readonly string folder;

    private ModelLoadContext(ZipArchive zip, string folder)
    {
        this.zip = zip;
        this.folder = folder;
        var entry = zip.GetEntry($"{folder}/Model.key") ?? throw new FormatException($"The model has no part '{folder}'.");
        Reader = new BinaryReader(entry.Open(), Encoding.UTF8);
    }

    public BinaryReader Reader { get; }

    public ITransformer LoadModel(IHostEnvironment env, string name) => Load(env, zip, $"{folder}/{name}");

    public static ITransformer Load(IHostEnvironment env, ZipArchive zip, string folder)
    {
        using var ctx = new ModelLoadContext(zip, folder);
        var mark = ctx.Reader.ReadBytes(ModelSaveContext.Mark.Length + 1);
        if (Encoding.UTF8.GetString(mark, 1, Math.Max(0, mark.Length - 1)) != ModelSaveContext.Mark)
            throw new FormatException($"The model's part '{folder}' was not written by the stand-in for Microsoft.ML, which cannot read the real library's files.");
        var signature = ctx.Reader.ReadString();
        if (!Loaders.TryGetValue(signature, out var load)) throw new FormatException($"Nothing here loads a '{signature}', which the model's part '{folder}' is.");
        try
        {
            return load(env, ctx);
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException && e.InnerException == null)
        {
            throw new InvalidOperationException($"Error during class instantiation: {e.Message}", e);
        }
    }

    public void Dispose() => Reader.Dispose();
}
