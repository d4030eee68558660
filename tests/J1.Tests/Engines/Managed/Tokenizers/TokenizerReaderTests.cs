using System.Text.Json.Nodes;
using J1.Engines;
using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed.Tokenizers;

public sealed class TokenizerReaderTests
{
    [Theory]
    [InlineData("normalizer", """{"type":"Lowercase"}""", "Lowercase")]
    [InlineData("pre_tokenizer", """{"type":"BertPreTokenizer"}""", "BertPreTokenizer")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}""", "Split")]
    [InlineData("pre_tokenizer", """{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}""", "add_prefix_space")]
    [InlineData("pre_tokenizer", "null", "none")]
    [InlineData("post_processor", """{"type":"RobertaProcessing"}""", "RobertaProcessing")]
    [InlineData("decoder", """{"type":"WordPiece"}""", "WordPiece")]
    [InlineData("model", """{"type":"Unigram","vocab":[]}""", "Unigram")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":[["a","b"]]}""", "'b'")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":["ab"]}""", "'ab'")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":[],"end_of_word_suffix":"</w>"}""", "</w>")]
    public void What_is_not_computed_is_refused_by_name(string part, string value, string named)
    {
        using var folder = new TemporaryFolder();
        TokenizerWriter.Save(BpeTrainer.Train(["text"], 256), folder.Path);
        var path = Path.Combine(folder.Path, "tokenizer.json");
        var json = JsonNode.Parse(File.ReadAllText(path))!;
        json[part] = JsonNode.Parse(value);
        File.WriteAllText(path, json.ToJsonString());

        var error = Assert.Throws<InvalidDataException>(() => TokenizerReader.FromFolder(folder.Path));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_a_tokenizer_and_a_broken_file_say_so()
    {
        using var folder = new TemporaryFolder();
        Assert.False(TokenizerReader.HasTokenizer(folder.Path));
        Assert.Throws<FileNotFoundException>(() => TokenizerReader.FromFolder(folder.Path));
        folder.Write("tokenizer.json", "{ \"model\": ");
        Assert.True(TokenizerReader.HasTokenizer(folder.Path));
        Assert.Contains("not valid JSON", Assert.Throws<InvalidDataException>(() => TokenizerReader.FromFolder(folder.Path)).Message, StringComparison.Ordinal);
        folder.Write("tokenizer.json", "{}");
        Assert.Contains("'model' is missing", Assert.Throws<InvalidDataException>(() => TokenizerReader.FromFolder(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void End_tokens_and_template_come_from_the_files_beside()
    {
        using var folder = new TemporaryFolder();
        TokenizerWriter.Save(BpeTrainer.Train(["text"], 256), folder.Path);
        folder.Write("generation_config.json", """{"eos_token_id":[7,2]}""");
        folder.Write("config.json", """{"eos_token_id":9}""");
        folder.Write("tokenizer_config.json", """{"eos_token":{"content":"<|endoftext|>"},"chat_template":[{"name":"tools","template":"[INST]"},{"name":"default","template":"<|im_start|><|im_end|>"}]}""");
        var tokenizer = TokenizerReader.FromFolder(folder.Path);
        Assert.Equal([7, 2, 9, 0], tokenizer.EndTokens);
        Assert.Equal("ChatML", tokenizer.Chat.Name);

        folder.Write("chat_template.jinja", "[INST] {{ content }} [/INST]");
        Assert.Equal("unknown", TokenizerReader.FromFolder(folder.Path).Chat.Name);
        Assert.Equal("plain", TokenizerReader.FromFolder(folder.Path, ChatFormat.Plain).Chat.Name);
    }

    [Fact]
    public void Added_words_are_found_in_any_text_and_control_tokens_only_where_asked()
    {
        using var folder = new TemporaryFolder();
        TokenizerWriter.Save(BpeTrainer.Train(["text"], 260, ["[[A]]", "[[", "<mask>"]), folder.Path);
        var path = Path.Combine(folder.Path, "tokenizer.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace(
            "\"content\": \"<mask>\",\n      \"single_word\": false,\n      \"lstrip\": false", "\"content\": \"<mask>\",\n      \"single_word\": false,\n      \"lstrip\": true", StringComparison.Ordinal));
        var tokenizer = TokenizerReader.FromFolder(folder.Path);
        var space = tokenizer.Encode(" ")[0];
        Assert.Equal([3, space, 4], tokenizer.Encode("[[A]] [["));
        Assert.Equal([3, 5], tokenizer.Encode("[[A]]  <mask>"));
        Assert.Equal([3, 2], tokenizer.EncodeWithSpecial("[[A]]<|im_end|>"));
        Assert.Equal("[[A]]<|im_end|>", tokenizer.Decode(tokenizer.Encode("[[A]]<|im_end|>")));
        Assert.DoesNotContain(2, tokenizer.Encode("[[A]]<|im_end|>"));
    }

    [Fact]
    public void Gguf_metadata_may_use_any_numeric_type()
    {
        var tokenizer = TokenizerReader.FromGguf(new Dictionary<string, object>
        {
            ["tokenizer.ggml.model"] = "gpt2",
            ["tokenizer.ggml.pre"] = "smollm",
            ["tokenizer.ggml.tokens"] = new object[] { "a", "b", "ab", "<end>", "<word>" },
            ["tokenizer.ggml.token_type"] = new uint[] { 1, 1, 1, 3, 4 },
            ["tokenizer.ggml.merges"] = new[] { "a b" },
            ["tokenizer.ggml.bos_token_id"] = 3UL,
            ["tokenizer.ggml.eos_token_id"] = 3u,
            ["tokenizer.ggml.padding_token_id"] = -1L,
            ["tokenizer.ggml.add_bos_token"] = true,
        });
        Assert.Equal([2, 0, 4], tokenizer.Encode("aba<word>"));
        Assert.Equal([3, 2, 3], tokenizer.EncodeAsHuggingFace("ab<end>"));
        Assert.Equal([3], tokenizer.EndTokens);
        Assert.Equal("plain", tokenizer.Chat.Name);
        Assert.Equal(3, tokenizer.EncodeChat([ChatMessage.User("ab")])[0]);
        Assert.Equal("ab<word>", tokenizer.Decode([3, 2, 4]));
    }

    [Fact]
    public void A_sentencepiece_vocabulary_without_merges_joins_by_score()
    {
        var bytes = Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>").ToArray();
        string[] tokens = ["<unk>", "<s>", "</s>", .. bytes, "▁a", "bc", "▁ab", "▁", "a", "b", "c"];
        var tokenizer = TokenizerReader.FromGguf(new Dictionary<string, object>
        {
            ["tokenizer.ggml.model"] = "llama",
            ["tokenizer.ggml.tokens"] = tokens,
            ["tokenizer.ggml.scores"] = tokens.Select((_, id) => (float)-id).ToArray(),
            ["tokenizer.ggml.token_type"] = tokens.Select((_, id) => id == 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1).ToArray(),
            ["tokenizer.ggml.bos_token_id"] = 1,
            ["tokenizer.ggml.eos_token_id"] = 2,
            ["tokenizer.ggml.unknown_token_id"] = 0,
        });
        string[] Names(string text) => [.. tokenizer.EncodeAsHuggingFace(text).Select(id => tokens[id])];
        Assert.Equal(["<s>", "▁a", "bc"], Names("abc"));
        Assert.Equal(["<s>", "▁ab", "▁ab"], Names("ab ab"));
        Assert.Equal(["<s>", "▁", "<0xC3>", "<0xA9>"], Names("é"));
        Assert.Equal("abc é", tokenizer.Decode(tokenizer.EncodeAsHuggingFace("abc é")));
    }

    [Theory]
    [InlineData("model", "bert", "'bert'")]
    [InlineData("pre", "tekken", "'tekken'")]
    public void A_gguf_tokenizer_that_is_not_computed_is_refused_by_name(string key, string value, string named)
    {
        var metadata = new Dictionary<string, object>
        {
            ["tokenizer.ggml.model"] = "gpt2",
            ["tokenizer.ggml.pre"] = "smollm",
            ["tokenizer.ggml.tokens"] = new[] { "a" },
            ["tokenizer.ggml.merges"] = Array.Empty<string>(),
        };
        Assert.Equal(1, TokenizerReader.FromGguf(metadata).VocabularySize);
        metadata["tokenizer.ggml." + key] = value;
        Assert.Contains(named, Assert.Throws<InvalidDataException>(() => TokenizerReader.FromGguf(metadata)).Message, StringComparison.Ordinal);
        metadata.Remove("tokenizer.ggml." + key);
        Assert.Contains("tokenizer.ggml." + key, Assert.Throws<InvalidDataException>(() => TokenizerReader.FromGguf(metadata)).Message, StringComparison.Ordinal);
    }
}
