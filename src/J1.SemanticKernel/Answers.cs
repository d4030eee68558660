using System.Globalization;
using J1.Extensions.AI;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;
using AIChatMessage = Microsoft.Extensions.AI.ChatMessage;
using AIChatResponse = Microsoft.Extensions.AI.ChatResponse;
using AIChatResponseUpdate = Microsoft.Extensions.AI.ChatResponseUpdate;
using AIChatRole = Microsoft.Extensions.AI.ChatRole;
using AIFunctionCallContent = Microsoft.Extensions.AI.FunctionCallContent;
using AIUsageDetails = Microsoft.Extensions.AI.UsageDetails;
using SkFunctionCallContent = Microsoft.SemanticKernel.FunctionCallContent;
using SkTextContent = Microsoft.SemanticKernel.TextContent;

namespace J1.SemanticKernel;

/// <summary>The values that functions give, as text, and the text of a refusal as such values.</summary>
internal static class Answers
{
    public static Answer<FunctionResult> Of(FunctionResult result)
    {
        var value = result.GetValue<object>();
        return new(result, Text(value))
        {
            Tokens = value is AIChatResponse { Usage: { } usage } ? usage.TotalTokenCount : result.Metadata?.GetValueOrDefault("Usage") is AIUsageDetails own ? own.TotalTokenCount : null,
            Id = value is AIChatResponse response ? response.ResponseId : null,
            IsFinal = value switch
            {
                ChatMessageContent message => !message.Items.Any(item => item is SkFunctionCallContent),
                AIChatResponse { Messages: [.., var last] } => !last.Contents.Any(content => content is AIFunctionCallContent),
                _ => true,
            },
        };
    }

    public static Answer<List<T>> Of<T>(List<T> pieces) => new(pieces, string.Concat(pieces.Select(piece => Text(piece))));

    /// <summary>Several choices are one text, a blank line between them.</summary>
    public static string Text(object? value) => value switch
    {
        null => "",
        string text => text,
        ChatMessageContent message => string.Concat(message.Items.OfType<SkTextContent>().Select(item => item.Text)),
        IEnumerable<ChatMessageContent> choices => string.Join("\n\n", choices.Select(Text)),
        SkTextContent content => content.Text ?? "",
        AIChatResponse response => response.Text,
        AIChatResponseUpdate update => update.Text,
        AIChatMessage message => message.Text,
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    /// <summary>A refusal of the type that the caller waits for.</summary>
    public static object Refusal(object? value, string text) => value switch
    {
        ChatMessageContent => new ChatMessageContent(AuthorRole.Assistant, text),
        IReadOnlyList<ChatMessageContent> => (ChatMessageContent[])[new(AuthorRole.Assistant, text)],
        SkTextContent => new SkTextContent(text),
        AIChatResponse => new AIChatResponse(new AIChatMessage(AIChatRole.Assistant, text)),
        _ => text,
    };

    /// <summary>A refusal as a piece of a stream.</summary>
    /// <exception cref="AnswerBlockedException">No text can be put into the pieces the caller asked for.</exception>
    public static T Piece<T>(string text, AnswerVerdict verdict)
    {
        object? piece = typeof(T) == typeof(string) || typeof(T) == typeof(object) ? text
            : typeof(T).IsAssignableFrom(typeof(StreamingChatMessageContent)) ? new StreamingChatMessageContent(AuthorRole.Assistant, text)
            : typeof(T) == typeof(StreamingTextContent) ? new StreamingTextContent(text)
            : typeof(T) == typeof(AIChatResponseUpdate) ? new AIChatResponseUpdate(AIChatRole.Assistant, text) : null;
        return piece is T made ? made : throw new AnswerBlockedException(verdict);
    }
}
