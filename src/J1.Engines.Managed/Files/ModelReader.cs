using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Files;

/// <summary>The file layouts a model can come in.</summary>
public enum ModelFormat
{
    /// <summary>A folder with config.json and safetensors files.</summary>
    HuggingFace,
}

/// <summary>An opened model: its configuration, and its weights to be read.</summary>
public sealed class ModelFiles : IDisposable
{
    internal ModelFiles(string path, ModelFormat format, ModelConfig config, IWeightSource weights)
    {
        Path = path;
        Format = format;
        Config = config;
        Weights = weights;
    }

    /// <summary>The folder or file that was opened.</summary>
    public string Path { get; }

    public ModelFormat Format { get; }

    public ModelConfig Config { get; }

    public IWeightSource Weights { get; }

    public void Dispose() => Weights.Dispose();
}

/// <summary>Opens a model whatever its format.</summary>
public static class ModelReader
{
    /// <summary>Opens a Hugging Face folder.</summary>
    /// <exception cref="ModelFileException">There is no model, or it cannot be used; the message says why.</exception>
    public static ModelFiles Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var folder = new HuggingFaceFolder(path);
        return new ModelFiles(path, ModelFormat.HuggingFace, folder.Config, folder);
    }
}
