using System.Net;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace J1.Extensions.AI;

/// <summary>Why a call failed.</summary>
/// <param name="IsTransient">Whether the same call may succeed later.</param>
/// <param name="RetryAfter">How long the host asks to wait; null where it does not say.</param>
public sealed record HostFault(bool IsTransient, TimeSpan? RetryAfter = null);

/// <summary>A token a model wrote, and the most likely ones in its place with their log-probabilities (nats).</summary>
public sealed record TokenAlternatives(string Token, IReadOnlyList<KeyValuePair<string, double>> Alternatives);

/// <summary>What <see cref="IChatClient"/> leaves to each provider: how its errors read, and how it gives log-probabilities. This one knows HTTP and no log-probabilities.</summary>
public class ChatHost
{
    /// <summary>Whether an error may pass, and when.</summary>
    public virtual HostFault Fault(Exception error) => error switch
    {
        HttpRequestException { StatusCode: { } status } => new(IsTransient((int)status)),
        HttpRequestException or IOException or TimeoutException or JsonException => new(true),
        { InnerException: { } inner } => Fault(inner),
        _ => new(false),
    };

    /// <summary>Asks for log-probabilities of the tokens written.</summary>
    /// <returns>False where the host gives none.</returns>
    public virtual bool AskForLogProbs(ChatOptions options) => false;

    /// <summary>The tokens of a reply with their alternatives; null where the host gave none.</summary>
    public virtual IReadOnlyList<TokenAlternatives>? LogProbs(ChatResponse response) => null;

    /// <summary>Time-outs, conflicts, too many requests and the host's own errors may pass.</summary>
    protected static bool IsTransient(int status) => (HttpStatusCode)status is HttpStatusCode.RequestTimeout or HttpStatusCode.Conflict or HttpStatusCode.TooManyRequests || status >= 500;
}
