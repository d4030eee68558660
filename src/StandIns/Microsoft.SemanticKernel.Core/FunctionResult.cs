using System.Globalization;
using Microsoft.Extensions.AI;

namespace Microsoft.SemanticKernel;

public sealed class FunctionResult
{
    private readonly object? _value;

    public FunctionResult(KernelFunction function, object? value = null, CultureInfo? culture = null, IReadOnlyDictionary<string, object?>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(function);
        (Function, _value, Culture, Metadata) = (function, value, culture ?? CultureInfo.InvariantCulture, metadata);
    }

    public FunctionResult(FunctionResult result, object? value = null)
    {
        ArgumentNullException.ThrowIfNull(result);
        // As there: null does not blank an answer, it keeps the old one.
        (Function, _value, Culture, Metadata, RenderedPrompt) = (result.Function, value ?? result._value, result.Culture, result.Metadata, result.RenderedPrompt);
    }

    public KernelFunction Function { get; init; }

    public IReadOnlyDictionary<string, object?>? Metadata { get; init; }

    public CultureInfo Culture { get; init; }

    public Type? ValueType => _value?.GetType();

    public string? RenderedPrompt { get; internal set; }

    public T? GetValue<T>() => _value switch
    {
        null => default,
        T value => value,
        KernelContent content when typeof(T) == typeof(string) => (T)(object)content.ToString()!,
        KernelContent { InnerContent: T inner } => inner,
        ChatResponse response when typeof(T) == typeof(string) => (T)(object)response.Text,
        _ => throw new InvalidCastException($"The result is a {_value.GetType()}, not a {typeof(T)}."),
    };

    public override string ToString() => Text.Of(_value, Culture);
}

internal static class Text
{
    public static string Of(object? value, CultureInfo culture) => value switch
    {
        null => "",
        string text => text,
        ChatResponse response => response.Text,
        IFormattable number => number.ToString(null, culture),
        _ => value.ToString() ?? "",
    };
}
