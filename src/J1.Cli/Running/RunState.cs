using System.Text.Json;
using J1.Cli.Configuration;
using J1.Data;
using J1.Evaluation;

namespace J1.Cli.Running;

/// <summary>How far a run has come: all that a resumed run needs besides the engine's own checkpoint.</summary>
internal sealed record RunState
{
    public const string FileName = "state.json";

    /// <summary>What the steps of the warm start were taken with (<see cref="StageInputs"/>); null before the first.</summary>
    public string? WarmStartInputs { get; init; }

    /// <summary>The same for GRPO.</summary>
    public string? GrpoInputs { get; init; }

    /// <summary>What <see cref="Untrained"/> and <see cref="Before"/> were measured with.</summary>
    public string? MeasureInputs { get; init; }

    /// <summary>What <see cref="After"/> was measured with.</summary>
    public string? EvaluateInputs { get; init; }

    /// <summary>What <see cref="Calibrated"/> was fitted with.</summary>
    public string? CalibrateInputs { get; init; }

    /// <summary>Checkpoints written so far; names them in order.</summary>
    public int Checkpoints { get; init; }

    public int WarmStartSteps { get; init; }

    /// <summary>Whether the warm start has come to its end.</summary>
    public bool WarmStarted { get; init; }

    public int GrpoSteps { get; init; }

    /// <summary>The step of GRPO after which the test pairs were last judged on the way.</summary>
    public int MeasuredAt { get; init; }

    /// <summary>Loss of the first and of the latest step of the warm start.</summary>
    public double? FirstLoss { get; init; }

    public double? LastLoss { get; init; }

    /// <summary>Measured before anything was trained; null without a warm start, where it is <see cref="Before"/>.</summary>
    public EvaluationSummary? Untrained { get; init; }

    /// <summary>Measured before the first step of GRPO.</summary>
    public EvaluationSummary? Before { get; init; }

    /// <summary>Measured at the end.</summary>
    public EvaluationSummary? After { get; init; }

    /// <summary>Of a multitask judge, measured at the end with each response scored alone.</summary>
    public EvaluationSummary? AfterPointwise { get; init; }

    /// <summary>Fitted at the end to training pairs that were held out for it.</summary>
    public CalibrationResult? Calibrated { get; init; }

    public double WarmStartSeconds { get; init; }

    public double GrpoSeconds { get; init; }

    public double EvaluationSeconds { get; init; }

    public long GeneratedTokens { get; init; }

    /// <summary>Bytes of each log at this point; what a killed run wrote after it is cut off on resuming.</summary>
    public IReadOnlyDictionary<string, long> LogLengths { get; init; } = new Dictionary<string, long>();

    /// <summary>Whether steps were taken with other settings or data than those of <paramref name="now"/>.</summary>
    public bool IsTrainedOtherwise(StageInputs now) => (WarmStartSteps > 0 && WarmStartInputs != now.WarmStart) || (GrpoSteps > 0 && GrpoInputs != now.Grpo);

    /// <summary>What of it still holds: measurements that would be made otherwise now are forgotten.</summary>
    public RunState Under(StageInputs now)
    {
        var state = this;
        if (MeasureInputs != now.Measure) state = state with { Untrained = null, Before = null };
        if (EvaluateInputs != now.Evaluate) state = state with { After = null, AfterPointwise = null };
        if (CalibrateInputs != now.Calibrate) state = state with { Calibrated = null };
        return state;
    }

    public static RunState Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            return JsonSerializer.Deserialize<RunState>(File.ReadAllText(path), Json.Line)!;
        }
        catch (JsonException error)
        {
            throw new DataException($"'{path}' cannot be read: {error.Message} Delete '{folder}' to go on from the checkpoint before it.", error);
        }
    }
}

/// <summary>What a calibration came to.</summary>
/// <param name="Scale">Turns margins into probabilities; null where no held-out judgement had a margin.</param>
/// <param name="Pairs">Held-out pairs it was fitted to.</param>
/// <param name="Brier">On the test pairs, with it; null without probabilities.</param>
/// <param name="CalibrationError">On the test pairs, with it.</param>
internal sealed record CalibrationResult(double? Scale, int Pairs, double? Brier, double? CalibrationError);
