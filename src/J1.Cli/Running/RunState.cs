using System.Text.Json;
using J1.Data;
using J1.Evaluation;

namespace J1.Cli.Running;

/// <summary>How far a run has come: all that a resumed run needs besides the engine's own checkpoint.</summary>
internal sealed record RunState
{
    public const string FileName = "state.json";

    /// <summary>Of the configuration that made it.</summary>
    public required string ConfigHash { get; init; }

    /// <summary>Checkpoints written so far; names them in order.</summary>
    public int Checkpoints { get; init; }

    public int WarmStartSteps { get; init; }

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

    /// <summary>Fitted to the judgements of <see cref="After"/>.</summary>
    public double? CalibrationScale { get; init; }

    public double WarmStartSeconds { get; init; }

    public double GrpoSeconds { get; init; }

    public double EvaluationSeconds { get; init; }

    public long GeneratedTokens { get; init; }

    /// <summary>Bytes of each log at this point; what a killed run wrote after it is cut off on resuming.</summary>
    public IReadOnlyDictionary<string, long> LogLengths { get; init; } = new Dictionary<string, long>();

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
