using System.Globalization;
using System.Text.RegularExpressions;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Files;

/// <summary>
/// A LoRA adapter in the layout of Python's PEFT: <c>adapter_config.json</c>, and <c>adapter_model.safetensors</c> with tensors such as
/// <c>base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight</c> (A is [rank, in], B is [out, rank]).
/// </summary>
public sealed partial class PeftAdapter : IWeightSource
{
    private const string ConfigFile = "adapter_config.json";
    private const string WeightFile = "adapter_model.safetensors";
    private const string Remedy = "Take both adapter files from the same run.";

    private readonly SafetensorsFile _file;

    /// <summary>Opens an adapter folder; with a <paramref name="baseModel"/>, its layers and shapes are checked against it.</summary>
    /// <exception cref="ModelFileException">A file is missing or damaged, a setting is not computed here, or a tensor disagrees with the settings or the base model.</exception>
    public PeftAdapter(string folder, ModelConfig? baseModel = null)
    {
        Path = folder;
        var settings = System.IO.Path.Combine(folder, ConfigFile);
        var weights = System.IO.Path.Combine(folder, WeightFile);
        if (!File.Exists(settings))
            throw new ModelFileException(folder, $"has no {ConfigFile}", "Give the folder of a LoRA adapter in the PEFT layout.");
        Config = PeftConfigFile.Read(settings);
        if (!File.Exists(weights))
            throw new ModelFileException(
                folder, $"has no {WeightFile}{(File.Exists(System.IO.Path.Combine(folder, "adapter_model.bin")) ? ", only adapter_model.bin" : "")}",
                "Save the adapter with safetensors (PEFT's save_pretrained does).");
        _file = new SafetensorsFile(weights);
        try
        {
            Check(weights, Config, _file.Tensors, baseModel);
            foreach (var name in _file.Tensors.Keys)
                _file.CheckReadable(name);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public string Path { get; }

    public PeftConfig Config { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _file.Tensors;

    /// <summary>Whether a folder holds an adapter.</summary>
    public static bool Exists(string folder) => File.Exists(System.IO.Path.Combine(folder, ConfigFile));

    /// <summary>Writes an adapter (float32) into <paramref name="folder"/>, which is made where it is missing; both files are written in full before either replaces an older one.</summary>
    /// <exception cref="ModelFileException">The tensors are not those of the settings, or a file could not be written (a full disk, say); the older files stay.</exception>
    public static void Save(string folder, PeftConfig config, IEnumerable<TensorInfo> tensors, TensorReader read) => Save(folder, config, tensors, read, create: null);

    public void Read(string name, Span<float> destination) => _file.Read(name, destination);

    public void Dispose() => _file.Dispose();

    internal static void Save(string folder, PeftConfig config, IEnumerable<TensorInfo> tensors, TensorReader read, Func<string, Stream>? create)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(read);
        var known = tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        var weights = System.IO.Path.Combine(folder, WeightFile);
        Check(weights, config, known, baseModel: null);

        AtomicFiles.CreateFolder(folder);
        using var files = new AtomicFiles(create);
        files.Add(weights, stream => SafetensorsWriter.Write(stream, known.Values, read, SafetensorsType.F32));
        files.Add(System.IO.Path.Combine(folder, ConfigFile), stream => PeftConfigFile.Write(stream, config));
        files.Commit();
    }

    [GeneratedRegex(@"^base_model\.model\.(?<matrix>model\.layers\.(?<layer>\d{1,6})\.(?:self_attn|mlp)\.(?<module>\w+))\.lora_(?<side>[AB])\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex TensorName();

    /// <summary>Each target matrix of each layer has A and B of the rank, and there is nothing else.</summary>
    private static void Check(string file, PeftConfig config, IReadOnlyDictionary<string, TensorInfo> tensors, ModelConfig? baseModel)
    {
        var matrices = baseModel is null ? null : Shapes.Of(baseModel).ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        var found = new HashSet<(int Layer, string Module)>();
        foreach (var tensor in tensors.Values)
        {
            var match = TensorName().Match(tensor.Name);
            var module = match.Groups["module"].Value;
            if (!match.Success || !PeftConfig.AllModules.Contains(module))
                throw new ModelFileException(file, $"has a tensor '{tensor.Name}', which a LoRA adapter of {string.Join(", ", PeftConfig.AllModules)} does not have", "Use an adapter of these matrices alone.");
            if (!config.TargetModules.Contains(module))
                throw new ModelFileException(file, $"has a tensor '{tensor.Name}', but target_modules are {string.Join(", ", config.TargetModules)}", Remedy);

            var isA = match.Groups["side"].Value == "A";
            if (tensor.Shape.Count != 2 || tensor.Shape[isA ? 0 : 1] != config.Rank)
                throw new ModelFileException(file, $"tensor '{tensor.Name}' has shape {Shapes.Text(tensor.Shape)}; rank r = {config.Rank} asks for {(isA ? $"[{config.Rank}, in]" : $"[out, {config.Rank}]")}", Remedy);
            var other = tensor.Name.Replace(isA ? ".lora_A." : ".lora_B.", isA ? ".lora_B." : ".lora_A.", StringComparison.Ordinal);
            if (!tensors.ContainsKey(other))
                throw new ModelFileException(file, $"has no tensor '{other}' beside '{tensor.Name}'", Remedy);
            if (matrices is not null)
                CheckMatrix(file, tensor, isA, matrices.GetValueOrDefault(match.Groups["matrix"].Value + ".weight"));
            found.Add((int.Parse(match.Groups["layer"].Value, CultureInfo.InvariantCulture), module));
        }

        var layers = baseModel?.LayerCount ?? (found.Count == 0 ? 1 : found.Max(place => place.Layer) + 1);
        for (var layer = 0; layer < layers; layer++)
            foreach (var module in config.TargetModules)
                if (!found.Contains((layer, module)))
                    throw new ModelFileException(file, $"has no adapter of {module} in layer {layer}; target_modules name it for all {layers} layers", Remedy);
    }

    private static void CheckMatrix(string file, TensorInfo tensor, bool isA, TensorInfo? matrix)
    {
        const string otherBase = "Use the adapter with the base model it was trained on.";
        if (matrix is null)
            throw new ModelFileException(file, $"has a tensor '{tensor.Name}' for a matrix that the base model does not have", otherBase);
        if (tensor.Shape[isA ? 1 : 0] != matrix.Shape[isA ? 1 : 0])
            throw new ModelFileException(file, $"tensor '{tensor.Name}' has shape {Shapes.Text(tensor.Shape)}; the base model's matrix '{matrix.Name}' is {Shapes.Text(matrix.Shape)}", otherBase);
    }
}
