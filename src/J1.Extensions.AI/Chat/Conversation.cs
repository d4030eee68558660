using System.Text;
using Microsoft.Extensions.AI;

namespace J1.Extensions.AI;

/// <summary>Conversations as a judge is shown them.</summary>
public static class Conversation
{
    /// <summary>
    /// What was asked: the text of a lone user message; otherwise all turns of user and assistant, each with its role. System messages and what tools gave are left out:
    /// they are often confidential, and a judge may be another company's model.
    /// </summary>
    public static string AsQuestion(IEnumerable<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var turns = messages.Where(message => (message.Role == ChatRole.User || message.Role == ChatRole.Assistant) && message.Text.Length > 0).ToArray();
        if (turns is [var only]) return only.Text;
        var text = new StringBuilder();
        foreach (var turn in turns) text.Append(text.Length > 0 ? "\n\n" : "").Append(turn.Role.Value).Append(": ").Append(turn.Text);
        return text.ToString();
    }
}
