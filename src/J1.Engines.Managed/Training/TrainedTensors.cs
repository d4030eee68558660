using System.Globalization;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Training;

/// <summary>
/// The tensors that training moves, their gradients and AdamW's moments (Loshchilov and Hutter, 2019). Gradients and moments take memory from the first
/// backward pass on, so an engine that only judges does not pay for them.
/// </summary>
/// <param name="values">What is trained.</param>
/// <param name="ownsValues">Whether they are freed with this.</param>
/// <param name="baseHash">Of an adapter, names the weights that it is of; a checkpoint of another base is refused.</param>
internal sealed unsafe class TrainedTensors(TensorBlock values, bool ownsValues, Func<string>? baseHash = null) : IDisposable
{
    private const string FileName = "checkpoint.safetensors";

    // Floats that are one piece of the sums and updates below, whoever works on it.
    private const int Piece = 1 << 16;

    private TensorBlock? _gradients, _means, _variances;

    public TensorBlock Values { get; } = values;

    public TensorBlock Gradients => _gradients ??= new TensorBlock(Values.Layout);

    /// <summary>Steps taken.</summary>
    public long Steps { get; private set; }

    public void ClearGradients() => _gradients?.Numbers.Clear();

    /// <summary>The Euclidean norm of all gradients, in double precision.</summary>
    public double GradientNorm()
    {
        var gradients = Gradients.Numbers;
        var parts = new double[(gradients.Length + Piece - 1) / Piece];
        Workers.Run(parts.Length, part =>
        {
            var (start, sum) = ((long)part * Piece, 0.0);
            for (var i = start; i < Math.Min(gradients.Length, start + Piece); i++) sum += (double)gradients.Pointer[i] * gradients.Pointer[i];
            parts[part] = sum;
        });
        return Math.Sqrt(parts.Sum());
    }

    /// <summary>
    /// One step: g ← g · min(1, max / (‖g‖ + 1e-6)); m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²;
    /// w ← w − η (m̂ / (√v̂ + ε) + λ w), with λ on matrices alone. Gradients are zero afterwards.
    /// </summary>
    /// <exception cref="NonFiniteException">The norm is not finite; weights and moments are unchanged.</exception>
    public StepReport Step(OptimizerOptions options)
    {
        var norm = GradientNorm();
        if (!double.IsFinite(norm))
        {
            ClearGradients();
            throw new NonFiniteException($"The gradient norm is {norm} after {Steps} steps; the weights are unchanged. Lower the learning rate.");
        }
        Steps++;
        _means ??= new TensorBlock(Values.Layout);
        _variances ??= new TensorBlock(Values.Layout);
        var clip = options.MaxGradientNorm > 0 ? (float)Math.Min(1, options.MaxGradientNorm / (norm + 1e-6)) : 1;
        var correction1 = (float)(1 / (1 - Math.Pow(options.Beta1, Steps)));
        var correction2 = (float)(1 / (1 - Math.Pow(options.Beta2, Steps)));
        foreach (var tensor in Values.Layout.Tensors)
        {
            float* w = Values[tensor.Name], g = Gradients[tensor.Name], m = _means[tensor.Name], v = _variances[tensor.Name];
            var decay = tensor.Shape.Count > 1 ? options.LearningRate * options.WeightDecay : 0;
            var (count, o) = (tensor.Count, options);
            Workers.Run((int)((count + Piece - 1) / Piece), part =>
            {
                for (var i = (long)part * Piece; i < Math.Min(count, (part + 1L) * Piece); i++)
                {
                    var gradient = g[i] * clip;
                    m[i] = o.Beta1 * m[i] + (1 - o.Beta1) * gradient;
                    v[i] = o.Beta2 * v[i] + (1 - o.Beta2) * gradient * gradient;
                    w[i] -= o.LearningRate * (m[i] * correction1) / (MathF.Sqrt(v[i] * correction2) + o.Epsilon) + decay * w[i];
                    g[i] = 0;
                }
            });
        }
        return new StepReport(norm, options.LearningRate, Steps);
    }

    /// <summary>Moments and step count as before the first step.</summary>
    public void Restart()
    {
        _means?.Numbers.Clear();
        _variances?.Numbers.Clear();
        Steps = 0;
    }

    /// <summary>Writes values, moments and step count as one file, which replaces its older self whole.</summary>
    public void Save(string folder)
    {
        AtomicFiles.CreateFolder(folder);
        TensorBlock[] blocks = Steps == 0 ? [Values] : [Values, _means!, _variances!];
        var tensors = blocks.SelectMany((_, i) => Values.Layout.Tensors.Select(tensor => tensor with { Name = s_kinds[i] + tensor.Name }));
        SafetensorsWriter.Write(Path.Combine(folder, FileName), tensors, (name, destination) =>
        {
            var kind = Array.FindIndex(s_kinds, start => name.StartsWith(start, StringComparison.Ordinal));
            blocks[kind].Read(name[s_kinds[kind].Length..], destination);
        }, metadata: Metadata());
    }

    private Dictionary<string, string> Metadata()
    {
        var metadata = new Dictionary<string, string> { ["steps"] = Steps.ToString(CultureInfo.InvariantCulture) };
        if (baseHash is not null) metadata["base"] = baseHash();
        return metadata;
    }

    /// <summary>Reads what <see cref="Save"/> wrote of the same tensors.</summary>
    /// <exception cref="ModelFileException">It is missing, damaged, or of other tensors; nothing is changed.</exception>
    public void Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        using var file = new SafetensorsFile(path);
        if (!file.Metadata.TryGetValue("steps", out var text) || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var steps))
            throw new ModelFileException(path, "does not say after how many steps it was written", "Give the folder of a checkpoint that this engine wrote.");
        var kinds = steps == 0 ? 1 : s_kinds.Length;
        foreach (var tensor in Values.Layout.Tensors)
            foreach (var kind in s_kinds.AsSpan(0, kinds))
                if (!file.Tensors.TryGetValue(kind + tensor.Name, out var there) || !there.Shape.SequenceEqual(tensor.Shape))
                    throw new ModelFileException(path, there is null ? $"has no tensor '{kind + tensor.Name}'" : $"tensor '{there.Name}' has shape {Shapes.Text(there.Shape)}, this model's is {Shapes.Text(tensor.Shape)}",
                        "Take the checkpoint of the same model, trained the same way (all weights, or an adapter of the same rank and matrices).");
        if (baseHash is not null && file.Metadata.TryGetValue("base", out var other) && other != baseHash())
            throw new ModelFileException(path, "is of an adapter of another model", "Open the model that the checkpoint was trained on.");
        if (steps > 0) (_means, _variances) = (_means ?? new TensorBlock(Values.Layout), _variances ?? new TensorBlock(Values.Layout));
        TensorBlock?[] blocks = [Values, _means, _variances];
        foreach (var tensor in Values.Layout.Tensors)
            for (var kind = 0; kind < kinds; kind++)
                file.Read(s_kinds[kind] + tensor.Name, blocks[kind]!.Span(tensor));
        if (steps == 0) Restart();
        ClearGradients();
        Steps = steps;
    }

    public void Dispose()
    {
        if (ownsValues) Values.Dispose();
        _gradients?.Dispose();
        _means?.Dispose();
        _variances?.Dispose();
    }

    private static readonly string[] s_kinds = ["weight/", "mean/", "variance/"];
}
