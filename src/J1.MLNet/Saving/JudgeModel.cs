using J1.Engines.Managed;
using J1.Engines.Managed.Tokenizers;

namespace J1.MLNet.Saving;

/// <summary>Where a judge's weights come from: opened anew for every engine, and written down for whoever saves them.</summary>
internal abstract class JudgeModel
{
    /// <summary>The model on disk that these weights are, or that their adapter is an adapter of; null where they are in no such file.</summary>
    public abstract string? BasePath { get; }

    /// <summary>The training's settings as JSON; null where the judge was not trained here.</summary>
    public virtual string? TrainedWith => null;

    /// <summary>A new engine with these weights, which may be trained further.</summary>
    public abstract ManagedEngine Open(EngineOptions options);

    /// <summary>The weights as parts of a file, or as a base model to be found again and an adapter.</summary>
    /// <param name="most">Bytes that may lie in the file.</param>
    /// <exception cref="NotSupportedException">They cannot be written; the message says what to do.</exception>
    public abstract SavedWeights Write(long most);

    /// <summary>An adapter, if it fits the file.</summary>
    protected static SavedPart[] Parts(string folder, long most)
    {
        var files = ModelContent.Files(folder);
        var size = files.Sum(file => new FileInfo(file).Length);
        return size <= most ? [.. files.Select(SavedPart.Of)]
            : throw new NotSupportedException($"What would be saved is {size:N0} bytes, and at most {most:N0} may lie in the file. Raise MaxEmbeddedBytes, or train an adapter of a lower rank.");
    }
}

/// <summary>Files that were opened.</summary>
internal sealed class FileModel(string path, string? adapter) : JudgeModel
{
    public override string? BasePath => path;

    public override ManagedEngine Open(EngineOptions options)
    {
        var engine = ManagedEngine.Open(path, options);
        if (adapter is null) return engine;
        try
        {
            engine.LoadAdapter(adapter);
            return engine;
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    public override SavedWeights Write(long most) =>
        adapter is null && ModelContent.Size(path) <= most ? new SavedWeights(null, Parts(path, most))
        : new SavedWeights(new BaseModel(path, ModelContent.Hash(path)), adapter is null ? [] : Parts(adapter, most));
}

/// <summary>An engine after its training.</summary>
/// <param name="engine">Moves no more.</param>
/// <param name="basePath">The model that was trained; null where it was on no disk.</param>
/// <param name="trainedWith">The training's settings as JSON.</param>
internal sealed class TrainedModel(ManagedEngine engine, string? basePath, string trainedWith) : JudgeModel
{
    // All weights trained are a model of their own.
    public override string? BasePath => engine.TrainableCount < engine.ParameterCount ? basePath : null;

    public override string? TrainedWith => trainedWith;

    public override ManagedEngine Open(EngineOptions options) => InFolder(folder =>
    {
        if (BasePath is null) Whole(folder);
        else engine.Export(folder);
        return BasePath is null ? new FileModel(folder, null).Open(options) : new FileModel(BasePath, folder).Open(options);
    });

    public override SavedWeights Write(long most) => InFolder(folder =>
    {
        if (engine.ParameterCount * sizeof(float) <= most)
        {
            Whole(folder);
            return new SavedWeights(null, Parts(folder, long.MaxValue));
        }
        if (BasePath is null)
            throw new NotSupportedException($"The trained model has {engine.ParameterCount * sizeof(float):N0} bytes, and at most {most:N0} may lie in the file. Train an adapter (EngineOptions.Lora) on a model that stays where it is, or raise MaxEmbeddedBytes.");
        engine.Export(folder);
        return new SavedWeights(new BaseModel(BasePath, ModelContent.Hash(BasePath)), Parts(folder, most));
    });

    // With an adapter merged in: the numbers that compute, so that a loaded judge says the same to the last bit.
    private void Whole(string folder)
    {
        if (engine.Tokenizer is not BpeTokenizer)
            throw new NotSupportedException($"A {engine.Tokenizer.GetType().Name} cannot be saved, and a judge reads text. Train a model with a byte-pair tokenizer.");
        using var whole = (ManagedEngine)engine.Freeze();
        whole.Export(folder);
    }

    private T InFolder<T>(Func<string, T> use)
    {
        var folder = Directory.CreateTempSubdirectory("j1-save-").FullName;
        try
        {
            lock (engine) return use(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

/// <summary>Weights that came out of a saved file.</summary>
internal sealed class SavedModel(SavedWeights weights, string? trainedWith) : JudgeModel
{
    public override string? BasePath => weights.Base is { } model ? ModelContent.Find(model) : null;

    public override string? TrainedWith => trainedWith;

    public override ManagedEngine Open(EngineOptions options) => weights.Open(options);

    public override SavedWeights Write(long most) => weights;
}
