using J1.Engines.Managed.Files;

namespace J1.Engines.Managed;

/// <summary>How a <see cref="ManagedEngine"/> holds and trains a model.</summary>
public sealed record EngineOptions
{
    /// <summary>Train a low-rank adapter instead of all weights; null trains all. Default null.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>Packed tokens that run through the model at once in training and scoring: more is faster up to a point, and needs more memory. No result depends on it. Default 2048.</summary>
    public int MicroBatchTokens { get; init; } = 2048;

    /// <summary>Whether the backward pass computes activations again instead of keeping them: about a third more time, a small part of the memory. No result depends on it. Default false.</summary>
    public bool RecomputeActivations { get; init; }

    /// <summary>The most tokens of a sequence, at most the model's own limit; null is that limit. Default null.</summary>
    public int? ContextLength { get; init; }

    /// <exception cref="ArgumentException">Names the option, its value and its range.</exception>
    public void Validate()
    {
        if (MicroBatchTokens < 1) throw new ArgumentException($"{nameof(MicroBatchTokens)} is {MicroBatchTokens}; it must be at least 1.");
        if (ContextLength is < 2) throw new ArgumentException($"{nameof(ContextLength)} is {ContextLength}; it must be at least 2.");
        Lora?.Validate();
    }
}

/// <summary>
/// Low-rank adaptation (Hu et al., 2021): a matrix W [out, in] acts as W + s B A, with A [rank, in] and B [out, rank] trained and W left as it is;
/// s is <see cref="Alpha"/> / rank, or <see cref="Alpha"/> / √rank with <see cref="RankStabilized"/>.
/// </summary>
public sealed record LoraOptions
{
    /// <summary>Default 16.</summary>
    public int Rank { get; init; } = 16;

    /// <summary>Default 32.</summary>
    public float Alpha { get; init; } = 32;

    /// <summary>rsLoRA (Kalajdzievski, 2023). Default false.</summary>
    public bool RankStabilized { get; init; }

    /// <summary>The matrices that carry an adapter, of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj. Default all seven.</summary>
    public IReadOnlyList<string> Targets { get; init; } = PeftConfig.AllModules;

    /// <summary>Decides A's first values; B starts at 0, so the model starts unchanged. Default 0.</summary>
    public ulong Seed { get; init; }

    /// <exception cref="ArgumentException">Names the option, its value and its range.</exception>
    public void Validate()
    {
        if (Rank < 1) throw new ArgumentException($"{nameof(Rank)} is {Rank}; it must be at least 1.");
        if (!(Alpha > 0 && float.IsFinite(Alpha))) throw new ArgumentException($"{nameof(Alpha)} is {Alpha}; it must be above 0.");
        if (Targets.Count == 0) throw new ArgumentException($"{nameof(Targets)} is empty; name at least one of {string.Join(", ", PeftConfig.AllModules)}.");
        foreach (var target in Targets)
            if (!PeftConfig.AllModules.Contains(target)) throw new ArgumentException($"{nameof(Targets)} names '{target}'; known are {string.Join(", ", PeftConfig.AllModules)}.");
        if (Targets.Distinct().Count() != Targets.Count) throw new ArgumentException($"{nameof(Targets)} names a matrix twice.");
    }
}
