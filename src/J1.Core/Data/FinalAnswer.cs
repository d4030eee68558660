using System.Globalization;
using System.Text.RegularExpressions;

namespace J1.Data;

/// <summary>What a written solution ends with.</summary>
public static partial class FinalAnswer
{
    /// <summary>
    /// The last of: <c>\boxed{…}</c> (braces balanced), a line <c>Answer: …</c> ("the answer is …" too), a line <c>#### …</c> (GSM8K). Null where there is none.
    /// </summary>
    public static string? Read(string solution)
    {
        ArgumentNullException.ThrowIfNull(solution);
        var (boxed, line) = (LastBoxed(solution), Line().Matches(solution).LastOrDefault());
        var answer = boxed.Text is not null && (line is null || boxed.At > line.Index) ? boxed.Text : line is null ? null : Boxed(line.Groups[1].Value) ?? line.Groups[1].Value;
        return string.IsNullOrWhiteSpace(answer) ? null : answer.Trim();
    }

    /// <summary>
    /// Whether two answers say the same: as numbers where both are numbers (1,000 = 1000.0), otherwise letter by letter, ignoring case, spaces, dollar signs, a last full stop and LaTeX's
    /// ways to write the same (<c>\text{}</c>, <c>\left</c>, <c>\dfrac</c>). Nothing is computed: 1/2 and 0.5 differ.
    /// </summary>
    public static bool AreEqual(string one, string other)
    {
        ArgumentNullException.ThrowIfNull(one);
        ArgumentNullException.ThrowIfNull(other);
        var (a, b) = (Plain(one), Plain(other));
        return Number(a) is { } x && Number(b) is { } y ? x == y : string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
    }

    private static string Plain(string answer)
    {
        var plain = Noise().Replace(Boxed(answer) ?? answer, "").Replace("dfrac", "frac", StringComparison.Ordinal).Replace("tfrac", "frac", StringComparison.Ordinal);
        plain = TextCommand().Replace(plain, "$1");
        return plain.TrimEnd('.').Trim('*');
    }

    private static decimal? Number(string plain) =>
        decimal.TryParse(plain, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string? Boxed(string text) => LastBoxed(text).Text;

    private static (string? Text, int At) LastBoxed(string text)
    {
        const string Open = "\\boxed{";
        for (var at = text.LastIndexOf(Open, StringComparison.Ordinal); at >= 0; at = at == 0 ? -1 : text.LastIndexOf(Open, at - 1, StringComparison.Ordinal))
            for (var (i, depth) = (at + Open.Length, 1); i < text.Length; i++)
                if ((depth += text[i] switch { '{' => 1, '}' => -1, _ => 0 }) == 0) return (text[(at + Open.Length)..i], at);
        return (null, -1);
    }

    [GeneratedRegex(@"(?:^[ \t*]*(?:final[ \t]+)?answer[ \t*]*:|\banswer[ \t]+is:?|^[ \t]*\#\#\#\#)[ \t]*([^\r\n]+)", RegexOptions.IgnoreCase | RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Line();

    [GeneratedRegex(@"\s|\$|\\[!,;: ]|\\left(?![a-z])|\\right(?![a-z])", RegexOptions.CultureInvariant)]
    private static partial Regex Noise();

    [GeneratedRegex(@"\\(?:text|mathrm|textbf)\{([^{}]*)\}", RegexOptions.CultureInvariant)]
    private static partial Regex TextCommand();
}
