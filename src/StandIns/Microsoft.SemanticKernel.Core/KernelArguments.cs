using Microsoft.Extensions.AI;

namespace Microsoft.SemanticKernel;

public sealed class KernelArguments : AIFunctionArguments
{
    public KernelArguments() : base(StringComparer.OrdinalIgnoreCase) { }

    public KernelArguments(PromptExecutionSettings? executionSettings) : this(executionSettings is null ? null : [executionSettings]) { }

    public KernelArguments(IEnumerable<PromptExecutionSettings>? executionSettings) : base(StringComparer.OrdinalIgnoreCase) =>
        ExecutionSettings = executionSettings?.ToDictionary(settings => settings.ServiceId ?? PromptExecutionSettings.DefaultServiceId);

    public KernelArguments(IDictionary<string, object?> source, Dictionary<string, PromptExecutionSettings>? executionSettings = null) : base(source, StringComparer.OrdinalIgnoreCase) =>
        ExecutionSettings = executionSettings ?? (source as KernelArguments)?.ExecutionSettings;

    public IReadOnlyDictionary<string, PromptExecutionSettings>? ExecutionSettings { get; set; }

    public ICollection<string> Names => Keys;

    public bool ContainsName(string name) => ContainsKey(name);
}

public class PromptExecutionSettings
{
    public static string DefaultServiceId => "default";

    public string? ServiceId { get; set; }

    public string? ModelId { get; set; }
}

public class KernelException : Exception
{
    public KernelException() { }

    public KernelException(string? message) : base(message) { }

    public KernelException(string? message, Exception? innerException) : base(message, innerException) { }
}

public sealed class KernelFunctionCanceledException : OperationCanceledException
{
    public KernelFunctionCanceledException(Kernel kernel, KernelFunction function, KernelArguments arguments, FunctionResult? functionResult, Exception? innerException = null)
        : base($"The function {function.Name} was cancelled.", innerException, (innerException as OperationCanceledException)?.CancellationToken ?? default) =>
        (Kernel, Function, Arguments, FunctionResult) = (kernel, function, arguments, functionResult);

    public Kernel Kernel { get; }

    public KernelFunction Function { get; }

    public KernelArguments Arguments { get; }

    public FunctionResult? FunctionResult { get; }
}
