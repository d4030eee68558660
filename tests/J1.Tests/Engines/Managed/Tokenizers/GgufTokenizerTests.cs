using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using J1.Engines;
using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed.Tokenizers;

public sealed class GgufTokenizerTests
{
    private const string SmolModel = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

    private static readonly Lazy<BpeTokenizer> s_smol = new(() => TokenizerReader.FromGguf(GgufMetadataOnly.Read(Shared.PathTo(SmolModel))));

    private static JsonElement Golden => GoldenTokens.Json("golden/hf/smollm2.json");

    [SharedTheory("golden/gguf"), InlineData("qwen2-tied"), InlineData("qwen3-untied")]
    public void A_file_of_the_qwen_family_brings_its_tokenizer(string name)
    {
        var tokenizer = TokenizerReader.FromGguf(GgufMetadataOnly.Read(Shared.PathTo($"golden/gguf/{name}.gguf")));
        foreach (var golden in GoldenTokens.Json($"golden/gguf/{name}.json").GetProperty("cases").EnumerateArray())
        {
            var text = GoldenTokens.TextOf(golden, "text");
            Assert.Equal(GoldenTokens.Ids(golden.GetProperty("ids")), tokenizer.EncodeWithSpecial(text));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
        Assert.Equal(320, tokenizer.VocabularySize);
        Assert.Equal([2], tokenizer.EndTokens);
        Assert.Equal("ChatML", tokenizer.Chat.Name);
    }

    [SharedFact(SmolModel)]
    public void SmolLM2_encodes_as_the_reference_library()
    {
        var tokenizer = s_smol.Value;
        var cases = Golden.GetProperty("tokenizer").GetProperty("cases").EnumerateArray().ToArray();
        Assert.Equal(50, cases.Length);
        foreach (var golden in cases)
        {
            var ids = GoldenTokens.Ids(golden.GetProperty("ids"));
            Assert.Equal(ids, tokenizer.EncodeWithSpecial(GoldenTokens.TextOf(golden, "text")));
            Assert.Equal(ids, tokenizer.EncodeAsHuggingFace(GoldenTokens.TextOf(golden, "text")));
            Assert.Equal(GoldenTokens.TextOf(golden, "decoded"), tokenizer.Decode(ids, keepSpecial: true));
        }
        Assert.Equal([2], tokenizer.EndTokens);
    }

    [SharedFact(SmolModel)]
    public void SmolLM2_encodes_whole_files_as_the_reference_library()
    {
        var tokenizer = s_smol.Value;
        foreach (var golden in Golden.GetProperty("tokenizer").GetProperty("bulk").EnumerateArray())
        {
            var field = GoldenTokens.TextOf(golden, "field");
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var (texts, tokens) = (0, 0);
            foreach (var line in File.ReadLines(Shared.PathTo(GoldenTokens.TextOf(golden, "file"))))
            {
                using var entry = JsonDocument.Parse(line);
                var ids = tokenizer.EncodeWithSpecial(GoldenTokens.TextOf(entry.RootElement, field));
                var bytes = new byte[4 * (ids.Length + 1)];
                BinaryPrimitives.WriteInt32LittleEndian(bytes, ids.Length);
                for (var i = 0; i < ids.Length; i++)
                    BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4 * (i + 1)), ids[i]);
                hash.AppendData(bytes);
                texts++;
                tokens += ids.Length;
            }
            Assert.Equal(golden.GetProperty("texts").GetInt32(), texts);
            Assert.Equal(golden.GetProperty("tokens").GetInt32(), tokens);
            Assert.Equal(GoldenTokens.TextOf(golden, "sha256"), Convert.ToHexStringLower(hash.GetHashAndReset()));
        }
    }

    [SharedFact(SmolModel)]
    public void SmolLM2_writes_conversations_as_its_own_template()
    {
        var tokenizer = s_smol.Value;
        var conversations = Golden.GetProperty("chat").EnumerateArray().ToArray();
        Assert.Equal(12, conversations.Length);
        foreach (var golden in conversations)
        {
            var messages = GoldenTokens.Messages(golden);
            var text = GoldenTokens.TextOf(golden, "text");
            var prompts = golden.GetProperty("add_generation_prompt").GetBoolean();
            Assert.Equal(text, tokenizer.Chat.RenderText(messages, prompts));
            if (prompts)
                Assert.Equal(text, tokenizer.Decode(tokenizer.EncodeChat(messages), keepSpecial: true));
        }
    }

    [SharedFact(SmolModel)]
    public void SmolLM2_encodes_prompts_as_the_reference_generations_began()
    {
        foreach (var golden in Golden.GetProperty("generate").EnumerateArray())
        {
            var ids = s_smol.Value.EncodeChat([ChatMessage.User(GoldenTokens.TextOf(golden, "prompt"))]);
            Assert.Equal(GoldenTokens.Ids(golden.GetProperty("prompt_ids")), ids);
            Assert.Equal(GoldenTokens.TextOf(golden, "text"), s_smol.Value.Decode(GoldenTokens.Ids(golden.GetProperty("tokens")), keepSpecial: true));
        }
    }

    [SharedFact(SmolModel)]
    public void A_tokenizer_from_a_gguf_file_is_saved_as_a_folder()
    {
        using var folder = new TemporaryFolder();
        TokenizerWriter.Save(s_smol.Value, folder.Path);
        var read = TokenizerReader.FromFolder(folder.Path);
        foreach (var golden in Golden.GetProperty("tokenizer").GetProperty("cases").EnumerateArray())
            Assert.Equal(GoldenTokens.Ids(golden.GetProperty("ids")), read.EncodeWithSpecial(GoldenTokens.TextOf(golden, "text")));
        Assert.Equal(s_smol.Value.EndTokens, read.EndTokens);
        ChatMessage[] question = [ChatMessage.User("A or B?")];
        Assert.Equal(s_smol.Value.EncodeChat(question), read.EncodeChat(question));
    }
}
