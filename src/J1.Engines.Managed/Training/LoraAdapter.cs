using System.Runtime.InteropServices;
using System.Security.Cryptography;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Training;

/// <summary>
/// A low-rank adapter: W acts as W₀ + s B A. The model always computes with the sum, so its forward pass is the plain one; of the backward pass only the
/// matrices' gradients differ. With y = x Wᵀ: dB = s dyᵀ (x Aᵀ) and dA = s (dy B)ᵀ x, which never needs dW.
/// </summary>
internal sealed unsafe class LoraAdapter : IGradients, IDisposable
{
    private readonly ModelConfig _config;
    private readonly LoraOptions _options;
    private readonly TensorBlock _base;
    private readonly float _scale;
    private string? _baseHash;
    private readonly List<(string Name, string Matrix, MatrixGroup Group, int Layer, int FirstOutput, int Outputs)> _places = [];

    /// <param name="config">The model's shape.</param>
    /// <param name="options">Rank, scale, matrices, seed.</param>
    /// <param name="weights">The model's weights; the adapted matrices are kept as they are now.</param>
    public LoraAdapter(ModelConfig config, LoraOptions options, TensorBlock weights)
    {
        (_config, _options) = (config, options);
        _scale = options.RankStabilized ? options.Alpha / MathF.Sqrt(options.Rank) : options.Alpha / options.Rank;
        var (pairs, matrices) = (new List<TensorInfo>(), new List<TensorInfo>());
        for (var layer = 0; layer < config.LayerCount; layer++)
            foreach (var group in MatrixGroup.All)
                for (var (i, first) = (0, 0); i < group.Modules.Count; first += group.Outputs(config)[i++])
                {
                    if (!options.Targets.Contains(group.Modules[i])) continue;
                    var (matrix, outputs, inputs) = (group.NameOf(layer, group.Modules[i]), group.Outputs(config)[i], group.Inputs(config));
                    var name = "base_model.model." + matrix;
                    _places.Add((name, matrix + ".weight", group, layer, first, outputs));
                    pairs.Add(new TensorInfo(NameOfA(name), [options.Rank, inputs]));
                    pairs.Add(new TensorInfo(NameOfB(name), [outputs, options.Rank]));
                    matrices.Add(new TensorInfo(matrix + ".weight", [outputs, inputs]));
                }
        Trained = new TrainedTensors(new TensorBlock(new TensorLayout(pairs)), ownsValues: true, HashOfBase);
        _base = new TensorBlock(new TensorLayout(matrices), zeroed: false);
        foreach (var matrix in matrices) new ReadOnlySpan<float>(weights[matrix.Name], (int)matrix.Count).CopyTo(_base.Span(matrix));
        foreach (var (place, index) in _places.Select((place, index) => (place, index)))
        {
            // A as PEFT starts it: uniform on ±1/√in.
            var random = SplitMix.For(options.Seed, 0x10A, (ulong)index);
            var inputs = place.Group.Inputs(config);
            var bound = 1 / Math.Sqrt(inputs);
            for (var i = 0; i < options.Rank * inputs; i++) Trained.Values[NameOfA(place.Name)][i] = (float)((2 * random.NextDouble() - 1) * bound);
        }
    }

    public TrainedTensors Trained { get; }

    private string HashOfBase()
    {
        if (_baseHash is not null) return _baseHash;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var matrix in _base.Layout.Tensors) hash.AppendData(MemoryMarshal.AsBytes(_base.Span(matrix)));
        return _baseHash = Convert.ToHexStringLower(hash.GetHashAndReset())[..32];
    }

    public LayerTensors Norms(int layer) => default;

    public void AddMatrix(int layer, MatrixGroup group, int rows, float* x, int inputs, float* dy, int outputs)
    {
        var rank = _options.Rank;
        var low = Scratch.Floats(3, (long)rows * rank); // [T, rank]
        foreach (var place in _places)
        {
            if (place.Layer != layer || place.Group != group) continue;
            float* a = Trained.Values[NameOfA(place.Name)], b = Trained.Values[NameOfB(place.Name)], mine = dy + place.FirstOutput;
            Gemm.Multiply(GemmLayout.NT, rows, rank, inputs, x, inputs, a, inputs, low, rank, false);
            Times(low, (long)rows * rank);
            Gemm.Multiply(GemmLayout.TN, place.Outputs, rank, rows, mine, outputs, low, rank, Trained.Gradients[NameOfB(place.Name)], rank, true);
            Gemm.Multiply(GemmLayout.NN, rows, rank, place.Outputs, mine, outputs, b, rank, low, rank, false);
            Times(low, (long)rows * rank);
            Gemm.Multiply(GemmLayout.TN, rank, inputs, rows, low, rank, x, inputs, Trained.Gradients[NameOfA(place.Name)], inputs, true);
        }
    }

    /// <summary>Sets the adapted matrices of <paramref name="weights"/> to W₀ + s B A.</summary>
    public void MergeInto(TensorBlock weights)
    {
        foreach (var place in _places)
        {
            var (rank, inputs) = (_options.Rank, place.Group.Inputs(_config));
            var target = weights[place.Matrix];
            new ReadOnlySpan<float>(_base[place.Matrix], place.Outputs * inputs).CopyTo(new Span<float>(target, place.Outputs * inputs));
            var scaled = Scratch.Floats(3, (long)place.Outputs * rank);
            new ReadOnlySpan<float>(Trained.Values[NameOfB(place.Name)], place.Outputs * rank).CopyTo(new Span<float>(scaled, place.Outputs * rank));
            Times(scaled, (long)place.Outputs * rank);
            Gemm.Multiply(GemmLayout.NN, place.Outputs, inputs, rank, scaled, rank, Trained.Values[NameOfA(place.Name)], inputs, target, inputs, true);
        }
    }

    /// <summary>Sets the adapted matrices of <paramref name="weights"/> back to W₀.</summary>
    public void Remove(TensorBlock weights)
    {
        foreach (var matrix in _base.Layout.Tensors) _base.Read(matrix.Name, new Span<float>(weights[matrix.Name], (int)matrix.Count));
    }

    /// <summary>Writes the adapter in PEFT's layout.</summary>
    public void Export(string folder, string? baseModel) => PeftAdapter.Save(folder, new PeftConfig
    {
        Rank = _options.Rank,
        Alpha = _options.Alpha,
        RankStabilized = _options.RankStabilized,
        TargetModules = [.. PeftConfig.AllModules.Where(_options.Targets.Contains)],
        BaseModel = baseModel,
    }, Trained.Values.Layout.Tensors, Trained.Values.Read);

    /// <summary>Takes A and B of every matrix from an adapter of the same settings.</summary>
    public void Import(PeftAdapter adapter)
    {
        foreach (var tensor in Trained.Values.Layout.Tensors) adapter.Read(tensor.Name, Trained.Values.Span(tensor));
    }

    public void Dispose()
    {
        Trained.Dispose();
        _base.Dispose();
    }

    private void Times(float* x, long count)
    {
        for (long i = 0; i < count; i++) x[i] *= _scale;
    }

    private static string NameOfA(string name) => name + ".lora_A.weight";

    private static string NameOfB(string name) => name + ".lora_B.weight";
}
