using J1.Engines.Managed.Files;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed;

/// <summary>What a run will hold in memory, in bytes, from the model's shape alone.</summary>
public sealed record MemoryEstimate
{
    /// <summary>The weights as float32; with an adapter also a copy of the matrices it adapts.</summary>
    public required long Weights { get; init; }

    /// <summary>Gradients of what is trained.</summary>
    public required long Gradients { get; init; }

    /// <summary>AdamW's two moments.</summary>
    public required long Optimizer { get; init; }

    /// <summary>Activations of one micro-batch.</summary>
    public required long Activations { get; init; }

    /// <summary>Logits held at once.</summary>
    public required long Logits { get; init; }

    /// <summary>Keys and values while generating, and the weights laid out for it.</summary>
    public required long Generation { get; init; }

    /// <summary>The frozen reference of the KL term.</summary>
    public required long Reference { get; init; }

    public long Total => Weights + Gradients + Optimizer + Activations + Logits + Generation + Reference;

    /// <summary>Estimates a run.</summary>
    /// <param name="model">The shape.</param>
    /// <param name="options">How it is held and trained.</param>
    /// <param name="training">Whether it is trained at all.</param>
    /// <param name="reference">Whether a frozen copy stands beside it.</param>
    /// <param name="samples">Completions generated at once; 0 where nothing is generated.</param>
    /// <param name="promptTokens">Tokens of a prompt, at most.</param>
    /// <param name="completionTokens">Tokens of a completion, at most.</param>
    public static MemoryEstimate For(ModelConfig model, EngineOptions options, bool training, bool reference, int samples = 0, int promptTokens = 0, int completionTokens = 0)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        var weights = Shapes.Of(model).Sum(tensor => tensor.Count);
        var adapted = options.Lora is null ? 0 : AdaptedMatrices(model, options.Lora).Sum(m => (long)m.Outputs * m.Inputs);
        var trained = !training ? 0 : options.Lora is { } lora ? AdaptedMatrices(model, lora).Sum(m => (long)lora.Rank * (m.Outputs + m.Inputs)) : weights;
        var rows = (long)Math.Max(options.MicroBatchTokens, promptTokens + completionTokens);
        var layers = training && !options.RecomputeActivations ? model.LayerCount : 1;
        var perRow = layers * Models.Activations.FloatsPerRow(model) + Workspace.FloatsPerRow(model) + (training ? (options.RecomputeActivations ? model.LayerCount + 2L : 2L) : 1L) * model.HiddenSize;
        var cache = 2L * model.LayerCount * model.KeyValueHeadCount * model.HeadSize * (samples * (long)completionTokens + samples * (long)promptTokens);
        return new MemoryEstimate
        {
            Weights = 4 * (weights + adapted + (options.Lora is null ? 0 : trained)),
            Gradients = 4 * trained,
            Optimizer = 8 * trained,
            Activations = 4 * rows * perRow,
            Logits = 4L * Math.Min(rows, LanguageHead.RowsAtOnce(model)) * model.VocabularySize,
            Generation = samples == 0 ? 0 : 4 * (cache + weights),
            Reference = reference ? 4 * weights : 0,
        };
    }

    /// <summary>Throws when the estimate is above what the machine has left.</summary>
    /// <param name="available">Bytes; null asks the runtime.</param>
    /// <exception cref="InsufficientMemoryException">It does not fit; the message holds the numbers and what to change.</exception>
    public void Check(long? available = null)
    {
        var there = available ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (Total > there)
            throw new InsufficientMemoryException(
                $"This needs about {this}, and the machine has {Gigabytes(there)}. Train an adapter (lora), lower micro_batch_tokens or the group size, or set recompute_activations.");
    }

    /// <summary>For example <c>2.9 GB (weights 0.54, gradients 0.54, moments 1.08, activations 0.70, logits 0.03)</c>.</summary>
    public override string ToString()
    {
        (string Name, long Bytes)[] parts =
            [("weights", Weights), ("gradients", Gradients), ("moments", Optimizer), ("activations", Activations), ("logits", Logits), ("generation", Generation), ("reference", Reference)];
        return $"{Gigabytes(Total)} ({string.Join(", ", parts.Where(part => part.Bytes > 0).Select(part => FormattableString.Invariant($"{part.Name} {part.Bytes / 1e9:F2}")))})";
    }

    private static string Gigabytes(long bytes) => FormattableString.Invariant($"{bytes / 1e9:F2} GB");

    private static IEnumerable<(int Outputs, int Inputs)> AdaptedMatrices(ModelConfig model, LoraOptions lora) =>
        from layer in Enumerable.Range(0, model.LayerCount)
        from matrices in MatrixGroup.All
        from i in Enumerable.Range(0, matrices.Modules.Count)
        where lora.Targets.Contains(matrices.Modules[i])
        select (matrices.Outputs(model)[i], matrices.Inputs(model));
}
