using System.Text.Json;
using J1.Data;
using J1.Judging;

namespace J1.Cli;

/// <summary>Formats from names and files.</summary>
internal static class JudgeFormats
{
    /// <param name="mode">What is asked for.</param>
    /// <param name="thinking">With a thought first.</param>
    /// <param name="prompt">A built-in prompt's name, or a file; null for the mode's own.</param>
    public static JudgeFormat Of(JudgeMode mode, bool thinking, string? prompt)
    {
        var text = prompt is null ? JudgePrompt.For(mode, thinking) : JudgePrompt.BuiltInNames.Contains(prompt) ? JudgePrompt.BuiltIn(prompt) : JudgePrompt.FromFile(prompt);
        if (text.IsPointwise != (mode == JudgeMode.Pointwise))
            throw new DataException($"The prompt '{prompt}' shows {(text.IsPointwise ? "one response" : "two responses")}, which does not fit the mode {Configuration.Names.Snake(mode.ToString())}.");
        return new JudgeFormat { Mode = mode, Thinking = thinking, Prompt = text };
    }
}

/// <summary>How a trained model judges: <c>j1_judge.json</c> beside its weights, written by a run and read by <c>j1 judge</c>.</summary>
internal sealed record JudgeFile
{
    public const string Name = "j1_judge.json";

    public JudgeMode Mode { get; init; }

    public bool Thinking { get; init; }

    /// <summary>The prompt's whole text.</summary>
    public required string Prompt { get; init; }

    public int MaxCompletionTokens { get; init; } = 256;

    /// <summary>Turns margins into probabilities; null where nothing was there to fit it on.</summary>
    public double? CalibrationScale { get; init; }

    /// <summary>The base model of an adapter as the run's configuration named it; null for a model of its own.</summary>
    public string? BaseModel { get; init; }

    public JudgeFormat Format => new() { Mode = Mode, Thinking = Thinking, Prompt = JudgePrompt.Parse(Prompt) };

    public void Write(string folder) => Files.WriteAtomically(Path.Combine(folder, Name), JsonSerializer.Serialize(this, Json.Indented) + "\n");

    /// <summary>The file of the first folder that has one, or null.</summary>
    /// <exception cref="DataException">It cannot be read.</exception>
    public static JudgeFile? Find(params IEnumerable<string?> folders)
    {
        foreach (var folder in folders)
        {
            if (folder is null || Path.Combine(folder, Name) is var path && !File.Exists(path)) continue;
            try
            {
                return JsonSerializer.Deserialize<JudgeFile>(File.ReadAllText(path), Json.Line);
            }
            catch (JsonException error)
            {
                throw new DataException($"'{path}' cannot be read: {error.Message} Delete it, and say --mode and --prompt instead.", error);
            }
        }
        return null;
    }
}
