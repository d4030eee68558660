using System.Reflection;
using J1.Extensions.AI;
using Microsoft.SemanticKernel;
using AIChatResponseUpdate = Microsoft.Extensions.AI.ChatResponseUpdate;

namespace J1.SemanticKernel;

/// <summary>Judges a stream of any element type.</summary>
internal interface IStreamJudge
{
    IAsyncEnumerable<T> Judge<T>(IAsyncEnumerable<T> stream);
}

/// <summary>A streaming result holds an asynchronous sequence of the type the caller asked for, which is known at run time alone.</summary>
internal static class Streams
{
    private static readonly MethodInfo Generic = typeof(IStreamJudge).GetMethod(nameof(IStreamJudge.Judge))!;

    /// <summary>What it is a stream of; null where it is none.</summary>
    public static Type? ElementOf(object value) =>
        value.GetType().GetInterfaces().FirstOrDefault(type => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IAsyncEnumerable<>))?.GenericTypeArguments[0];

    public static object Make(Type element, object stream, IStreamJudge judge) => Generic.MakeGenericMethod(element).Invoke(judge, [stream])!;

    /// <summary>The piece with the verdict, where its type can carry one.</summary>
    public static T Annotated<T>(T piece, AnswerVerdict verdict)
    {
        if (piece is StreamingKernelContent content)
            content.Metadata = new Dictionary<string, object?>(content.Metadata ?? new Dictionary<string, object?>()) { [JudgeFilter.VerdictKey] = verdict };
        else if (piece is AIChatResponseUpdate update)
            update.AdditionalProperties = new(update.AdditionalProperties ?? []) { [JudgeFilter.VerdictKey] = verdict };
        return piece;
    }
}
