using System.Net;
using SkFunctionInvocationContext = Microsoft.SemanticKernel.FunctionInvocationContext;

namespace J1.SemanticKernel;

/// <summary>Prompts as questions, and with the judge's reasons.</summary>
internal static class Prompts
{
    /// <summary>What a function without a prompt was asked: its arguments, one a line.</summary>
    public static string Of(SkFunctionInvocationContext context, string feedbackArgument)
    {
        var arguments = context.Arguments.Where(argument => argument.Key != feedbackArgument).ToArray();
        return arguments is [var only] ? Answers.Text(only.Value)
            : arguments.Length > 0 ? string.Join("\n", arguments.Select(argument => $"{argument.Key}: {Answers.Text(argument.Value)}"))
            : context.Function.Description is { Length: > 0 } description ? description : context.Function.Name;
    }

    /// <summary>
    /// The prompt, the answer it got and what was said of it. A prompt with <c>&lt;message&gt;</c> tags is a conversation, and gets two more; any other must not become one by what an answer
    /// holds, so such tags are broken in it.
    /// </summary>
    public static string WithFeedback(string prompt, string answer, string feedback) => prompt.Contains("<message", StringComparison.OrdinalIgnoreCase)
        ? $"{prompt}\n<message role=\"assistant\">{WebUtility.HtmlEncode(answer)}</message>\n<message role=\"user\">{WebUtility.HtmlEncode(feedback)}</message>"
        : $"{prompt}\n\nYour last answer:\n{Broken(answer)}\n\n{Broken(feedback)}";

    private static string Broken(string text) => text.Replace("<message", "< message", StringComparison.OrdinalIgnoreCase).Replace("</message", "</ message", StringComparison.OrdinalIgnoreCase);
}
