using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed.Tokenizers;

public sealed class PreTokenizerTests
{
    [Theory]
    [InlineData("I'm DON'T, we'll", "I|'m| DON|'|T|,| we|'ll")]
    [InlineData("a  b \n c", "a| | b| \n| c")]
    [InlineData("12 345!? ", "12| 345|!?| ")]
    [InlineData("\U0001D400b \U0001D7D8\u00BD\U0001F600", "\U0001D400b| \U0001D7D8\u00BD|\U0001F600")]
    public void Gpt2_splits_words_numbers_signs_and_space(string text, string pieces) => AssertPieces(PreTokenizerKind.Gpt2, text, pieces);

    [Theory]
    [InlineData("a 12  345", "a| |1|2|  |3|4|5")]
    [InlineData("x\u0967\u2167 y", "x|\u0967|\u2167| y")]
    public void SmolLm_sets_every_digit_apart(string text, string pieces) => AssertPieces(PreTokenizerKind.SmolLm, text, pieces);

    [Theory]
    [InlineData("I'M DON'T", "I|'M| DON|'T")]
    [InlineData("1234567 8", "123|456|7| |8")]
    [InlineData("(word) !?\n\n x", "(word|)| !?\n\n| x")]
    [InlineData("a \n \n  b", "a| \n \n| | b")]
    [InlineData("\twide   \r\n", "\twide|   \r\n")]
    [InlineData("'\u017F", "'\u017F")]
    public void Llama3_takes_digits_by_threes_and_line_ends_along(string text, string pieces) => AssertPieces(PreTokenizerKind.Llama3, text, pieces);

    [Theory]
    [InlineData("1234 ab", "1|2|3|4| ab")]
    [InlineData("\u0663\U0001D7D8", "\u0663|\U0001D7D8")]
    public void Qwen2_is_llama3_with_every_digit_apart(string text, string pieces) => AssertPieces(PreTokenizerKind.Qwen2, text, pieces);

    private static void AssertPieces(PreTokenizerKind kind, string text, string pieces)
    {
        var found = new List<string>();
        for (var at = 0; at < text.Length; at += found[^1].Length)
            found.Add(text.Substring(at, PreTokenizer.Next(kind, text.AsSpan(at))));
        Assert.Equal(pieces.Split('|'), found);
    }
}
