using System.Globalization;
using System.Text;

namespace J1.Cli.Reporting;

/// <summary>Text on its way into HTML.</summary>
internal static class Html
{
    /// <summary>As text or as an attribute's value: nothing in it is markup. Control characters and half surrogate pairs become U+FFFD.</summary>
    public static string Escape(string? text)
    {
        var safe = new StringBuilder(text?.Length ?? 0);
        for (var i = 0; i < (text?.Length ?? 0); i++)
        {
            var c = text![i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) safe.Append(c).Append(text[++i]);
            else
                _ = c switch
                {
                    '&' => safe.Append("&amp;"),
                    '<' => safe.Append("&lt;"),
                    '>' => safe.Append("&gt;"),
                    '"' => safe.Append("&quot;"),
                    '\'' => safe.Append("&#39;"),
                    '\n' or '\t' => safe.Append(c),
                    '\r' => safe,
                    // What turns text round could show a verdict that is not there.
                    _ when char.IsSurrogate(c) || char.IsControl(c) || c is '\u202A' or '\u202B' or '\u202D' or '\u202E' or '\u2066' or '\u2067' or '\u2068' => safe.Append('\uFFFD'),
                    _ => safe.Append(c),
                };
        }
        return safe.ToString();
    }

    /// <summary>A share as a percentage without decimals under 1,000 of them would not carry.</summary>
    public static string Share(double? share) => share is { } value && double.IsFinite(value) ? (100 * value).ToString("0.0", CultureInfo.InvariantCulture) + "\u202F%" : "–";

    public static string Number(double? value, string format = "0.000") => value is { } number && double.IsFinite(number) ? number.ToString(format, CultureInfo.InvariantCulture) : "–";
}
