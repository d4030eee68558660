namespace J1.Engines.Managed.Models;

/// <summary>A named tensor of a model: its Hugging Face name (for example <c>model.layers.0.self_attn.q_proj.weight</c>) and its shape, outermost first ([out, in] for a matrix).</summary>
public sealed record TensorInfo(string Name, IReadOnlyList<int> Shape)
{
    /// <summary>Elements in the tensor.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>
/// Where a model's weights come from, whatever the file format: Hugging Face names, Hugging Face layout
/// (row-major [out, in]; query and key rows ordered for rotation by halves), values dequantised to float32 on reading.
/// </summary>
public interface IWeightSource : IDisposable
{
    IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>Reads a whole tensor into <paramref name="destination"/>, which has exactly its length.</summary>
    void Read(string name, Span<float> destination);
}
