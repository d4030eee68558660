using System.Text;
using System.Text.RegularExpressions;

namespace J1.Judging;

/// <summary>
/// Makes instructions and answers safe to show to a judge: what looks like the protocol's tags (<c>&lt;think&gt;</c>, <c>&lt;answer&gt;</c>, <c>[[A]]</c>, <c>&lt;score_A&gt;</c> ...) or like a
/// chat format's control tokens (<c>&lt;|im_end|&gt;</c>, <c>[INST]</c>, <c>&lt;/s&gt;</c> ...) gets one space after its first character. A reader sees what was written; no parser or template takes it for its own.
/// Half surrogate pairs become U+FFFD. All else is left alone.
/// </summary>
public static partial class UntrustedText
{
    /// <summary>The text with such marks broken; the same string where there are none.</summary>
    public static string Neutralise(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Marks().Replace(WithoutLoneSurrogates(text), static mark => mark.Value + " ");
    }

    private static string WithoutLoneSurrogates(string text)
    {
        StringBuilder? repaired = null;
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1])) i++;
            else (repaired ??= new StringBuilder(text))[i] = '\uFFFD';
        }
        return repaired?.ToString() ?? text;
    }

    // The first character of a mark; what follows is only looked at.
    [GeneratedRegex("""
        <(?=
            /?(?:think|answer|score(?:_[ab])?)\s*>
          | [|｜][^|｜<>\r\n]{0,64}[|｜]>
          | /?s> | /?(?:start|end)_of_turn> | /?<SYS>>
        )
        | \[(?= \[\s*[AB]\s*\] | /?INST\] )
        """, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Marks();
}
