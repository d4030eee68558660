namespace J1.Engines.Managed.Tokenizers;

/// <summary>Stands in where a model folder has no tokenizer: the engine works on token ids, text is refused with a remedy.</summary>
public sealed class IdTokenizer(int vocabularySize, IReadOnlyList<int> endTokens) : ITokenizer
{
    public int VocabularySize => vocabularySize;

    public IReadOnlyList<int> EndTokens => endTokens;

    public int[] Encode(string text) => throw Refusal();

    public int[] EncodeChat(IReadOnlyList<ChatMessage> messages, string assistantPrefix = "") => throw Refusal();

    public string Decode(ReadOnlySpan<int> tokens) => throw Refusal();

    private static InvalidOperationException Refusal() => new(
        "This model was read without a tokenizer, so it takes token ids only. To use text, put the model's tokenizer.json (and tokenizer_config.json) into its folder, or use its GGUF file.");
}
