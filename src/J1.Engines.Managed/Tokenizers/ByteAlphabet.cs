namespace J1.Engines.Managed.Tokenizers;

/// <summary>
/// GPT-2's way of writing bytes as visible characters: printable Latin-1 stands for itself, the other 68 bytes, in order, for U+0100 and up
/// (a space is <c>Ġ</c>, a line feed <c>Ċ</c>). Byte-level vocabularies are written in it.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] s_characters = MakeCharacters();
    private static readonly short[] s_bytes = MakeBytes();

    public static char CharacterOf(byte value) => s_characters[value];

    /// <summary>The byte a character stands for, or -1.</summary>
    public static int ByteOf(char character) => character < s_bytes.Length ? s_bytes[character] : -1;

    /// <summary>The bytes a token's text stands for, or null where a character is outside the alphabet.</summary>
    public static byte[]? BytesOf(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            var value = ByteOf(token[i]);
            if (value < 0)
                return null;
            bytes[i] = (byte)value;
        }
        return bytes;
    }

    private static char[] MakeCharacters()
    {
        var characters = new char[256];
        var extra = '\u0100';
        for (var value = 0; value < 256; value++)
            characters[value] = value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)value : extra++;
        return characters;
    }

    private static short[] MakeBytes()
    {
        var bytes = new short[0x144];
        Array.Fill(bytes, (short)-1);
        for (var value = 0; value < 256; value++)
            bytes[s_characters[value]] = (short)value;
        return bytes;
    }
}
