using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.SemanticKernel.ChatCompletion;

namespace Microsoft.SemanticKernel;

internal sealed partial class PromptFunction : KernelFunction
{
    private readonly string _template;
    private readonly PromptExecutionSettings? _settings;

    public PromptFunction(string template, PromptExecutionSettings? settings, string? name, string? description) : this(template, settings, new KernelFunctionMetadata(name ?? $"func{Guid.NewGuid():n}")
    {
        Description = description ?? "",
        Parameters = [.. Hole().Matches(template).Select(hole => hole.Groups[1].Value).Where(hole => hole.StartsWith('$')).Distinct().Select(hole => new KernelParameterMetadata(hole[1..]))],
    }) { }

    private PromptFunction(string template, PromptExecutionSettings? settings, KernelFunctionMetadata metadata) : base(metadata, settings) => (_template, _settings) = (template, settings);

    public override KernelFunction Clone(string? pluginName = null) => new PromptFunction(_template, _settings, Named(pluginName));

    internal override async Task<FunctionResult> RunAsync(Kernel kernel, KernelArguments arguments, CancellationToken cancellationToken)
    {
        var (prompt, given) = await RenderAsync(kernel, arguments, isStreaming: false, cancellationToken).ConfigureAwait(false);
        if (given is not null)
        {
            given.RenderedPrompt = prompt;
            return given;
        }
        FunctionResult result;
        if (kernel.Services.GetService<IChatCompletionService>() is { } service)
        {
            var answers = await service.GetChatMessageContentsAsync(HistoryOf(prompt), SettingsOf(arguments), kernel, cancellationToken).ConfigureAwait(false);
            result = answers is [var only] ? new FunctionResult(this, only, kernel.Culture, only.Metadata) : new FunctionResult(this, answers, kernel.Culture);
        }
        else
        {
            var response = await ClientOf(kernel).GetResponseAsync(MessagesOf(prompt), new ChatOptions { ModelId = SettingsOf(arguments)?.ModelId }, cancellationToken).ConfigureAwait(false);
            result = new FunctionResult(this, response, kernel.Culture, response.AdditionalProperties?.ToDictionary(pair => pair.Key, pair => pair.Value));
        }
        result.RenderedPrompt = prompt;
        return result;
    }

    internal override async IAsyncEnumerable<TResult> StreamAsync<TResult>(Kernel kernel, KernelArguments arguments, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // As there: a prompt filter's own answer is not looked at in streaming.
        var (prompt, _) = await RenderAsync(kernel, arguments, isStreaming: true, cancellationToken).ConfigureAwait(false);
        if (kernel.Services.GetService<IChatCompletionService>() is { } service)
        {
            await foreach (var piece in service.GetStreamingChatMessageContentsAsync(HistoryOf(prompt), SettingsOf(arguments), kernel, cancellationToken).ConfigureAwait(false))
                yield return piece is TResult own ? own : typeof(TResult) == typeof(string) ? (TResult)(object)piece.ToString() : throw Unknown(typeof(TResult));
            yield break;
        }
        await foreach (var update in ClientOf(kernel).GetStreamingResponseAsync(MessagesOf(prompt), new ChatOptions { ModelId = SettingsOf(arguments)?.ModelId }, cancellationToken).ConfigureAwait(false))
            yield return update is TResult own ? own
                : typeof(TResult) == typeof(string) ? (TResult)(object)update.Text
                : new StreamingChatMessageContent(AuthorRole.Assistant, update.Text, update, metadata: update.AdditionalProperties?.ToDictionary(pair => pair.Key, pair => pair.Value)) is TResult content ? content
                : throw Unknown(typeof(TResult));
    }

    private static NotSupportedException Unknown(Type type) => new($"A prompt cannot be streamed as {type}.");

    private static IChatClient ClientOf(Kernel kernel) => kernel.Services.GetService<IChatClient>() ?? throw new KernelException("The kernel has no service that answers prompts.");

    private PromptExecutionSettings? SettingsOf(KernelArguments arguments) => (arguments.ExecutionSettings ?? ExecutionSettings)?.GetValueOrDefault(PromptExecutionSettings.DefaultServiceId);

    private async Task<(string Prompt, FunctionResult? Given)> RenderAsync(Kernel kernel, KernelArguments arguments, bool isStreaming, CancellationToken cancellationToken)
    {
        var rendered = "";
        var context = new PromptRenderContext(kernel, this, arguments) { CancellationToken = cancellationToken, IsStreaming = isStreaming };
        await Pipeline.RunAsync(kernel.PromptRenderFilters, context, static (filter, on, next) => filter.OnPromptRenderAsync(on, next),
            async on => on.RenderedPrompt = rendered = await FillAsync(kernel, arguments, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
        // As there: an edit of letter case alone is lost.
        if (context.RenderedPrompt is { } edited && !string.Equals(edited, rendered, StringComparison.OrdinalIgnoreCase)) rendered = edited;
        return (rendered, context.Result);
    }

    private async Task<string> FillAsync(Kernel kernel, KernelArguments arguments, CancellationToken cancellationToken)
    {
        var (text, at) = (new StringBuilder(), 0);
        foreach (Match hole in Hole().Matches(_template))
        {
            text.Append(_template, at, hole.Index - at);
            at = hole.Index + hole.Length;
            var name = hole.Groups[1].Value;
            // Values are encoded, so that none can add a message to the conversation.
            if (name.StartsWith('$')) text.Append(WebUtility.HtmlEncode(Text.Of(arguments.GetValueOrDefault(name[1..]), kernel.Culture)));
            else
            {
                var parts = name.Split('.');
                var result = await kernel.InvokeAsync(parts.Length > 1 ? parts[0] : null, parts[^1], arguments, cancellationToken).ConfigureAwait(false);
                text.Append(WebUtility.HtmlEncode(result.ToString()));
            }
        }
        return text.Append(_template, at, _template.Length - at).ToString();
    }

    private static ChatHistory HistoryOf(string prompt)
    {
        var history = new ChatHistory();
        foreach (var (role, text) in Read(prompt)) history.Add(new ChatMessageContent(new AuthorRole(role), text));
        return history;
    }

    private static IEnumerable<ChatMessage> MessagesOf(string prompt) => [.. Read(prompt).Select(message => new ChatMessage(new ChatRole(message.Role), message.Text))];

    private static IReadOnlyList<(string Role, string Text)> Read(string prompt)
    {
        if (prompt.Contains("<message", StringComparison.OrdinalIgnoreCase))
            try
            {
                var messages = XElement.Parse($"<root>{prompt}</root>").Elements("message").Select(message => ((string?)message.Attribute("role") ?? "user", message.Value.Trim())).ToArray();
                if (messages.Length > 0) return messages;
            }
            catch (XmlException) { }
        return [("user", prompt)];
    }

    [GeneratedRegex(@"\{\{\s*(\$?[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)?)\s*\}\}")]
    private static partial Regex Hole();
}
