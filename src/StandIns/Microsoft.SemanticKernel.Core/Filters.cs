namespace Microsoft.SemanticKernel;

public interface IFunctionInvocationFilter
{
    Task OnFunctionInvocationAsync(FunctionInvocationContext context, Func<FunctionInvocationContext, Task> next);
}

public interface IPromptRenderFilter
{
    Task OnPromptRenderAsync(PromptRenderContext context, Func<PromptRenderContext, Task> next);
}

public class FunctionInvocationContext
{
    internal FunctionInvocationContext(Kernel kernel, KernelFunction function, KernelArguments arguments, FunctionResult result) => (Kernel, Function, Arguments, Result) = (kernel, function, arguments, result);

    public CancellationToken CancellationToken { get; init; }

    public bool IsStreaming { get; init; }

    public Kernel Kernel { get; }

    public KernelFunction Function { get; }

    public KernelArguments Arguments { get; }

    public FunctionResult Result { get; set; }
}

public sealed class PromptRenderContext
{
    private string? _rendered;

    internal PromptRenderContext(Kernel kernel, KernelFunction function, KernelArguments arguments) => (Kernel, Function, Arguments) = (kernel, function, arguments);

    public CancellationToken CancellationToken { get; init; }

    public bool IsStreaming { get; init; }

    public Kernel Kernel { get; }

    public KernelFunction Function { get; }

    public KernelArguments Arguments { get; }

    public string? RenderedPrompt
    {
        get => _rendered;
        set
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(value);
            _rendered = value;
        }
    }

    public FunctionResult? Result { get; set; }
}

/// <summary>Runs filters around a call, the first of the list outermost.</summary>
internal static class Pipeline
{
    public static Task RunAsync<TFilter, TContext>(IList<TFilter> filters, TContext context, Func<TFilter, TContext, Func<TContext, Task>, Task> pass, Func<TContext, Task> call, int from = 0) =>
        from < filters.Count ? pass(filters[from], context, inner => RunAsync(filters, inner, pass, call, from + 1)) : call(context);
}
