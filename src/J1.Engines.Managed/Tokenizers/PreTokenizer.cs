using System.Globalization;
using System.Text;

namespace J1.Engines.Managed.Tokenizers;

/// <summary>How text is cut into pieces before byte-pair encoding; no merge crosses a cut.</summary>
internal enum PreTokenizerKind
{
    /// <summary>Not at all: the text is one piece (Llama 2).</summary>
    None,

    /// <summary>GPT-2's pattern.</summary>
    Gpt2,

    /// <summary>Every digit apart, then GPT-2's pattern (SmolLM).</summary>
    SmolLm,

    /// <summary>Llama 3's pattern: digits by threes, line ends kept with what precedes them.</summary>
    Llama3,

    /// <summary>Qwen2's and Qwen3's pattern: Llama 3's with every digit apart.</summary>
    Qwen2,
}

/// <summary>
/// The published pre-tokenizer patterns as hand-written scanners. They work on code points, which .NET's regular expressions do not
/// (there <c>\p{L}</c> matches no letter beyond the basic plane), and in one pass without backtracking. Text must hold no lone surrogate.
/// </summary>
internal static class PreTokenizer
{
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    public const string Llama3Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    public const string Qwen2Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const byte Other = 0, Letter = 1, Number = 2, Space = 3;

    private static readonly byte[] s_basicPlane = ClassifyBasicPlane();

    /// <summary>Length of the piece that <paramref name="text"/>, which is not empty, begins with.</summary>
    public static int Next(PreTokenizerKind kind, ReadOnlySpan<char> text) => kind switch
    {
        PreTokenizerKind.Gpt2 => NextOfGpt2(text, digitsApart: false),
        PreTokenizerKind.SmolLm => NextOfGpt2(text, digitsApart: true),
        PreTokenizerKind.Llama3 => NextOfLlama3(text, digits: 3),
        PreTokenizerKind.Qwen2 => NextOfLlama3(text, digits: 1),
        _ => text.Length,
    };

    private static int NextOfGpt2(ReadOnlySpan<char> text, bool digitsApart)
    {
        var contraction = Contraction(text, ignoreCase: false);
        if (contraction > 0)
            return contraction;

        var start = text[0] == ' ' ? 1 : 0;
        if (start < text.Length)
        {
            var first = ClassAt(text, start, out var length);
            if (first == Number && digitsApart)
                return start == 0 ? length : 1;
            if (first != Space)
                return RunEnd(text, start, first);
        }
        return NextOfSpace(text, RunEnd(text, 0, Space), digitsApart);
    }

    private static int NextOfLlama3(ReadOnlySpan<char> text, int digits)
    {
        var contraction = Contraction(text, ignoreCase: true);
        if (contraction > 0)
            return contraction;

        var first = ClassAt(text, 0, out var length);
        if (first == Letter)
            return RunEnd(text, 0, Letter);
        if (first == Number)
            return RunEnd(text, 0, Number, digits);
        if (text[0] is not ('\r' or '\n') && length < text.Length && ClassAt(text, length, out _) == Letter)
            return RunEnd(text, length, Letter);

        var start = text[0] == ' ' ? 1 : 0;
        if (start < text.Length && ClassAt(text, start, out _) == Other)
        {
            var end = RunEnd(text, start, Other);
            while (end < text.Length && text[end] is '\r' or '\n')
                end++;
            return end;
        }

        var run = RunEnd(text, 0, Space);
        var lineEnd = text[..run].LastIndexOfAny('\r', '\n');
        return lineEnd >= 0 ? lineEnd + 1 : NextOfSpace(text, run, digitsApart: false);
    }

    /// <summary><c>\s+(?!\S)|\s+</c>: the white space up to <paramref name="run"/>, without its last character where something follows that may take it along.</summary>
    private static int NextOfSpace(ReadOnlySpan<char> text, int run, bool digitsApart)
    {
        var nothingFollows = run == text.Length || (digitsApart && ClassAt(text, run, out _) == Number);
        return nothingFollows || run == 1 ? run : run - 1;
    }

    /// <summary>Length of an English contraction's ending (<c>'s</c>, <c>'re</c>, ...) at the front, or 0.</summary>
    private static int Contraction(ReadOnlySpan<char> text, bool ignoreCase)
    {
        if (text[0] != '\'' || text.Length < 2)
            return 0;
        var first = Lower(text[1], ignoreCase);
        if (first is 's' or 't' or 'm' or 'd')
            return 2;
        if (text.Length < 3)
            return 0;
        var second = Lower(text[2], ignoreCase);
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    private static char Lower(char c, bool ignoreCase)
    {
        if (!ignoreCase)
            return c;
        return c == '\u017F' ? 's' : char.ToLowerInvariant(c); // the long s is an s to a pattern that ignores case
    }

    /// <summary>End of the run of one class that goes on from <paramref name="start"/>, at most <paramref name="most"/> code points long.</summary>
    private static int RunEnd(ReadOnlySpan<char> text, int start, byte wanted, int most = int.MaxValue)
    {
        var end = start;
        for (var taken = 0; end < text.Length && taken < most && ClassAt(text, end, out var length) == wanted; taken++)
            end += length;
        return end;
    }

    private static byte ClassAt(ReadOnlySpan<char> text, int at, out int length)
    {
        var c = text[at];
        if (!char.IsHighSurrogate(c) || at + 1 == text.Length)
        {
            length = 1;
            return s_basicPlane[c];
        }
        length = 2;
        return ClassOf(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(c, text[at + 1])));
    }

    private static byte[] ClassifyBasicPlane()
    {
        var classes = new byte[0x10000];
        for (var c = 0; c < classes.Length; c++)
            classes[c] = char.IsWhiteSpace((char)c) ? Space : ClassOf(CharUnicodeInfo.GetUnicodeCategory((char)c));
        return classes;
    }

    private static byte ClassOf(UnicodeCategory category) => category switch
    {
        <= UnicodeCategory.OtherLetter => Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
        _ => Other,
    };

    /// <summary>The text with every lone surrogate replaced by U+FFFD.</summary>
    public static string WithoutLoneSurrogates(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
                i++;
            else
                return Repair(text);
        }
        return text;
    }

    private static string Repair(string text)
    {
        var repaired = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            repaired.Append(rune);
        return repaired.ToString();
    }
}
