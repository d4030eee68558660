using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Microsoft.SemanticKernel;

internal sealed class MethodFunction : KernelFunction
{
    private readonly Delegate _method;

    public MethodFunction(Delegate method, string? name, string? description) : this(method, new KernelFunctionMetadata(name ?? string.Concat(method.Method.Name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_')))
    {
        Description = description ?? "",
        Parameters = [.. method.Method.GetParameters().Where(parameter => !IsGiven(parameter.ParameterType)).Select(parameter => new KernelParameterMetadata(parameter.Name!) { ParameterType = parameter.ParameterType })],
    }) { }

    private MethodFunction(Delegate method, KernelFunctionMetadata metadata) : base(metadata, null) => _method = method;

    public override MethodInfo? UnderlyingMethod => _method.Method;

    public override KernelFunction Clone(string? pluginName = null) => new MethodFunction(_method, Named(pluginName));

    internal override async Task<FunctionResult> RunAsync(Kernel kernel, KernelArguments arguments, CancellationToken cancellationToken)
    {
        object?[] values = [.. _method.Method.GetParameters().Select(parameter => Bind(parameter, kernel, arguments, cancellationToken))];
        var value = _method.Method.Invoke(_method.Target, BindingFlags.DoNotWrapExceptions, null, values, null);
        return new FunctionResult(this, await AwaitAsync(value).ConfigureAwait(false), kernel.Culture);
    }

    internal override async IAsyncEnumerable<TResult> StreamAsync<TResult>(Kernel kernel, KernelArguments arguments, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var result = await RunAsync(kernel, arguments, cancellationToken).ConfigureAwait(false);
        if (result.GetValue<object>() is IAsyncEnumerable<TResult> stream)
            await foreach (var piece in stream.WithCancellation(cancellationToken).ConfigureAwait(false)) yield return piece;
        else if (result.GetValue<object>() is TResult whole) yield return whole;
    }

    private static bool IsGiven(Type type) => type == typeof(Kernel) || type == typeof(KernelArguments) || type == typeof(KernelFunction) || type == typeof(CancellationToken);

    private object? Bind(ParameterInfo parameter, Kernel kernel, KernelArguments arguments, CancellationToken cancellationToken)
    {
        var type = parameter.ParameterType;
        if (type == typeof(Kernel)) return kernel;
        if (type == typeof(KernelArguments)) return arguments;
        if (type == typeof(KernelFunction)) return this;
        if (type == typeof(CancellationToken)) return cancellationToken;
        if (arguments.TryGetValue(parameter.Name!, out var value))
            return value is null || type.IsInstanceOfType(value) ? value
                : type == typeof(string) ? Text.Of(value, kernel.Culture)
                : Convert.ChangeType(value, Nullable.GetUnderlyingType(type) ?? type, CultureInfo.InvariantCulture);
        return parameter.HasDefaultValue ? parameter.DefaultValue : throw new KernelException($"The function {this} lacks the argument '{parameter.Name}'.");
    }

    private static async Task<object?> AwaitAsync(object? value)
    {
        if (value?.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(ValueTask<>)) value = type.GetMethod("AsTask")!.Invoke(value, null);
        if (value is ValueTask plain) value = plain.AsTask();
        if (value is not Task task) return value;
        await task.ConfigureAwait(false);
        return task.GetType().GetProperty("Result") is { } result && result.PropertyType.Name != "VoidTaskResult" ? result.GetValue(task) : null;
    }
}
