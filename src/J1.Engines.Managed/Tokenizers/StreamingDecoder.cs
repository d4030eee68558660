using System.Text;

namespace J1.Engines.Managed.Tokenizers;

/// <summary>Decodes tokens as they come: a character appears once its last byte is there, and the pieces joined equal the whole decoded at once.</summary>
public sealed class StreamingDecoder(BpeTokenizer tokenizer, bool keepSpecial = false)
{
    private readonly Decoder _utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: false).GetDecoder();
    private bool _atStart = true;

    /// <summary>The text that is complete with this token; often empty in the middle of a character.</summary>
    public string Append(int token)
    {
        var bytes = tokenizer.IsControl(token) && !keepSpecial ? [] : tokenizer.BytesOf(token);
        if (_atStart && !bytes.IsEmpty)
        {
            _atStart = false;
            if (tokenizer.StripsLeadingSpace && bytes[0] == ' ')
                bytes = bytes[1..];
        }
        return Convert(bytes, flush: false);
    }

    /// <summary>What is left at the end: U+FFFD where the last character never became complete. The decoder is then as new.</summary>
    public string Flush()
    {
        var rest = Convert([], flush: true);
        _atStart = true;
        return rest;
    }

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        var count = _utf8.GetCharCount(bytes, flush);
        var text = new char[count];
        _utf8.GetChars(bytes, text, flush);
        return new string(text);
    }
}
