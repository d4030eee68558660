using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Files;

/// <summary>The file layouts a model can come in.</summary>
public enum ModelFormat
{
    /// <summary>A folder with config.json and safetensors files.</summary>
    HuggingFace,

    /// <summary>One .gguf file.</summary>
    Gguf,
}

/// <summary>An opened model: its configuration, and its weights to be read.</summary>
public sealed class ModelFiles : IDisposable
{
    internal ModelFiles(string path, HuggingFaceFolder folder)
    {
        (Path, Format, Config, Weights) = (path, ModelFormat.HuggingFace, folder.Config, folder);
    }

    internal ModelFiles(GgufFile file)
    {
        (Path, Format, Config, Weights, GgufMetadata) = (file.Path, ModelFormat.Gguf, file.Config, file, file.Metadata);
    }

    /// <summary>The Hugging Face folder, or the .gguf file (also where a folder that holds it was given).</summary>
    public string Path { get; }

    public ModelFormat Format { get; }

    public ModelConfig Config { get; }

    public IWeightSource Weights { get; }

    /// <summary>All metadata of a GGUF file, its tokenizer among it; null for a Hugging Face folder.</summary>
    public IReadOnlyDictionary<string, object>? GgufMetadata { get; }

    public void Dispose() => Weights.Dispose();
}

/// <summary>Opens a model whatever its format.</summary>
public static class ModelReader
{
    /// <summary>Opens a Hugging Face folder, a .gguf file, or a folder that holds exactly one .gguf file. Dispose of the result when its weights are read.</summary>
    /// <exception cref="ModelFileException">There is no model, or it cannot be used; the message says why.</exception>
    public static ModelFiles Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path) && Path.GetExtension(path) is ".safetensors" or ".json")
            throw new ModelFileException(path, "is one file of a model folder", "Give the folder that holds it.");
        if (File.Exists(path))
            return new ModelFiles(new GgufFile(path));
        if (!Directory.Exists(path))
            throw new ModelFileException(path, "does not exist", "Give a model folder in the Hugging Face layout, or a .gguf file.");
        if (File.Exists(Path.Combine(path, "config.json")))
            return new ModelFiles(path, new HuggingFaceFolder(path));

        var found = Directory.GetFiles(path, "*.gguf").Order(StringComparer.Ordinal).ToArray();
        return found switch
        {
            [var only] => new ModelFiles(new GgufFile(only)),
            [] => throw new ModelFileException(path, "has neither a config.json nor a .gguf file", "Give a model folder in the Hugging Face layout, or a .gguf file."),
            _ => throw new ModelFileException(path, $"has {found.Length} .gguf files: {string.Join(", ", found.Select(Path.GetFileName))}", "Give the path of one of them."),
        };
    }
}
