using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed.Tokenizers;

public sealed class UnicodeCompositionTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("e\u0301", "\u00E9")]
    [InlineData("a\u0301\u0323", "\u1EA1\u0301")] // marks are ordered by class before they are composed
    [InlineData("a\u0323\u0302", "\u1EAD")] // two marks into one letter
    [InlineData("a\u0302\u0301\u0301", "\u1EA5\u0301")]
    [InlineData("q\u0307", "q\u0307")] // no composed form exists
    [InlineData("\u212B\u2126", "\u00C5\u03A9")] // singletons are replaced for good
    [InlineData("\u1112\u1161\u11AB\uAE00", "\uD55C\uAE00")] // Hangul, by arithmetic
    [InlineData("\uAC00\u11A8", "\uAC01")]
    [InlineData("\u0915\u093C", "\u0915\u093C")] // excluded from composition
    [InlineData("\u0958", "\u0915\u093C")]
    [InlineData("\uF900\U0002F800", "\u8C48\u4E3D")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165")]
    [InlineData("\U00011099\U000110BA", "\U0001109A")] // beyond the basic plane
    [InlineData("\u0344", "\u0308\u0301")]
    [InlineData("\u0301e", "\u0301e")] // a mark without a letter stays
    public void Text_is_brought_into_the_composed_form(string text, string composed)
    {
        Assert.Equal(composed, UnicodeComposition.Compose(text));
        Assert.Equal(composed, UnicodeComposition.Compose(composed));
    }
}
