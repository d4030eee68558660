using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace Microsoft.SemanticKernel;

public sealed class KernelParameterMetadata
{
    public KernelParameterMetadata(string name) => Name = name;

    public string Name { get; set; }

    public Type? ParameterType { get; set; }
}

public sealed class KernelFunctionMetadata
{
    public KernelFunctionMetadata(string name) => Name = name;

    public string Name { get; set; }

    public string? PluginName { get; set; }

    public string Description { get; set; } = "";

    public IReadOnlyList<KernelParameterMetadata> Parameters { get; set; } = [];
}

public abstract class FullyQualifiedAIFunction : AIFunction
{
    internal FullyQualifiedAIFunction(KernelFunctionMetadata metadata) => Metadata = metadata;

    public KernelFunctionMetadata Metadata { get; init; }

    public override string Name => Metadata.PluginName is { } plugin ? $"{plugin}_{Metadata.Name}" : Metadata.Name;
}

public abstract class KernelFunction : FullyQualifiedAIFunction
{
    private static readonly ActivitySource Source = new("Microsoft.SemanticKernel");

    internal KernelFunction(KernelFunctionMetadata metadata, PromptExecutionSettings? settings) : base(metadata) =>
        ExecutionSettings = settings is null ? null : new Dictionary<string, PromptExecutionSettings> { [settings.ServiceId ?? PromptExecutionSettings.DefaultServiceId] = settings };

    public new virtual string Name => Metadata.Name;

    public virtual string? PluginName => Metadata.PluginName;

    public override string Description => Metadata.Description;

    public IReadOnlyDictionary<string, PromptExecutionSettings>? ExecutionSettings { get; }

    public async Task<FunctionResult> InvokeAsync(Kernel kernel, KernelArguments? arguments = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        arguments ??= [];
        using var span = Source.StartActivity($"execute_tool {Name}");
        FunctionInvocationContext? context = null;
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            context = new FunctionInvocationContext(kernel, this, arguments, new FunctionResult(this, culture: kernel.Culture)) { CancellationToken = cancellationToken };
            await Pipeline.RunAsync(kernel.FunctionInvocationFilters, context, static (filter, on, next) => filter.OnFunctionInvocationAsync(on, next),
                async on => on.Result = await RunAsync(kernel, on.Arguments, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
            return context.Result;
        }
        catch (OperationCanceledException error)
        {
            throw new KernelFunctionCanceledException(kernel, this, arguments, context?.Result, error);
        }
    }

    public async IAsyncEnumerable<TResult> InvokeStreamingAsync<TResult>(Kernel kernel, KernelArguments? arguments = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        using var span = Source.StartActivity($"execute_tool {Name}");
        var context = new FunctionInvocationContext(kernel, this, arguments ?? [], new FunctionResult(this, culture: kernel.Culture)) { CancellationToken = cancellationToken, IsStreaming = true };
        await Pipeline.RunAsync(kernel.FunctionInvocationFilters, context, static (filter, on, next) => filter.OnFunctionInvocationAsync(on, next), on =>
        {
            // Nothing runs before the stream is read.
            on.Result = new FunctionResult(this, StreamAsync<TResult>(kernel, on.Arguments, cancellationToken), kernel.Culture);
            return Task.CompletedTask;
        }).ConfigureAwait(false);
        await foreach (var piece in context.Result.GetValue<IAsyncEnumerable<TResult>>()!.WithCancellation(cancellationToken).ConfigureAwait(false)) yield return piece;
    }

    public abstract KernelFunction Clone(string? pluginName = null);

    public override string ToString() => PluginName is { } plugin ? $"{plugin}.{Name}" : Name;

    internal abstract Task<FunctionResult> RunAsync(Kernel kernel, KernelArguments arguments, CancellationToken cancellationToken);

    internal abstract IAsyncEnumerable<TResult> StreamAsync<TResult>(Kernel kernel, KernelArguments arguments, CancellationToken cancellationToken);

    // As a plain AI function: past the kernel and its filters.
    protected override async ValueTask<object?> InvokeCoreAsync(AIFunctionArguments arguments, CancellationToken cancellationToken) =>
        (await RunAsync(new Kernel(arguments.Services), new KernelArguments(arguments), cancellationToken).ConfigureAwait(false)).GetValue<object>();

    internal KernelFunctionMetadata Named(string? pluginName) => new(Metadata.Name) { PluginName = pluginName ?? Metadata.PluginName, Description = Metadata.Description, Parameters = Metadata.Parameters };
}

public static class KernelFunctionFactory
{
    public static KernelFunction CreateFromMethod(Delegate method, string? functionName = null, string? description = null) => new MethodFunction(method, functionName, description);

    public static KernelFunction CreateFromPrompt(string promptTemplate, PromptExecutionSettings? executionSettings = null, string? functionName = null, string? description = null) => new PromptFunction(promptTemplate, executionSettings, functionName, description);
}
