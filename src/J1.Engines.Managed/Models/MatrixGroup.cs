namespace J1.Engines.Managed.Models;

/// <summary>Matrices of a layer that read the same input and lie one behind the other, so that one product does for all.</summary>
internal sealed class MatrixGroup
{
    private readonly Func<ModelConfig, (int Inputs, int[] Outputs)> _shape;

    private MatrixGroup(string block, string[] modules, Func<ModelConfig, (int Inputs, int[] Outputs)> shape) => (Block, Modules, _shape) = (block, modules, shape);

    public static MatrixGroup QueryKeyValue { get; } = new("self_attn", ["q_proj", "k_proj", "v_proj"],
        m => (m.HiddenSize, [m.HeadCount * m.HeadSize, m.KeyValueHeadCount * m.HeadSize, m.KeyValueHeadCount * m.HeadSize]));

    public static MatrixGroup Output { get; } = new("self_attn", ["o_proj"], m => (m.HeadCount * m.HeadSize, [m.HiddenSize]));

    public static MatrixGroup GateUp { get; } = new("mlp", ["gate_proj", "up_proj"], m => (m.HiddenSize, [m.IntermediateSize, m.IntermediateSize]));

    public static MatrixGroup Down { get; } = new("mlp", ["down_proj"], m => (m.IntermediateSize, [m.HiddenSize]));

    public static IReadOnlyList<MatrixGroup> All { get; } = [QueryKeyValue, Output, GateUp, Down];

    /// <summary><c>self_attn</c> or <c>mlp</c>.</summary>
    public string Block { get; }

    public IReadOnlyList<string> Modules { get; }

    /// <summary>The columns that all its matrices have.</summary>
    public int Inputs(ModelConfig config) => _shape(config).Inputs;

    /// <summary>The rows of each matrix.</summary>
    public IReadOnlyList<int> Outputs(ModelConfig config) => _shape(config).Outputs;

    /// <summary>The name of one matrix of a layer, without its ending <c>.weight</c>.</summary>
    public string NameOf(int layer, string module) => $"model.layers.{layer}.{Block}.{module}";
}

/// <summary>Where the backward pass leaves the gradients of weights.</summary>
internal interface IGradients
{
    /// <summary>The gradients of a layer's norms and biases, to be added to; null where they are not trained.</summary>
    LayerTensors Norms(int layer);

    /// <summary>Takes in what y = x Wᵀ gives the matrices of a group: dW += dyᵀ x.</summary>
    /// <param name="layer">From 0.</param>
    /// <param name="group">The matrices.</param>
    /// <param name="rows">T.</param>
    /// <param name="x">Shape [T, in].</param>
    /// <param name="inputs">in.</param>
    /// <param name="dy">Shape [T, out], the outputs of all the group's matrices side by side.</param>
    /// <param name="outputs">out.</param>
    unsafe void AddMatrix(int layer, MatrixGroup group, int rows, float* x, int inputs, float* dy, int outputs);
}
