using J1.Engines;
using J1.Judging;

namespace J1.Extensions.AI;

/// <summary>How a judge's verdict comes back.</summary>
public enum JudgeReply
{
    /// <summary>In the prompt's own tags.</summary>
    Text,

    /// <summary>As JSON by a schema, which the host must keep.</summary>
    Json,

    /// <summary>An instant verdict from the probabilities of its letter, where the host gives them (<see cref="ChatHost"/>); otherwise as text.</summary>
    LogProbs,
}

/// <summary>How a chat client is asked to judge.</summary>
public sealed record ChatClientJudgeOptions
{
    /// <summary>How replies are drawn. Default temperature 0, 2,048 tokens. A host draws as it likes: equal requests need not give equal words.</summary>
    public SamplingOptions Sampling { get; init; } = new() { Temperature = 0, MaxTokens = 2048 };

    /// <summary>Sent with each request, one more for each vote; null sends none. Default null.</summary>
    public ulong? Seed { get; init; }

    /// <summary>The model's name; null leaves it to the client. Default null.</summary>
    public string? Model { get; init; }

    /// <summary>How the verdict comes back. Default text.</summary>
    public JudgeReply Reply { get; init; } = JudgeReply.Text;

    /// <summary>What the provider's errors and log-probabilities look like. Default plain HTTP.</summary>
    public ChatHost Host { get; init; } = new();

    /// <summary>Readings an order, for <see cref="IJudge"/>; more than one needs a temperature above 0 to differ. Default 1.</summary>
    public int Votes { get; init; } = 1;

    /// <summary>Margin to probability; null takes log-odds as they are. Default null.</summary>
    public Calibration? Calibration { get; init; }

    /// <summary>Calls that are under way at once, over all who use this judge. Default 8.</summary>
    public int MaxConcurrency { get; init; } = 8;

    /// <summary>Calls for one reading until it counts as failed. Default 4. Clients that retry by themselves multiply with this.</summary>
    public int MaxCalls { get; init; } = 4;

    /// <summary>The wait before the second call where the host names none; each further one is twice as long. Default half a second.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest wait. A host that asks for more is not asked again. Default 30 seconds.</summary>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Time for one call. Default one minute.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The clock of waits and time limits. Default the system's.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <exception cref="ArgumentException">Names the option, its value and its range.</exception>
    public void Validate()
    {
        Sampling.Validate();
        if (Sampling.MinP != 0) throw new ArgumentException($"{nameof(SamplingOptions.MinP)} is {Sampling.MinP}; chat clients have no such option, leave it at 0.");
        if (Votes < 1) throw new ArgumentException($"{nameof(Votes)} is {Votes}; it must be at least 1.");
        if (MaxConcurrency < 1) throw new ArgumentException($"{nameof(MaxConcurrency)} is {MaxConcurrency}; it must be at least 1.");
        if (MaxCalls < 1) throw new ArgumentException($"{nameof(MaxCalls)} is {MaxCalls}; it must be at least 1.");
        if (RetryDelay < TimeSpan.Zero || RetryDelay > MaxRetryDelay) throw new ArgumentException($"{nameof(RetryDelay)} is {RetryDelay}; it must be from 0 to {nameof(MaxRetryDelay)} ({MaxRetryDelay}).");
        if (MaxRetryDelay.TotalMilliseconds > int.MaxValue) throw new ArgumentException($"{nameof(MaxRetryDelay)} is {MaxRetryDelay}; it must be at most 24 days.");
        if (Timeout <= TimeSpan.Zero || Timeout.TotalMilliseconds > int.MaxValue) throw new ArgumentException($"{nameof(Timeout)} is {Timeout}; it must be above 0 and at most 24 days.");
        if (!Enum.IsDefined(Reply)) throw new ArgumentException($"{nameof(Reply)} is {Reply}; say {nameof(JudgeReply.Text)}, {nameof(JudgeReply.Json)} or {nameof(JudgeReply.LogProbs)}.");
        ArgumentNullException.ThrowIfNull(Host);
        ArgumentNullException.ThrowIfNull(Clock);
    }
}
