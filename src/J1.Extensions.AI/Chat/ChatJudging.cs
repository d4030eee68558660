using System.Text.Json;
using Microsoft.Extensions.AI;

namespace J1.Extensions.AI;

/// <summary>A judge for chat clients.</summary>
public static class ChatJudging
{
    /// <summary>The client with its answers judged.</summary>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public static IChatClient UseJudge(this IChatClient client, JudgeOptions options) => new JudgingChatClient(client, options);

    /// <summary>Judges one request otherwise, for example <c>judge => judge with { Threshold = 9 }</c>.</summary>
    /// <returns>The same options.</returns>
    public static ChatOptions WithJudge(this ChatOptions options, Func<JudgeOptions, JudgeOptions> vary)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(vary);
        return Set(options, vary);
    }

    /// <summary>Leaves one request unjudged.</summary>
    /// <returns>The same options.</returns>
    public static ChatOptions WithoutJudge(this ChatOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Set(options, static _ => null);
    }

    /// <summary>The verdict of a judged answer; null where none was given.</summary>
    public static AnswerVerdict? GetVerdict(this ChatResponse response)
    {
        ArgumentNullException.ThrowIfNull(response);
        return Of(response.AdditionalProperties);
    }

    /// <summary>The verdict, on the last piece of a judged stream; null on all others.</summary>
    public static AnswerVerdict? GetVerdict(this ChatResponseUpdate update)
    {
        ArgumentNullException.ThrowIfNull(update);
        return Of(update.AdditionalProperties);
    }

    private static ChatOptions Set(ChatOptions options, Func<JudgeOptions, JudgeOptions?> vary)
    {
        (options.AdditionalProperties ??= [])[JudgingChatClient.OverrideKey] = vary;
        return options;
    }

    private static AnswerVerdict? Of(AdditionalPropertiesDictionary? properties) => properties?.GetValueOrDefault(JudgingChatClient.VerdictKey) switch
    {
        AnswerVerdict verdict => verdict,
        JsonElement json => json.Deserialize<AnswerVerdict>(AIJsonUtilities.DefaultOptions),   // as a cache outside the judge gives it back
        _ => null,
    };
}
