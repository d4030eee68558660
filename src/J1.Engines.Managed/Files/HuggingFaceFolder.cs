using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Files;

/// <summary>
/// A model folder as Hugging Face's libraries write it: <c>config.json</c> and <c>model.safetensors</c>, or shards with <c>model.safetensors.index.json</c>.
/// Every tensor's presence, shape and number type is checked against the configuration on opening.
/// </summary>
public sealed class HuggingFaceFolder : IWeightSource
{
    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";
    private const string OtherModel = "Take weights and configuration from the same model.";

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, SafetensorsFile> _places = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorInfo> _tensors = new(StringComparer.Ordinal);

    /// <summary>Opens a folder.</summary>
    /// <exception cref="ModelFileException">A file is missing or damaged, the architecture or an option of it is not computed here, or a tensor disagrees with the configuration.</exception>
    public HuggingFaceFolder(string folder)
    {
        Path = folder;
        if (!File.Exists(System.IO.Path.Combine(folder, "config.json")))
            throw new ModelFileException(folder, "has no config.json", "Give a model folder in the Hugging Face layout, or a .gguf file.");
        Config = HuggingFaceConfig.Read(folder);
        try
        {
            OpenFiles();
            CheckTensors();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Path { get; }

    public ModelConfig Config { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public void Read(string name, Span<float> destination)
    {
        if (!_places.TryGetValue(name, out var file))
            throw new ModelFileException(Path, $"has no tensor '{name}' among its {_tensors.Count}", OtherModel);
        file.Read(name, destination);
    }

    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }

    private string At(string name) => System.IO.Path.Combine(Path, name);

    private string WeightFile => At(File.Exists(At(SingleFile)) ? SingleFile : IndexFile);

    private void OpenFiles()
    {
        if (File.Exists(At(SingleFile)))
        {
            var file = Open(SingleFile);
            foreach (var name in file.Tensors.Keys)
                _places.Add(name, file);
        }
        else if (File.Exists(At(IndexFile)))
        {
            OpenShards();
        }
        else
        {
            var pickled = File.Exists(At("pytorch_model.bin")) || File.Exists(At("pytorch_model.bin.index.json"));
            throw new ModelFileException(
                Path, $"has neither {SingleFile} nor {IndexFile}{(pickled ? ", only pytorch_model.bin" : "")}",
                pickled ? "Convert the weights to safetensors (save_pretrained in Python does)." : "Download the weights, too.");
        }

        foreach (var (name, file) in _places)
            _tensors.Add(name, file.Tensors[name]);
    }

    private void OpenShards()
    {
        var index = JsonSettings.Read(At(IndexFile));
        var map = index.Section("weight_map") ?? throw index.Missing("weight_map");
        var open = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        foreach (var (name, _) in map.Present)
        {
            var shard = map.Text(name)!;
            if (shard != System.IO.Path.GetFileName(shard))
                throw map.Wrong(name, "the name of a file beside the index", $"'{shard}'");
            if (!open.TryGetValue(shard, out var file))
            {
                if (!File.Exists(At(shard)))
                    throw new ModelFileException(At(shard), $"does not exist, though {IndexFile} places tensor '{name}' in it", "Download the missing shard.");
                open.Add(shard, file = Open(shard));
            }

            if (!file.Tensors.ContainsKey(name))
                throw new ModelFileException(At(shard), $"has no tensor '{name}', though {IndexFile} places it there", "Download index and shards of the same model again.");
            if (!_places.TryAdd(name, file))
                throw map.Wrong(name, "to be listed once", "listed twice");
        }
    }

    private SafetensorsFile Open(string name)
    {
        var file = new SafetensorsFile(At(name));
        _files.Add(file);
        return file;
    }

    private void CheckTensors()
    {
        Shapes.Check(WeightFile, "config.json", Config, _tensors, name =>
            name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) || (name == Shapes.Head && Config.TieEmbeddings));
        foreach (var name in _tensors.Keys.Where(name => name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal)).ToList())
            Forget(name); // computed from the configuration; old conversions stored it
        foreach (var (name, file) in _places)
            file.CheckReadable(name);
        if (Config.TieEmbeddings && _tensors.ContainsKey(Shapes.Head))
            ForgetTiedHead();
    }

    /// <summary>Some files store a tied head beside the embedding. That is fine as long as they are equal.</summary>
    private void ForgetTiedHead()
    {
        var (embedding, head) = (new float[_tensors[Shapes.Embedding].Count], new float[_tensors[Shapes.Head].Count]);
        Read(Shapes.Embedding, embedding);
        Read(Shapes.Head, head);
        if (!embedding.AsSpan().SequenceEqual(head))
            throw new ModelFileException(WeightFile, $"'{Shapes.Head}' differs from '{Shapes.Embedding}', though config.json has tie_word_embeddings true", "Set tie_word_embeddings to false if the head is its own.");
        Forget(Shapes.Head);
    }

    private void Forget(string name)
    {
        _tensors.Remove(name);
        _places.Remove(name);
    }
}
