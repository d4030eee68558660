using System.Runtime.CompilerServices;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;
using SkFunctionInvocationContext = Microsoft.SemanticKernel.FunctionInvocationContext;
using SkPromptRenderContext = Microsoft.SemanticKernel.PromptRenderContext;

namespace J1.Apps.Tests.SemanticKernel;

/// <summary>A chat service that says what a test tells it to: the answer to call number n, from 0, given the last message.</summary>
internal sealed class ScriptedService(Func<int, string, string> write) : IChatCompletionService
{
    private int _calls;

    public ScriptedService(params string[] answers) : this((call, _) => answers[Math.Min(call, answers.Length - 1)]) { }

    public IReadOnlyDictionary<string, object?> Attributes { get; } = new Dictionary<string, object?>();

    public int Calls => _calls;

    public int Choices { get; init; } = 1;

    public List<(string Role, string? Text)[]> Conversations { get; } = [];

    public async Task<IReadOnlyList<ChatMessageContent>> GetChatMessageContentsAsync(ChatHistory chatHistory, PromptExecutionSettings? executionSettings = null, Kernel? kernel = null, CancellationToken cancellationToken = default)
    {
        var text = await WriteAsync(chatHistory, cancellationToken);
        return [.. Enumerable.Range(0, Choices).Select(_ => new ChatMessageContent(AuthorRole.Assistant, text, metadata: new Dictionary<string, object?> { ["Host"] = "scripted" }))];
    }

    public async IAsyncEnumerable<StreamingChatMessageContent> GetStreamingChatMessageContentsAsync(ChatHistory chatHistory, PromptExecutionSettings? executionSettings = null, Kernel? kernel = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var text = await WriteAsync(chatHistory, cancellationToken);
        foreach (var word in text.Split(' ').Select((word, i) => i == 0 ? word : " " + word))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return new StreamingChatMessageContent(AuthorRole.Assistant, word, metadata: new Dictionary<string, object?> { ["Host"] = "scripted" });
        }
    }

    private async Task<string> WriteAsync(ChatHistory history, CancellationToken cancellationToken)
    {
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
        lock (Conversations) Conversations.Add([.. history.Select(message => (message.Role.Label, message.Content))]);
        return write(Interlocked.Increment(ref _calls) - 1, history[^1].Content ?? "");
    }
}

/// <summary>Notes when it is passed, both ways.</summary>
internal sealed class NotingFilter(string name, List<string> notes) : IFunctionInvocationFilter, IPromptRenderFilter
{
    public async Task OnFunctionInvocationAsync(SkFunctionInvocationContext context, Func<SkFunctionInvocationContext, Task> next)
    {
        Note($"{name}>");
        await next(context);
        await Task.Yield();
        Note($"<{name}");
    }

    public async Task OnPromptRenderAsync(SkPromptRenderContext context, Func<SkPromptRenderContext, Task> next)
    {
        Note($"{name} renders");
        await next(context);
    }

    private void Note(string what)
    {
        lock (notes) notes.Add(what);
    }
}

/// <summary>A function filter of one line.</summary>
internal sealed class Filter(Func<SkFunctionInvocationContext, Func<SkFunctionInvocationContext, Task>, Task> run) : IFunctionInvocationFilter
{
    public Task OnFunctionInvocationAsync(SkFunctionInvocationContext context, Func<SkFunctionInvocationContext, Task> next) => run(context, next);
}

/// <summary>A prompt filter of one line.</summary>
internal sealed class PromptFilter(Func<SkPromptRenderContext, Func<SkPromptRenderContext, Task>, Task> run) : IPromptRenderFilter
{
    public Task OnPromptRenderAsync(SkPromptRenderContext context, Func<SkPromptRenderContext, Task> next) => run(context, next);
}
