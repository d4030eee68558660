using System.Text.Json.Nodes;
using J1.Engines;
using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed.Tokenizers;

public sealed class TokenizerWriterTests
{
    [SharedTheory("golden/hf/tokenizers"), MemberData(nameof(TokenizerFamiliesTests.Families), MemberType = typeof(TokenizerFamiliesTests))]
    public void A_family_is_written_as_the_reference_library_wrote_it(string family)
    {
        using var folder = new TemporaryFolder();
        TokenizerWriter.Save(GoldenTokens.Read(family), folder.Path);

        var original = JsonNode.Parse(File.ReadAllBytes(Path.Combine(GoldenTokens.Families, family, "tokenizer.json")));
        var written = JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder.Path, "tokenizer.json")));
        foreach (var (part, value) in original!.AsObject())
            Assert.True(JsonNode.DeepEquals(value, written![part]), part);
        Assert.Equal(original.AsObject().Count, written!.AsObject().Count);
    }

    [Fact]
    public void A_trained_tokenizer_is_read_back_the_same()
    {
        using var folder = new TemporaryFolder();
        var trained = BpeTrainer.Train(["the answer A is right: <think>so</think> the answer is A", "the answer B is right: 42"], 280, ["<think>", "</think>"]);
        TokenizerWriter.Save(trained, folder.Path);
        var read = TokenizerReader.FromFolder(folder.Path);

        Assert.Equal(trained.Description.Tokens, read.Description.Tokens);
        Assert.Equal(trained.Description.Merges, read.Description.Merges);
        Assert.Equal(trained.Description.Added, read.Description.Added);
        Assert.Equal(trained.EndTokens.Order(), read.EndTokens.Order());
        Assert.Equal(trained.Chat.Template, read.Chat.Template);
        ChatMessage[] messages = [ChatMessage.System("Judge."), ChatMessage.User("A <|im_end|> or B?")];
        Assert.Equal(trained.EncodeChat(messages, "<think>"), read.EncodeChat(messages, "<think>"));
    }

    [Fact]
    public void A_chosen_chat_format_is_written_with_the_tokenizer()
    {
        using var folder = new TemporaryFolder();
        TokenizerWriter.Save(BpeTrainer.Train(["some text"], 256), folder.Path);
        TokenizerWriter.Save(TokenizerReader.FromFolder(folder.Path, ChatFormat.ChatMl("Judge fairly.")), folder.Path);
        ChatMessage[] question = [ChatMessage.User("A or B?")];
        Assert.Contains("Judge fairly.", TokenizerReader.FromFolder(folder.Path).Chat.RenderText(question), StringComparison.Ordinal);
    }
}
