using J1.Engines.Managed.Kernels;

namespace J1.Engines.Managed.Models;

/// <summary>Where each of a list of tensors lies in one flat block: one after the other, without gaps.</summary>
internal sealed class TensorLayout
{
    private readonly Dictionary<string, long> _starts = new(StringComparer.Ordinal);

    public TensorLayout(IEnumerable<TensorInfo> tensors)
    {
        Tensors = [.. tensors];
        foreach (var tensor in Tensors)
        {
            _starts.Add(tensor.Name, Length);
            Length += tensor.Count;
        }
    }

    public IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>Floats in the block.</summary>
    public long Length { get; }

    public long StartOf(string name) => _starts[name];
}

/// <summary>Numbers for every tensor of a layout, in one piece of memory; weights, gradients and moments of the same tensors have the same layout.</summary>
internal sealed unsafe class TensorBlock : IDisposable
{
    public TensorBlock(TensorLayout layout, bool zeroed = true) => (Layout, Numbers) = (layout, new NativeBuffer(layout.Length, zeroed));

    public TensorLayout Layout { get; }

    public NativeBuffer Numbers { get; }

    public float* this[string name] => Numbers.Pointer + Layout.StartOf(name);

    /// <summary>Copies a tensor's numbers out.</summary>
    public void Read(string name, Span<float> destination) => new ReadOnlySpan<float>(this[name], destination.Length).CopyTo(destination);

    public Span<float> Span(TensorInfo tensor) => new(this[tensor.Name], checked((int)tensor.Count));

    public void CopyTo(TensorBlock other)
    {
        var bytes = Numbers.Length * sizeof(float);
        Buffer.MemoryCopy(Numbers.Pointer, other.Numbers.Pointer, bytes, bytes);
    }

    public void Dispose() => Numbers.Dispose();
}

/// <summary>One layer's tensors in a block of a whole model's (weights or their gradients); null where the architecture has none.</summary>
internal readonly unsafe struct LayerTensors
{
    public LayerTensors(TensorBlock block, ModelConfig config, int layer)
    {
        var name = $"model.layers.{layer}.";
        InputNorm = block[name + "input_layernorm.weight"];
        QueryKeyValue = block[name + "self_attn.q_proj.weight"];
        if (config.HasAttentionBias) QueryKeyValueBias = block[name + "self_attn.q_proj.bias"];
        if (config.HasQueryKeyNorm) QueryNorm = block[name + "self_attn.q_norm.weight"];
        if (config.HasQueryKeyNorm) KeyNorm = block[name + "self_attn.k_norm.weight"];
        Output = block[name + "self_attn.o_proj.weight"];
        MiddleNorm = block[name + "post_attention_layernorm.weight"];
        GateUp = block[name + "mlp.gate_proj.weight"];
        Down = block[name + "mlp.down_proj.weight"];
    }

    /// <summary>[C].</summary>
    public float* InputNorm { get; }

    /// <summary>q, k and v projections, which lie one behind the other: [(H + 2 Hkv) D, C].</summary>
    public float* QueryKeyValue { get; }

    /// <summary>[(H + 2 Hkv) D].</summary>
    public float* QueryKeyValueBias { get; }

    /// <summary>[D].</summary>
    public float* QueryNorm { get; }

    /// <summary>[D].</summary>
    public float* KeyNorm { get; }

    /// <summary>[C, H D].</summary>
    public float* Output { get; }

    /// <summary>[C].</summary>
    public float* MiddleNorm { get; }

    /// <summary>gate and up projections, one behind the other: [2 F, C].</summary>
    public float* GateUp { get; }

    /// <summary>[C, F].</summary>
    public float* Down { get; }
}
