using J1.Extensions.AI;
using SkFunctionInvocationContext = Microsoft.SemanticKernel.FunctionInvocationContext;

namespace J1.SemanticKernel;

/// <summary>What a kernel's judge looks at, and how.</summary>
public sealed record KernelJudgeOptions
{
    /// <summary>
    /// How answers are judged. A kernel's own call is never cut by the time budget: it ends when it ends, and no other begins. With <see cref="JudgeOptions.Parallel"/>, candidates run
    /// in clones of the kernel, and the filters outside this one see each of them; otherwise they run one after the other through <c>next</c>.
    /// </summary>
    public required JudgeOptions Judge { get; init; }

    /// <summary>Which functions are judged. Default <see cref="JudgedFunctions.Prompts"/>. Inline prompts have a name of their own each time: do not select them by name.</summary>
    public Func<SkFunctionInvocationContext, bool> Functions { get; init; } = JudgedFunctions.Prompts;

    /// <summary>What the judge is told was asked; null, or a null answer, takes the rendered prompt, and where there is none the arguments. Default null.</summary>
    public Func<SkFunctionInvocationContext, string?>? Question { get; init; }

    /// <summary>A function that has a parameter or template variable of this name is told the judge's reasons in it; to the prompt of any other they are added. Default <c>judge_feedback</c>.</summary>
    public string FeedbackArgument { get; init; } = "judge_feedback";

    /// <exception cref="ArgumentException">Names the option, its value and its range.</exception>
    public void Validate()
    {
        if (Judge is null) throw new ArgumentException($"{nameof(Judge)} is not set.");
        Judge.Validate();
        if (Functions is null) throw new ArgumentException($"{nameof(Functions)} is not set; see {nameof(JudgedFunctions)}.");
        if (string.IsNullOrWhiteSpace(FeedbackArgument)) throw new ArgumentException($"{nameof(FeedbackArgument)} is empty; it names an argument.");
    }
}

/// <summary>Which functions are judged.</summary>
public static class JudgedFunctions
{
    /// <summary>Functions made of prompts, inline ones too.</summary>
    public static bool Prompts(SkFunctionInvocationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Function.UnderlyingMethod is null;
    }

    /// <summary>All functions, methods too.</summary>
    public static bool All(SkFunctionInvocationContext context) => true;

    /// <summary>All functions of these plugins.</summary>
    public static Func<SkFunctionInvocationContext, bool> OfPlugins(params string[] plugins) =>
        context => context.Function.PluginName is { } name && plugins.Contains(name, StringComparer.OrdinalIgnoreCase);

    /// <summary>One function; <paramref name="plugin"/> null means one of no plugin.</summary>
    public static Func<SkFunctionInvocationContext, bool> Named(string? plugin, string function) =>
        context => string.Equals(context.Function.PluginName, plugin, StringComparison.OrdinalIgnoreCase) && string.Equals(context.Function.Name, function, StringComparison.OrdinalIgnoreCase);
}
