using System.ClientModel;
using System.Globalization;
using Microsoft.Extensions.AI;
using OpenAI.Chat;

namespace J1.Extensions.AI;

/// <summary>
/// Servers that speak the OpenAI protocol, through the OpenAI package. Honours <c>Retry-After</c> (seconds or a date) and <c>retry-after-ms</c>; asks for the 20 most likely tokens in each place.
/// The package retries by itself three times: set its <c>RetryPolicy</c> to <c>new ClientRetryPolicy(0)</c> to leave that to the judge.
/// </summary>
/// <param name="clock">For a Retry-After that is a date. Default the system's.</param>
public sealed class OpenAIHost(TimeProvider? clock = null) : ChatHost
{
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;

    public override HostFault Fault(Exception error) => error switch
    {
        // No status: there was no reply at all.
        ClientResultException { Status: 0 } => new(true),
        ClientResultException answered => new(IsTransient(answered.Status), RetryAfter(answered)),
        AggregateException { InnerExceptions: [.., var last] } => Fault(last),
        _ => base.Fault(error),
    };

    public override bool AskForLogProbs(ChatOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.RawRepresentationFactory = _ => new ChatCompletionOptions { IncludeLogProbabilities = true, TopLogProbabilityCount = 20 };
        return true;
    }

    public override IReadOnlyList<TokenAlternatives>? LogProbs(ChatResponse response)
    {
        ArgumentNullException.ThrowIfNull(response);
        if (response.RawRepresentation is not ChatCompletion { ContentTokenLogProbabilities: { Count: > 0 } tokens }) return null;
        return [.. tokens.Select(token => new TokenAlternatives(token.Token, [.. token.TopLogProbabilities.Select(one => new KeyValuePair<string, double>(one.Token, one.LogProbability))]))];
    }

    private TimeSpan? RetryAfter(ClientResultException error)
    {
        if (error.GetRawResponse()?.Headers is not { } headers) return null;
        if (headers.TryGetValue("retry-after-ms", out var text) && double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var milliseconds)) return Wait(milliseconds / 1000);
        if (!headers.TryGetValue("Retry-After", out text) || text is null) return null;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)) return Wait(seconds);
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? Wait((at - _clock.GetUtcNow()).TotalSeconds) : null;
    }

    private static TimeSpan Wait(double seconds) => TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 1e6));
}
