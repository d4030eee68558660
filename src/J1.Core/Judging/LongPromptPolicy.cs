namespace J1.Judging;

/// <summary>What becomes of a pair whose prompt does not fit the context.</summary>
public enum LongPromptPolicy
{
    /// <summary>Stop, naming pair, length and limit.</summary>
    Refuse,

    /// <summary>Go on without it: judged as Invalid (<see cref="InvalidReason.TooLong"/>), left out of training, and counted.</summary>
    Drop,
}
