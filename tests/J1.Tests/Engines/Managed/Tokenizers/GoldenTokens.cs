using System.Text.Json;
using J1.Engines;
using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed.Tokenizers;

/// <summary>What the tokenizer tests share: reading the reference files.</summary>
internal static class GoldenTokens
{
    public static string Families => Shared.PathTo("golden/hf/tokenizers");

    public static BpeTokenizer Read(string family) => TokenizerReader.FromFolder(Path.Combine(Families, family));

    public static JsonElement Json(string relative)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Shared.PathTo(relative)));
        return document.RootElement.Clone();
    }

    public static string TextOf(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    public static int[] Ids(JsonElement element) => [.. element.EnumerateArray().Select(id => id.GetInt32())];

    public static ChatMessage[] Messages(JsonElement conversation) =>
        [.. conversation.GetProperty("messages").EnumerateArray().Select(message => new ChatMessage(TextOf(message, "role"), TextOf(message, "content")))];
}
