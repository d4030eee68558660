using System.Collections;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.SemanticKernel;

public interface IKernelBuilder
{
    IServiceCollection Services { get; }
}

internal sealed class KernelBuilder : IKernelBuilder
{
    public IServiceCollection Services { get; } = new ServiceCollection();
}

public sealed class Kernel
{
    private static readonly IServiceProvider Nothing = new ServiceCollection().BuildServiceProvider();

    public Kernel(IServiceProvider? services = null, KernelPluginCollection? plugins = null)
    {
        Services = services ?? Nothing;
        Plugins = plugins ?? Services.GetService<KernelPluginCollection>() ?? new KernelPluginCollection();
        // Once, here: what is registered later is not seen.
        FunctionInvocationFilters = [.. Services.GetServices<IFunctionInvocationFilter>()];
        PromptRenderFilters = [.. Services.GetServices<IPromptRenderFilter>()];
    }

    private Kernel(Kernel other)
    {
        (Services, Plugins, Data, Culture) = (other.Services, new KernelPluginCollection(other.Plugins), new Dictionary<string, object?>(other.Data), other.Culture);
        (FunctionInvocationFilters, PromptRenderFilters) = ([.. other.FunctionInvocationFilters], [.. other.PromptRenderFilters]);
    }

    public KernelPluginCollection Plugins { get; }

    public IServiceProvider Services { get; }

    public IDictionary<string, object?> Data { get; } = new Dictionary<string, object?>();

    public CultureInfo Culture { get; set; } = CultureInfo.InvariantCulture;

    public IList<IFunctionInvocationFilter> FunctionInvocationFilters { get; }

    public IList<IPromptRenderFilter> PromptRenderFilters { get; }

    public static IKernelBuilder CreateBuilder() => new KernelBuilder();

    public Kernel Clone() => new(this);

    public T GetRequiredService<T>(object? serviceKey = null) where T : class =>
        (serviceKey is null ? Services.GetService<T>() : Services.GetKeyedService<T>(serviceKey)) ?? throw new KernelException($"There is no service {typeof(T)}.");

    public Task<FunctionResult> InvokeAsync(KernelFunction function, KernelArguments? arguments = null, CancellationToken cancellationToken = default) => function.InvokeAsync(this, arguments, cancellationToken);

    public Task<FunctionResult> InvokeAsync(string? pluginName, string functionName, KernelArguments? arguments = null, CancellationToken cancellationToken = default) => Find(pluginName, functionName).InvokeAsync(this, arguments, cancellationToken);

    public IAsyncEnumerable<StreamingKernelContent> InvokeStreamingAsync(KernelFunction function, KernelArguments? arguments = null, CancellationToken cancellationToken = default) => function.InvokeStreamingAsync<StreamingKernelContent>(this, arguments, cancellationToken);

    public IAsyncEnumerable<T> InvokeStreamingAsync<T>(KernelFunction function, KernelArguments? arguments = null, CancellationToken cancellationToken = default) => function.InvokeStreamingAsync<T>(this, arguments, cancellationToken);

    internal KernelFunction Find(string? pluginName, string functionName) =>
        Plugins.Where(plugin => pluginName is null || string.Equals(plugin.Name, pluginName, StringComparison.OrdinalIgnoreCase)).SelectMany(plugin => plugin)
            .FirstOrDefault(function => string.Equals(function.Name, functionName, StringComparison.OrdinalIgnoreCase)) ?? throw new KeyNotFoundException($"There is no function {pluginName}.{functionName}.");
}

public abstract class KernelPlugin : IEnumerable<KernelFunction>
{
    protected KernelPlugin(string name, string? description = null) => (Name, Description) = (name, description ?? "");

    public string Name { get; }

    public string Description { get; }

    public abstract IEnumerator<KernelFunction> GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

internal sealed class PluginOfFunctions(string name, IEnumerable<KernelFunction> functions) : KernelPlugin(name)
{
    private readonly KernelFunction[] _functions = [.. functions.Select(function => function.Clone(name))];

    public override IEnumerator<KernelFunction> GetEnumerator() => _functions.AsEnumerable().GetEnumerator();
}

public sealed class KernelPluginCollection : IEnumerable<KernelPlugin>
{
    private readonly List<KernelPlugin> _plugins = [];

    public KernelPluginCollection() { }

    public KernelPluginCollection(IEnumerable<KernelPlugin> plugins) => _plugins.AddRange(plugins);

    public int Count => _plugins.Count;

    public void Add(KernelPlugin plugin) => _plugins.Add(plugin);

    public IEnumerator<KernelPlugin> GetEnumerator() => _plugins.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

public static class KernelExtensions
{
    public static Kernel Build(this IKernelBuilder builder) => new(builder.Services.BuildServiceProvider());

    public static KernelPlugin ImportPluginFromFunctions(this Kernel kernel, string pluginName, IEnumerable<KernelFunction> functions)
    {
        var plugin = new PluginOfFunctions(pluginName, functions);
        kernel.Plugins.Add(plugin);
        return plugin;
    }

    public static Task<FunctionResult> InvokePromptAsync(this Kernel kernel, string promptTemplate, KernelArguments? arguments = null, string? templateFormat = null, CancellationToken cancellationToken = default) =>
        Inline(promptTemplate).InvokeAsync(kernel, arguments, cancellationToken);

    public static IAsyncEnumerable<StreamingKernelContent> InvokePromptStreamingAsync(this Kernel kernel, string promptTemplate, KernelArguments? arguments = null, string? templateFormat = null, CancellationToken cancellationToken = default) =>
        Inline(promptTemplate).InvokeStreamingAsync<StreamingKernelContent>(kernel, arguments, cancellationToken);

    public static IAsyncEnumerable<T> InvokePromptStreamingAsync<T>(this Kernel kernel, string promptTemplate, KernelArguments? arguments = null, string? templateFormat = null, CancellationToken cancellationToken = default) =>
        Inline(promptTemplate).InvokeStreamingAsync<T>(kernel, arguments, cancellationToken);

    private static KernelFunction Inline(string prompt) => KernelFunctionFactory.CreateFromPrompt(prompt, functionName: $"InvokePromptAsync_{Guid.NewGuid():n}");
}
