using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Training;

/// <summary>Gradients of all weights.</summary>
internal sealed unsafe class FullTraining(ModelConfig config, TrainedTensors trained) : IGradients
{
    private LayerTensors[]? _layers;

    public LayerTensors Norms(int layer) => (_layers ??= [.. Enumerable.Range(0, config.LayerCount).Select(l => new LayerTensors(trained.Gradients, config, l))])[layer];

    public void AddMatrix(int layer, MatrixGroup group, int rows, float* x, int inputs, float* dy, int outputs)
    {
        var first = trained.Gradients[group.NameOf(layer, group.Modules[0]) + ".weight"];
        Gemm.Multiply(GemmLayout.TN, outputs, inputs, rows, dy, outputs, x, inputs, first, inputs, true);
    }
}
