using System.Buffers;
using System.Runtime.ExceptionServices;
using J1.Engines.Managed.Models;
using Microsoft.Win32.SafeHandles;

namespace J1.Engines.Managed.Files;

/// <summary>
/// A GGUF file of the <c>llama</c>, <c>qwen2</c> or <c>qwen3</c> architecture: tensors under their Hugging Face names, dequantised to float32 on reading,
/// the query and key rows of <c>llama</c> files (stored for rotation of neighbours) put back into the order for rotation by halves.
/// </summary>
public sealed class GgufFile : IWeightSource
{
    private const string RopeFactors = "rope_freqs.weight";

    private readonly SafeFileHandle _file;
    private readonly Dictionary<string, TensorInfo> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, GgufTensor> _places = new(StringComparer.Ordinal);

    /// <summary>Opens the file; its header, its tensors' places and shapes are checked, no number is read.</summary>
    /// <exception cref="ModelFileException">It is missing, truncated, not GGUF, or of an architecture or number type that is not computed here.</exception>
    public GgufFile(string path)
    {
        Path = path;
        _file = FileBytes.Open(path);
        try
        {
            var header = new GgufHeader(_file, path);
            Metadata = header.Metadata;
            Config = GgufConfig.Read(path, header, ReadRopeFactors(header));
            foreach (var tensor in header.Tensors.Values.Where(tensor => tensor.Name != RopeFactors))
            {
                var name = HuggingFaceName(tensor.Name);
                _places.Add(name, tensor);
                _tensors.Add(name, new TensorInfo(name, [.. tensor.Sizes.Reverse()]));
            }

            Shapes.Check(path, "its metadata", Config, _tensors, _ => false);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public string Path { get; }

    public ModelConfig Config { get; }

    /// <summary>
    /// All metadata under the file's own keys, for example <c>tokenizer.ggml.tokens</c>. Numbers, flags and texts as .NET's own types, lists as arrays of them.
    /// </summary>
    public IReadOnlyDictionary<string, object> Metadata { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>How the file stores a tensor, for example <c>Q4_1</c>.</summary>
    public string DataTypeOf(string name) => Find(name).Type.ToString();

    public unsafe void Read(string name, Span<float> destination)
    {
        var tensor = Find(name);
        if (destination.Length != _tensors[name].Count)
            throw new ArgumentException($"Tensor '{name}' has {_tensors[name].Count} numbers; the destination has room for {destination.Length}.", nameof(destination));
        var permuted = Config.Architecture == Architecture.Llama
            && (name.EndsWith("q_proj.weight", StringComparison.Ordinal) || name.EndsWith("k_proj.weight", StringComparison.Ordinal));
        try
        {
            fixed (float* start = destination)
                Read(tensor, start, destination.Length / tensor.Sizes[0], permuted ? Config.HeadSize : 0);
        }
        catch (AggregateException error) when (error.InnerException is ModelFileException)
        {
            ExceptionDispatchInfo.Throw(error.InnerException);
        }
    }

    public void Dispose() => _file.Dispose();

    private GgufTensor Find(string name) => _places.TryGetValue(name, out var tensor)
        ? tensor
        : throw new ModelFileException(Path, $"has no tensor '{name}' among its {_places.Count}", "Take the file that belongs to this model.");

    private unsafe float[]? ReadRopeFactors(GgufHeader header)
    {
        if (!header.Tensors.TryGetValue(RopeFactors, out var tensor))
            return null;
        var factors = new float[tensor.Sizes[0]];
        fixed (float* start = factors)
            Read(tensor, start, 1, headSize: 0);
        return factors;
    }

    /// <summary>Values have shape [rows, columns]; the head size is D where rows are to be put into the order of halves, 0 where they stay.</summary>
    private unsafe void Read(GgufTensor tensor, float* values, int rows, int headSize)
    {
        var columns = tensor.Sizes[0];
        var (blockValues, blockBytes) = GgmlTypes.BlockOf(tensor.Type);
        var rowBytes = checked(columns / blockValues * blockBytes);
        var atOnce = Math.Max(1, (1 << 18) / columns);
        Parallel.For(0, (rows + atOnce - 1) / atOnce, part =>
        {
            var (first, count) = (part * atOnce, Math.Min(atOnce, rows - part * atOnce));
            var raw = ArrayPool<byte>.Shared.Rent(count * rowBytes);
            FileBytes.Read(_file, Path, raw.AsSpan(0, count * rowBytes), tensor.Offset + (long)first * rowBytes);
            for (var row = first; row < first + count; row++)
                GgmlBlocks.Dequantize(
                    tensor.Type, raw.AsSpan((row - first) * rowBytes, rowBytes), new Span<float>(values + (long)InHalves(row, headSize) * columns, columns));
            ArrayPool<byte>.Shared.Return(raw);
        });
    }

    /// <summary>Row 2i + p of a head in the order of neighbours is row p D/2 + i in the order of halves.</summary>
    private static int InHalves(int row, int headSize)
    {
        if (headSize == 0)
            return row;
        var within = row % headSize;
        return row - within + within % 2 * (headSize / 2) + within / 2;
    }

    /// <summary>The Hugging Face name; a name that is not known stays, and is refused as a tensor too many.</summary>
    private static string HuggingFaceName(string name)
    {
        switch (name)
        {
            case "token_embd.weight": return Shapes.Embedding;
            case "output_norm.weight": return Shapes.FinalNorm;
            case "output.weight": return Shapes.Head;
        }

        if (name.Split('.') is not ["blk", var layer, var part, var kind])
            return name;
        var module = part switch
        {
            "attn_norm" => "input_layernorm",
            "ffn_norm" => "post_attention_layernorm",
            "attn_q" => "self_attn.q_proj",
            "attn_k" => "self_attn.k_proj",
            "attn_v" => "self_attn.v_proj",
            "attn_output" => "self_attn.o_proj",
            "attn_q_norm" => "self_attn.q_norm",
            "attn_k_norm" => "self_attn.k_norm",
            "ffn_gate" => "mlp.gate_proj",
            "ffn_up" => "mlp.up_proj",
            "ffn_down" => "mlp.down_proj",
            _ => null,
        };
        return module is null ? name : $"model.layers.{layer}.{module}.{kind}";
    }
}
