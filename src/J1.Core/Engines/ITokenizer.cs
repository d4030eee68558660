namespace J1.Engines;

/// <summary>
/// Text to tokens and back. Plain text never becomes a control token: an answer that spells out <c>&lt;|im_end|&gt;</c> is encoded as
/// those characters, so what is under judgement cannot end its own turn.
/// </summary>
public interface ITokenizer
{
    /// <summary>Tokens in the vocabulary.</summary>
    int VocabularySize { get; }

    /// <summary>A completion stops at any of these.</summary>
    IReadOnlyList<int> EndTokens { get; }

    /// <summary>Encodes text; special tokens spelled out in it stay text, and nothing is put before or after it.</summary>
    int[] Encode(string text);

    /// <summary>
    /// Encodes a conversation in the model's own chat format, up to where the assistant is to go on: after <paramref name="assistantPrefix"/>,
    /// which is encoded together with the template's last words. Contents never become control tokens.
    /// </summary>
    int[] EncodeChat(IReadOnlyList<ChatMessage> messages, string assistantPrefix = "");

    /// <summary>Decodes tokens; control tokens are left out, bytes that are not UTF-8 become U+FFFD.</summary>
    string Decode(ReadOnlySpan<int> tokens);
}

/// <summary>One turn of a conversation. Roles are <c>system</c>, <c>user</c> and <c>assistant</c>.</summary>
public sealed record ChatMessage(string Role, string Content)
{
    public static ChatMessage User(string content) => new("user", content);

    public static ChatMessage System(string content) => new("system", content);

    public static ChatMessage Assistant(string content) => new("assistant", content);
}
