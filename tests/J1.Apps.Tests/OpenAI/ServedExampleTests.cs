using J1.Apps.Tests.Examples;

namespace J1.Apps.Tests.OpenAI;

/// <summary>The examples that talk to a server, with one on this machine.</summary>
public sealed class ServedExampleTests
{
    private static Reply Answer(System.Text.Json.JsonElement body)
    {
        var prompt = OpenAIServer.LastText(body);
        if (prompt.Contains("[End of Response]", StringComparison.Ordinal))
            return new($"<think> Looking for care. </think> <score> {(prompt.Contains("\nThe careful", StringComparison.Ordinal) ? 9 : 4)} </score>");
        return new(prompt.Contains("A reviewer gave", StringComparison.Ordinal) ? "The careful answer." : "Dunno.");
    }

    [Fact]
    public async Task A_console_chat_rates_and_retries()
    {
        await using var server = await OpenAIServer.StartAsync((body, _) => Answer(body));
        var (code, output, error) = await ExampleTests.RunAsync("RateAndRetry", [server.Endpoint.ToString(), "model"], "What is it?\nAnd now?\n");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal("The careful answer.\n  [Accepted: 9, answer 2 of 2. Looking for care.]\nThe careful answer.\n  [Accepted: 9, answer 2 of 2. Looking for care.]\n", output);
        Assert.Equal(8, server.Requests);
        Assert.Equal(2, (await ExampleTests.RunAsync("RateAndRetry")).Code);
    }

    [Fact]
    public async Task A_kernels_functions_are_evaluated_one_and_all()
    {
        await using var server = await OpenAIServer.StartAsync((body, _) => OpenAIServer.LastText(body).StartsWith("Write one question", StringComparison.Ordinal) ? new("Hm?") : Answer(body));
        var (code, output, error) = await ExampleTests.RunAsync("KernelEvaluates", [server.Endpoint.ToString(), "model", "the sea"]);
        Assert.Equal((0, ""), (code, error));
        // The title, again the title for the text's second attempt, the text; and the question, which stays low and is not shown.
        Assert.Equal("  [Accepted, scores 4, 9]\n  [Accepted, scores 4, 9]\n  [Accepted, scores 4, 9]\nThe careful answer.\n  [Low, scores 4, 4]\n(nothing good enough was written)\n", output);
    }
}
