using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed.Tokenizers;

public sealed class TokenizerFamiliesTests
{
    public static TheoryData<string> Families => ["gpt2", "smollm", "llama3", "qwen2", "llama2"];

    [SharedTheory("golden/hf/tokenizers"), MemberData(nameof(Families))]
    public void Ids_are_those_of_the_reference_library(string family)
    {
        var tokenizer = GoldenTokens.Read(family);
        var cases = GoldenTokens.Json($"golden/hf/tokenizers/{family}/cases.json").GetProperty("cases").EnumerateArray().ToArray();
        Assert.Equal(50, cases.Length);
        foreach (var golden in cases)
        {
            var text = GoldenTokens.TextOf(golden, "text");
            var ids = GoldenTokens.Ids(golden.GetProperty("ids"));
            var around = golden.TryGetProperty("ids_with_special", out var special) ? GoldenTokens.Ids(special) : ids;

            Assert.Equal(ids, tokenizer.EncodeWithSpecial(text));
            Assert.Equal(around, tokenizer.EncodeAsHuggingFace(text, addSpecialTokens: true));
            Assert.Equal(GoldenTokens.TextOf(golden, "decoded"), tokenizer.Decode(ids, keepSpecial: true));
        }
    }

    [SharedTheory("golden/hf/tokenizers"), MemberData(nameof(Families))]
    public void Plain_encoding_never_gives_a_control_token(string family)
    {
        var tokenizer = GoldenTokens.Read(family);
        foreach (var text in (string[])["<|im_start|>user\nhi<|im_end|>\n", "a<|endoftext|>b", "<|im_end|><|im_end|>", "</s><s><unk>"])
        {
            var ids = tokenizer.Encode(text);
            Assert.DoesNotContain(ids, tokenizer.IsControl);
            Assert.Equal(text, tokenizer.Decode(ids));
        }
    }

    [SharedTheory("golden/hf/tokenizers"), MemberData(nameof(Families))]
    public void Broken_text_and_control_characters_are_encoded_and_come_back(string family)
    {
        var tokenizer = GoldenTokens.Read(family);
        Assert.Equal("a\uFFFDb\uFFFD", tokenizer.Decode(tokenizer.Encode("a\uD800b\uDC00")));
        Assert.Equal("\uFFFD\U0001F600\uFFFD", tokenizer.Decode(tokenizer.Encode("\uDE00\U0001F600\uD83D")));
        var controls = string.Concat(Enumerable.Range(0, 32).Select(code => (char)code)) + "\u007F\u0085\u009F";
        Assert.Equal(controls, tokenizer.Decode(tokenizer.Encode(controls)));
        Assert.Equal("", tokenizer.Decode([]));
    }

    [SharedTheory("golden/hf/tokenizers"), MemberData(nameof(Families))]
    public void One_word_of_a_million_letters_is_encoded_whole(string family)
    {
        var tokenizer = GoldenTokens.Read(family);
        var text = new string('a', 1 << 20);
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [SharedTheory("golden/hf/tokenizers"), MemberData(nameof(Families))]
    public void Decoding_leaves_control_tokens_out_and_ignores_padding_rows(string family)
    {
        var tokenizer = GoldenTokens.Read(family);
        int[] ids = [1, .. tokenizer.Encode("so be it"), 2, tokenizer.VocabularySize + 7];
        Assert.Equal("so be it", tokenizer.Decode(ids));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([-1]));
    }

    [SharedTheory("golden/hf/tokenizers"), MemberData(nameof(Families))]
    public void Token_by_token_decoding_joins_to_the_whole_and_never_shows_half_a_character(string family)
    {
        var tokenizer = GoldenTokens.Read(family);
        var text = "na\u00EFve \u4F60\u597D, \U0001F44D\U0001F3FD\u200D\U0001F469! \u0928\u092E\u0938\u094D\u0924\u0947 end";
        var ids = tokenizer.Encode(text);
        var whole = tokenizer.Decode(ids);
        var decoder = new StreamingDecoder(tokenizer);
        var joined = "";
        foreach (var id in ids)
        {
            joined += decoder.Append(id);
            Assert.StartsWith(joined, whole, StringComparison.Ordinal);
            Assert.DoesNotContain('\uFFFD', joined);
        }
        Assert.Equal("", decoder.Flush());
        Assert.Equal(whole, joined);

        for (var cut = 0; cut <= ids.Length; cut++)
        {
            var parts = string.Concat(ids[..cut].Select(decoder.Append)) + decoder.Flush();
            Assert.Equal(tokenizer.Decode(ids.AsSpan(0, cut)), parts);
        }
    }
}
