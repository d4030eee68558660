using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using J1.Cli.Configuration;
using J1.Data;
using J1.Engines;

namespace J1.Cli.Running;

/// <summary>A server with the chat completions protocol as a model that writes. What may pass (too many requests, an error of the server, no connection) is tried again a few times.</summary>
internal sealed class ChatEndpoint : IDisposable
{
    private const int Tries = 5;

    private readonly HttpClient _client;
    private readonly SynthesizeSection _settings;
    private readonly EndpointSection _endpoint;
    private readonly TimeProvider _time;

    public ChatEndpoint(SynthesizeSection settings, Func<string, string?> environment, TimeProvider time)
    {
        (_settings, _endpoint, _time) = (settings, settings.Endpoint!, time);
        _client = new HttpClient { Timeout = TimeSpan.FromMinutes(10) };
        if (environment(_endpoint.KeyVariable) is { Length: > 0 } key) _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>The model for <see cref="SyntheticPairs"/>.</summary>
    public ITextModel Model => new DelegateTextModel(
        string.Create(CultureInfo.InvariantCulture, $"{_endpoint.Url} {_endpoint.Model} {_settings.Temperature} {_settings.TopP} {_settings.MaxTokens}"), WriteAsync, _settings.AtOnce);

    public void Dispose() => _client.Dispose();

    /// <summary>A reply; null where it was cut off or refused.</summary>
    /// <exception cref="UsageException">The server will not answer such a request.</exception>
    /// <exception cref="IOException">It could not answer, at several tries.</exception>
    private async Task<string?> WriteAsync(IReadOnlyList<ChatMessage> messages, ulong seed, CancellationToken cancellationToken)
    {
        var body = new JsonObject
        {
            ["model"] = _endpoint.Model,
            ["messages"] = new JsonArray([.. messages.Select(message => (JsonNode)new JsonObject { ["role"] = message.Role, ["content"] = message.Content })]),
            ["temperature"] = _settings.Temperature,
            ["top_p"] = _settings.TopP,
            ["max_tokens"] = _settings.MaxTokens,
            ["seed"] = (int)(seed >> 33),
        }.ToJsonString();
        for (var attempt = 1; ; attempt++)
        {
            var wait = TimeSpan.FromSeconds(Math.Pow(2, attempt - 1));
            string problem;
            try
            {
                using var content = new StringContent(body, Encoding.UTF8, "application/json");
                using var response = await _client.PostAsync(new Uri(_endpoint.Url.TrimEnd('/') + "/chat/completions"), content, cancellationToken).ConfigureAwait(false);
                var text = await response.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
                if (response.IsSuccessStatusCode) return Reply(text);
                problem = $"{(int)response.StatusCode} {response.ReasonPhrase}: {text[..Math.Min(text.Length, 300)]}";
                if (response.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError))
                    throw new UsageException($"{_endpoint.Url} refuses: {problem}");
                if (response.Headers.RetryAfter?.Delta is { } asked) wait = asked;
            }
            catch (HttpRequestException error)
            {
                problem = error.Message;
            }
            catch (TaskCanceledException error) when (!cancellationToken.IsCancellationRequested)
            {
                problem = error.Message;
            }
            if (attempt == Tries) throw new IOException($"{_endpoint.Url} did not answer in {Tries} tries: {problem}");
            await Task.Delay(wait, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    private string? Reply(string text)
    {
        try
        {
            var choice = JsonNode.Parse(text)!["choices"]![0]!;
            return choice["finish_reason"]?.GetValue<string>() is null or "stop" ? choice["message"]!["content"]?.GetValue<string>() : null;
        }
        catch (Exception error) when (error is JsonException or NullReferenceException or InvalidOperationException or ArgumentOutOfRangeException)
        {
            throw new IOException($"{_endpoint.Url} sent something else than a chat completion: {text[..Math.Min(text.Length, 300)]}", error);
        }
    }
}
