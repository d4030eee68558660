using J1.Extensions.AI;
using Microsoft.SemanticKernel;
using SkFunctionInvocationContext = Microsoft.SemanticKernel.FunctionInvocationContext;

namespace J1.SemanticKernel;

/// <summary>The argument that tells a function the judge's reasons. The arguments are the caller's own object: they are left as they were found.</summary>
internal sealed class FeedbackArgument
{
    private readonly KernelArguments _arguments;
    private readonly string _name;
    private readonly Func<Rating, string> _say;
    private readonly bool _had;
    private readonly object? _before;
    private bool _set;

    public FeedbackArgument(KernelJudgeOptions options, SkFunctionInvocationContext context)
    {
        (_arguments, _name, _say) = (context.Arguments, options.FeedbackArgument, options.Judge.Feedback);
        IsTaken = context.Function.Metadata.Parameters.Any(parameter => parameter.Name == _name);
        if (IsTaken) _had = _arguments.TryGetValue(_name, out _before);
    }

    /// <summary>Whether the function has such an argument; otherwise nothing is written.</summary>
    public bool IsTaken { get; }

    public void Set(RatedAnswer? previous)
    {
        if (!IsTaken) return;
        if (previous is null) Restore();
        else (_arguments[_name], _set) = (_say(previous.Rating), true);
    }

    /// <summary>A copy of the arguments, with it.</summary>
    public KernelArguments With(RatedAnswer? previous)
    {
        var copy = new KernelArguments(_arguments, executionSettings: _arguments.ExecutionSettings?.ToDictionary(pair => pair.Key, pair => pair.Value));
        if (IsTaken && previous is not null) copy[_name] = _say(previous.Rating);
        return copy;
    }

    public void Restore()
    {
        if (!_set) return;
        if (_had) _arguments[_name] = _before;
        else _arguments.Remove(_name);
        _set = false;
    }
}
