using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace J1.Apps.Tests.OpenAI;

/// <summary>How a server fails.</summary>
internal enum Fault
{
    None,
    TooMany,
    ServerError,
    NoReply,
    LateCut,
    CutBody,
    MalformedJson,
}

/// <summary>What a server says to a request.</summary>
internal sealed record Reply(string Text)
{
    public Fault Fault { get; init; }

    public string? RetryAfter { get; init; }

    public string FinishReason { get; init; } = "stop";

    public int Tokens { get; init; } = 10;

    /// <summary>Tokens of the text, each with its alternatives, sent where they are asked for.</summary>
    public (string Token, (string Token, double LogProb)[] Alternatives)[]? LogProbs { get; init; }
}

/// <summary>A real server on this machine that speaks the OpenAI protocol, streaming too, and fails when it is told to.</summary>
internal sealed class OpenAIServer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private int _requests;

    private OpenAIServer(WebApplication application) => _application = application;

    public Uri Endpoint { get; private set; } = null!;

    public int Requests => _requests;

    public List<JsonElement> Bodies { get; } = [];

    /// <param name="reply">Given the request's body and its number, from 0.</param>
    public static async Task<OpenAIServer> StartAsync(Func<JsonElement, int, Reply> reply)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var application = builder.Build();
        var server = new OpenAIServer(application);
        application.MapPost("/v1/chat/completions", context => server.AnswerAsync(context, reply));
        await application.StartAsync();
        server.Endpoint = new Uri(application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/v1");
        return server;
    }

    /// <summary>The text of the last message of a request.</summary>
    public static string LastText(JsonElement body)
    {
        var content = body.GetProperty("messages").EnumerateArray().Last().GetProperty("content");
        return content.ValueKind == JsonValueKind.String ? content.GetString()! : string.Concat(content.EnumerateArray().Select(part => part.GetProperty("text").GetString()));
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _application.StopAsync(now.Token);
        await _application.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context, Func<JsonElement, int, Reply> reply)
    {
        using var document = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        var body = document.RootElement.Clone();
        var number = Interlocked.Increment(ref _requests) - 1;
        lock (Bodies) Bodies.Add(body);
        var answer = reply(body, number);
        var streams = body.TryGetProperty("stream", out var stream) && stream.GetBoolean();
        var response = context.Response;
        switch (answer.Fault)
        {
            case Fault.TooMany:
                response.StatusCode = 429;
                if (answer.RetryAfter is not null) response.Headers.RetryAfter = answer.RetryAfter;
                await response.WriteAsJsonAsync(new { error = new { message = "Too many.", type = "rate_limit" } });
                return;
            case Fault.ServerError:
                response.StatusCode = 500;
                await response.WriteAsync("oops");
                return;
            case Fault.NoReply:
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
                return;
            case Fault.LateCut:
                await Task.Delay(200);
                context.Abort();
                return;
            case Fault.MalformedJson:
                response.ContentType = streams ? "text/event-stream" : "application/json";
                await response.WriteAsync(streams ? "data: {\"id\": \n\n" : "{\"id\": \"x\", \"choices\": [");
                return;
        }
        if (streams) await StreamAsync(context, answer);
        else
        {
            var text = Completion(answer, body).ToJsonString();
            response.ContentType = "application/json";
            if (answer.Fault == Fault.CutBody)
            {
                response.ContentLength = System.Text.Encoding.UTF8.GetByteCount(text);
                await response.WriteAsync(text[..(text.Length / 2)]);
                await response.Body.FlushAsync();
                context.Abort();
                return;
            }
            await response.WriteAsync(text);
        }
    }

    private static async Task StreamAsync(HttpContext context, Reply answer)
    {
        context.Response.ContentType = "text/event-stream";
        var words = answer.Text.Split(' ').Select((word, i) => i == 0 ? word : " " + word).ToArray();
        for (var i = 0; i < words.Length; i++)
        {
            if (answer.Fault == Fault.CutBody && i == words.Length / 2)
            {
                await context.Response.Body.FlushAsync();
                context.Abort();
                return;
            }
            await SendAsync(new JsonObject { ["index"] = 0, ["delta"] = new JsonObject { ["role"] = "assistant", ["content"] = words[i] }, ["finish_reason"] = null }, null);
        }
        await SendAsync(new JsonObject { ["index"] = 0, ["delta"] = new JsonObject(), ["finish_reason"] = answer.FinishReason }, null);
        await SendAsync(null, Usage(answer));
        await context.Response.WriteAsync("data: [DONE]\n\n");

        Task SendAsync(JsonObject? choice, JsonObject? usage)
        {
            var chunk = new JsonObject
            {
                ["id"] = "chat-1",
                ["object"] = "chat.completion.chunk",
                ["created"] = 1,
                ["model"] = "served",
                ["choices"] = choice is null ? new JsonArray() : new JsonArray(choice),
                ["usage"] = usage,
            };
            return context.Response.WriteAsync($"data: {chunk.ToJsonString()}\n\n");
        }
    }

    private static JsonObject Completion(Reply answer, JsonElement body)
    {
        var choice = new JsonObject { ["index"] = 0, ["message"] = new JsonObject { ["role"] = "assistant", ["content"] = answer.Text }, ["finish_reason"] = answer.FinishReason };
        if (answer.LogProbs is not null && body.TryGetProperty("logprobs", out var wanted) && wanted.GetBoolean())
            choice["logprobs"] = new JsonObject
            {
                ["content"] = new JsonArray([.. answer.LogProbs.Select(token => (JsonNode)new JsonObject
                {
                    ["token"] = token.Token, ["logprob"] = token.Alternatives[0].LogProb, ["bytes"] = null,
                    ["top_logprobs"] = new JsonArray([.. token.Alternatives.Select(one => (JsonNode)new JsonObject { ["token"] = one.Token, ["logprob"] = one.LogProb, ["bytes"] = null })]),
                })]),
            };
        return new JsonObject { ["id"] = "chat-1", ["object"] = "chat.completion", ["created"] = 1, ["model"] = "served", ["choices"] = new JsonArray(choice), ["usage"] = Usage(answer) };
    }

    private static JsonObject Usage(Reply answer) => new() { ["prompt_tokens"] = answer.Tokens - 1, ["completion_tokens"] = 1, ["total_tokens"] = answer.Tokens };
}
