using J1.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.SemanticKernel;

namespace J1.SemanticKernel;

/// <summary>A judge for kernels.</summary>
public static class KernelJudging
{
    /// <summary>Judges what the kernel's functions answer: inside the filters that were registered before, outside those that come after.</summary>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public static IKernelBuilder AddJudge(this IKernelBuilder builder, KernelJudgeOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddJudge(options);
        return builder;
    }

    /// <summary>Judges what the functions of every kernel of these services answer.</summary>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public static IServiceCollection AddJudge(this IServiceCollection services, KernelJudgeOptions options)
    {
        ArgumentNullException.ThrowIfNull(services);
        var filter = new JudgeFilter(options);
        return services.AddSingleton<IFunctionInvocationFilter>(filter).AddSingleton<IPromptRenderFilter>(filter);
    }

    /// <summary>The same with options made of services; they are checked when the first kernel is made.</summary>
    public static IServiceCollection AddJudge(this IServiceCollection services, Func<IServiceProvider, KernelJudgeOptions> options)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        var key = new object();
        return services.AddKeyedSingleton(key, (provider, _) => new JudgeFilter(options(provider)))
            .AddSingleton<IFunctionInvocationFilter>(provider => provider.GetRequiredKeyedService<JudgeFilter>(key))
            .AddSingleton<IPromptRenderFilter>(provider => provider.GetRequiredKeyedService<JudgeFilter>(key));
    }

    /// <summary>Judges what this kernel's functions answer.</summary>
    /// <returns>The kernel.</returns>
    public static Kernel AddJudge(this Kernel kernel, KernelJudgeOptions options)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        var filter = new JudgeFilter(options);
        kernel.FunctionInvocationFilters.Add(filter);
        kernel.PromptRenderFilters.Add(filter);
        return kernel;
    }

    /// <summary>The verdict of a judged result; null where none was given.</summary>
    public static AnswerVerdict? GetVerdict(this FunctionResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return result.Metadata?.GetValueOrDefault(JudgeFilter.VerdictKey) as AnswerVerdict;
    }

    /// <summary>The verdict, on the last piece of a judged stream; null on all others.</summary>
    public static AnswerVerdict? GetVerdict(this StreamingKernelContent piece)
    {
        ArgumentNullException.ThrowIfNull(piece);
        return piece.Metadata?.GetValueOrDefault(JudgeFilter.VerdictKey) as AnswerVerdict;
    }
}
