using System.Collections.Concurrent;
using System.Text;
using System.Text.RegularExpressions;
using J1.Data;

namespace J1.Judging;

/// <summary>
/// A prompt as a text template. <c>{instruction}</c>, <c>{response_a}</c> and <c>{response_b}</c> (a pointwise prompt: <c>{instruction}</c> and <c>{response}</c>) are replaced by
/// <see cref="UntrustedText"/>; what is put in is never searched for placeholders, and lines that the template marks its own parts with (<c>[Response A]</c>) are broken in it like tags. All other text, braces included, stands for itself.
/// </summary>
public sealed partial record JudgePrompt
{
    private static readonly ConcurrentDictionary<string, JudgePrompt> Known = new(StringComparer.Ordinal);

    private readonly (string Text, bool IsPlaceholder)[] _parts;
    private readonly string[] _markers;

    private JudgePrompt(string text, (string, bool)[] parts, bool isPointwise)
    {
        (Text, _parts, IsPointwise) = (text, parts, isPointwise);
        _markers = [.. MarkerLine().Matches(text).Select(match => match.Groups[1].Value).Distinct()];
    }

    /// <summary>The template.</summary>
    public string Text { get; }

    /// <summary>Whether it shows one response alone.</summary>
    public bool IsPointwise { get; }

    /// <summary>Names of the prompts that come with the library, for <see cref="BuiltIn"/>.</summary>
    public static IReadOnlyList<string> BuiltInNames { get; } = [.. Resources().Order(StringComparer.Ordinal)];

    /// <summary>Reads a template.</summary>
    /// <exception cref="DataException">A placeholder is missing or unknown.</exception>
    public static JudgePrompt Parse(string text) => Parse(text, "The prompt");

    /// <summary>Reads a template from a UTF-8 file; a last line break is not part of it.</summary>
    /// <exception cref="DataException">There is no such file, or a placeholder is missing or unknown.</exception>
    public static JudgePrompt FromFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path)) throw new DataException($"There is no prompt file {path}. Name a text file, or one of the prompts {string.Join(", ", BuiltInNames)}.");
        return Parse(WithoutLastBreak(File.ReadAllText(path)), path);
    }

    /// <summary>A prompt that comes with the library.</summary>
    /// <exception cref="ArgumentException">No prompt has this name; the message lists them.</exception>
    public static JudgePrompt BuiltIn(string name) => Known.GetOrAdd(name, Load);

    private static JudgePrompt Load(string name)
    {
        using var stream = typeof(JudgePrompt).Assembly.GetManifestResourceStream(Folder + name)
            ?? throw new ArgumentException($"There is no prompt named '{name}'; there are {string.Join(", ", BuiltInNames)}.", nameof(name));
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return Parse(WithoutLastBreak(reader.ReadToEnd()), name);
    }

    /// <summary>The full prompt of a mode, thinking or not.</summary>
    public static JudgePrompt For(JudgeMode mode, bool thinking) => BuiltIn((mode switch
    {
        JudgeMode.Verdict => "verdict",
        JudgeMode.Scores => "scores",
        JudgeMode.ScoresAndVerdict => "scores_and_verdict",
        _ => "pointwise",
    }) + (thinking ? "" : "_instant"));

    public bool Equals(JudgePrompt? other) => other is not null && other.Text == Text;

    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    /// <summary>Fills the template for a pair.</summary>
    internal string Fill(string instruction, string first, string? second)
    {
        var filled = new StringBuilder(Text.Length + instruction.Length + first.Length + (second?.Length ?? 0));
        foreach (var (text, isPlaceholder) in _parts)
            filled.Append(!isPlaceholder ? text : Safe(text switch { "instruction" => instruction, "response_b" => second ?? "", _ => first }));
        return filled.ToString();
    }

    private string Safe(string text)
    {
        text = UntrustedText.Neutralise(text);
        foreach (var marker in _markers)
            text = text.Replace(marker, marker.Insert(1, " "), StringComparison.OrdinalIgnoreCase);
        return text;
    }

    private static JudgePrompt Parse(string text, string name)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = text.ReplaceLineEndings("\n");
        var parts = new List<(string, bool)>();
        var at = 0;
        foreach (Match match in Placeholder().Matches(text))
        {
            if (match.Index > at) parts.Add((text[at..match.Index], false));
            parts.Add((match.Groups[1].Value, true));
            at = match.Index + match.Length;
        }
        if (at < text.Length) parts.Add((text[at..], false));

        var found = parts.Where(part => part.Item2).Select(part => part.Item1).ToHashSet(StringComparer.Ordinal);
        var isPointwise = found.Contains("response");
        string[] wanted = isPointwise ? ["instruction", "response"] : ["instruction", "response_a", "response_b"];
        if (found.Except(wanted).FirstOrDefault() is { } unknown)
            throw new DataException($"{name} has the placeholder {{{unknown}}}; a prompt for pairs knows {{instruction}}, {{response_a}} and {{response_b}}, a pointwise one {{instruction}} and {{response}}.");
        if (wanted.FirstOrDefault(one => !found.Contains(one)) is { } missing)
            throw new DataException($"{name} lacks the placeholder {{{missing}}}; a prompt for pairs needs {{instruction}}, {{response_a}} and {{response_b}}, a pointwise one {{instruction}} and {{response}}.");
        return new JudgePrompt(text, [.. parts], isPointwise);
    }

    private const string Folder = "J1.Judging.Prompts.";

    private static IEnumerable<string> Resources() =>
        typeof(JudgePrompt).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)).Select(name => name[Folder.Length..]);

    private static string WithoutLastBreak(string text) => text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;

    [GeneratedRegex(@"\{([a-z_]+)\}")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"^(\[[^\[\]\n]{3,60}\])$", RegexOptions.Multiline)]
    private static partial Regex MarkerLine();
}
