using J1.Engines.Managed.Files;
using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Generation;

/// <summary>All matrices of a model as <see cref="Gemm.MultiplyPacked"/> reads them. A copy: when the weights move, it is made anew.</summary>
internal sealed unsafe class PackedWeights : IDisposable
{
    public PackedWeights(ModelConfig config, Decoder decoder, TensorBlock weights)
    {
        var (c, f, q) = (config.HiddenSize, config.IntermediateSize, config.HeadCount * config.HeadSize);
        QueryKeyValue = new PackedMatrix[config.LayerCount];
        Output = new PackedMatrix[config.LayerCount];
        GateUp = new PackedMatrix[config.LayerCount];
        Down = new PackedMatrix[config.LayerCount];
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            var tensors = decoder.Layers[layer];
            QueryKeyValue[layer] = new PackedMatrix(tensors.QueryKeyValue, q + 2 * config.KeyValueHeadCount * config.HeadSize, c);
            Output[layer] = new PackedMatrix(tensors.Output, c, q);
            GateUp[layer] = new PackedMatrix(tensors.GateUp, 2 * f, c);
            Down[layer] = new PackedMatrix(tensors.Down, c, f);
        }
        Head = new PackedMatrix(weights[config.TieEmbeddings ? Shapes.Embedding : Shapes.Head], config.VocabularySize, c);
    }

    public PackedMatrix[] QueryKeyValue { get; }

    public PackedMatrix[] Output { get; }

    public PackedMatrix[] GateUp { get; }

    public PackedMatrix[] Down { get; }

    public PackedMatrix Head { get; }

    public void Dispose()
    {
        foreach (var matrix in QueryKeyValue.Concat(Output).Concat(GateUp).Concat(Down).Append(Head)) matrix.Dispose();
    }
}
