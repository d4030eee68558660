using J1.Engines;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Models;

namespace J1.Tests.Engines.Managed;

/// <summary>Weights large enough that every part of a model has its say: norms around 1, biases and matrices away from 0.</summary>
internal sealed class RandomWeights(ModelConfig config, ulong seed) : IWeightSource
{
    private readonly string[] _names = [.. Shapes.Of(config).Select(tensor => tensor.Name)];

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; } = Shapes.Of(config).ToDictionary(tensor => tensor.Name);

    public void Read(string name, Span<float> destination)
    {
        var tensor = Tensors[name];
        var random = SplitMix.For(seed, 0xEE, (ulong)Array.IndexOf(_names, name));
        var (mean, deviation) = tensor.Shape.Count > 1 ? (0, 1.2 / Math.Sqrt(tensor.Shape[1])) : (name.EndsWith("norm.weight", StringComparison.Ordinal) ? 1 : 0, 0.2);
        foreach (ref var value in destination) value = (float)(mean + random.NextNormal() * deviation);
    }

    public void Dispose() { }
}
