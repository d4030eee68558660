using J1.Engines;
using J1.Engines.Managed;
using J1.Judging;

namespace J1.MLNet;

/// <summary>How a model is asked to judge.</summary>
public sealed record JudgeSettings
{
    /// <summary>Prompt, mode, and how completions are read. Default a thinking verdict.</summary>
    public JudgeFormat Format { get; init; } = new();

    /// <summary>How completions are drawn. Default greedy, 256 tokens; more than one vote needs a temperature. An instant verdict draws nothing. What is drawn depends on a row's place in its call: with a temperature, other batches give other words.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy(256);

    /// <summary>Seed of the sampling. Default 0.</summary>
    public ulong Seed { get; init; }

    /// <summary>Completions an order, or of a response. Default 1.</summary>
    public int Votes { get; init; } = 1;

    /// <summary>Whether pairs are asked in both orders. One order costs half and keeps the judge's habit of preferring a side. Default true.</summary>
    public bool BothOrders { get; init; } = true;

    /// <summary>Margin to probability; null takes log-odds as they are, and gives no probability where there are none. Default null.</summary>
    public Calibration? Calibration { get; init; }

    /// <summary>What becomes of rows whose prompt does not fit. Default: they are Invalid.</summary>
    public LongPromptPolicy LongPrompts { get; init; } = LongPromptPolicy.Drop;

    /// <summary>How the engine holds the model; no adapter is added to a model that is only asked. Default the engine's.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>Weights of at most this many bytes lie in the saved file; a larger model is saved as its path and hash. Default 64 MB, at most 100 MB.</summary>
    public long MaxEmbeddedBytes { get; init; } = 64_000_000;

    /// <exception cref="ArgumentException">Names the setting, its value and its range.</exception>
    public void Validate()
    {
        Sampling.Validate();
        Engine.Validate();
        if (Votes < 1) throw new ArgumentException($"{nameof(Votes)} is {Votes}; it must be at least 1.");
        if (MaxEmbeddedBytes is < 0 or > 100_000_000) throw new ArgumentException($"{nameof(MaxEmbeddedBytes)} is {MaxEmbeddedBytes}; it must be from 0 to 100,000,000.");
    }
}
