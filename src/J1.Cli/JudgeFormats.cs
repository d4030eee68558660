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
