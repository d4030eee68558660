using System.ClientModel;
using System.ClientModel.Primitives;
using System.Globalization;
using System.Text.Json;
using J1.Extensions.AI;
using J1.Judging;
using Microsoft.Extensions.AI;
using OpenAI;

namespace J1.Apps.Tests.OpenAI;

/// <summary>Judge and judged over real HTTP, through the OpenAI package.</summary>
public sealed class OpenAITests
{
    private static readonly JudgeFormat Pointwise = new() { Mode = JudgeMode.Pointwise };
    private static readonly ChatClientJudgeOptions Quick = new() { Host = new OpenAIHost(), RetryDelay = TimeSpan.FromMilliseconds(1), Timeout = TimeSpan.FromSeconds(30) };

    internal static IChatClient Client(OpenAIServer server) => new global::OpenAI.Chat.ChatClient("served", new ApiKeyCredential("key"), new OpenAIClientOptions { Endpoint = server.Endpoint, RetryPolicy = new ClientRetryPolicy(0) }).AsIChatClient();

    [Fact]
    public async Task A_served_model_judges_in_both_orders()
    {
        await using var server = await OpenAIServer.StartAsync((body, _) =>
        {
            var prompt = OpenAIServer.LastText(body);
            return new($"<think> Looking. </think> <answer> [[{(prompt.Contains("[Response A]\ngood", StringComparison.Ordinal) ? "A" : "B")}]] </answer>");
        });
        using var client = Client(server);
        using var judge = new ChatClientJudge(client, new JudgeFormat(), Quick);
        var judged = await judge.CompareAsync("Which?", "bad", "good");
        Assert.Equal((Outcome.B, false, -1.0), (judged.Outcome, judged.Flipped, judged.Margin));
        Assert.Equal(2, server.Requests);
        Assert.Equal("Looking.", judged.First[0].Thought);
        Assert.Equal(10, judged.First[0].Tokens);
        Assert.Equal(0, server.Bodies[0].GetProperty("temperature").GetDouble());
        Assert.Contains("served", judge.Provenance.Model, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("TooMany")]
    [InlineData("ServerError")]
    [InlineData("CutBody")]
    [InlineData("MalformedJson")]
    public async Task A_fault_that_passes_is_asked_through_and_one_that_stays_is_a_failed_reading(string name)
    {
        var fault = Enum.Parse<Fault>(name);
        await using var passing = await OpenAIServer.StartAsync((_, number) => new("<score> 7 </score>") { Fault = number < 2 ? fault : Fault.None });
        using var client = Client(passing);
        using var judge = new ChatClientJudge(client, Pointwise, Quick);
        Assert.Equal(7, (await new JudgeRater(judge).RateAsync("Q", "x")).Score);
        Assert.Equal(3, passing.Requests);

        await using var staying = await OpenAIServer.StartAsync((_, _) => new("<score> 7 </score>") { Fault = fault });
        using var other = Client(staying);
        using var patient = new ChatClientJudge(other, Pointwise, Quick with { MaxCalls = 2 });
        var rating = await new JudgeRater(patient).RateAsync("Q", "x");
        Assert.Equal((null, InvalidReason.Failed), (rating.Score, rating.Invalid));
        Assert.NotEmpty(rating.Reason);
        Assert.Equal(2, staying.Requests);
    }

    [Fact]
    public async Task A_server_that_does_not_reply_is_left_after_the_time_limit()
    {
        await using var server = await OpenAIServer.StartAsync((_, _) => new("") { Fault = Fault.NoReply });
        using var client = Client(server);
        using var judge = new ChatClientJudge(client, Pointwise, Quick with { Timeout = TimeSpan.FromMilliseconds(100), MaxCalls = 2 });
        var rating = await new JudgeRater(judge).RateAsync("Q", "x");
        Assert.Equal(InvalidReason.Failed, rating.Invalid);
        Assert.Contains("No reply within", rating.Reason, StringComparison.Ordinal);
        Assert.Equal(2, server.Requests);
    }

    [Theory]
    [InlineData("0.05", 0.05)]
    [InlineData("7", 7)]
    [InlineData("Thu, 01 Jan 2026 00:00:09 GMT", 9)]
    [InlineData("nonsense", 3)]
    [InlineData(null, 3)]
    public async Task The_wait_the_server_asks_for_is_kept_in_seconds_or_until_a_date(string? retryAfter, double seconds)
    {
        var time = new ManualTime();
        await using var server = await OpenAIServer.StartAsync((_, number) => new("<score> 7 </score>") { Fault = number == 0 ? Fault.TooMany : Fault.None, RetryAfter = retryAfter });
        using var client = Client(server);
        using var judge = new ChatClientJudge(client, Pointwise, Quick with { Clock = time, Host = new OpenAIHost(time), RetryDelay = TimeSpan.FromSeconds(3), Timeout = TimeSpan.FromDays(1) });
        var rating = new JudgeRater(judge).RateAsync("Q", "x").AsTask();
        // One timer is the call's time limit; the second is the wait.
        while (time.Waiting < 2) await Task.Delay(1);
        time.Advance(TimeSpan.FromSeconds(seconds - 0.01));
        await Task.Delay(20);
        Assert.Equal((1, 2), (server.Requests, time.Waiting));
        time.Advance(TimeSpan.FromSeconds(0.02));
        Assert.Equal(7, (await rating).Score);
    }

    [Fact]
    public async Task An_error_of_ours_is_not_asked_again()
    {
        await using var server = await OpenAIServer.StartAsync((_, _) => new("x"));
        using var client = new global::OpenAI.Chat.ChatClient("served", new ApiKeyCredential("key"), new OpenAIClientOptions { Endpoint = new Uri(server.Endpoint + "/nowhere"), RetryPolicy = new ClientRetryPolicy(0) }).AsIChatClient();
        using var judge = new ChatClientJudge(client, Pointwise, Quick with { RetryDelay = TimeSpan.FromSeconds(30) });
        Assert.Equal(InvalidReason.Failed, (await new JudgeRater(judge).RateAsync("Q", "x")).Invalid);
        Assert.False(new OpenAIHost().Fault(new ClientResultException("no", null)) is { IsTransient: false });
    }

    [Fact]
    public async Task A_schema_is_sent_and_what_comes_back_is_read_by_it()
    {
        await using var server = await OpenAIServer.StartAsync((_, _) => new("""{"thought":"Short.","score":2.5}"""));
        using var client = Client(server);
        using var judge = new ChatClientJudge(client, Pointwise, Quick with { Reply = JudgeReply.Json });
        var rating = await new JudgeRater(judge).RateAsync("Q", "x");
        Assert.Equal((2.5, "Short."), (rating.Score, rating.Reason));
        var schema = server.Bodies[0].GetProperty("response_format").GetProperty("json_schema").GetProperty("schema");
        Assert.Equal(["thought", "score"], schema.GetProperty("required").EnumerateArray().Select(name => name.GetString()));
    }

    [Fact]
    public async Task The_letters_log_probabilities_make_an_instant_verdict_a_number()
    {
        await using var server = await OpenAIServer.StartAsync((body, _) =>
        {
            var first = OpenAIServer.LastText(body).IndexOf("good", StringComparison.Ordinal) < OpenAIServer.LastText(body).IndexOf("bad", StringComparison.Ordinal);
            (string, double)[] letters = [("A", first ? -0.1 : -1.9), ("B", first ? -2.1 : -0.4)];
            return new($"<answer> [[{(first ? "A" : "B")}]] </answer>") { LogProbs = [("<answer>", [("<answer>", 0)]), (" [[", [(" [[", 0)]), (first ? "A" : "B", letters), ("]]", [("]]", 0)])] };
        });
        using var client = Client(server);
        using var judge = new ChatClientJudge(client, new JudgeFormat { Thinking = false }, Quick with { Reply = JudgeReply.LogProbs });
        var judged = await judge.CompareAsync("Which?", "good", "bad");
        Assert.Equal(2, judged.First[0].LogOdds!.Value, 5);
        Assert.Equal(-1.5, judged.Second[0].LogOdds!.Value, 5);
        Assert.Equal(1.75, judged.Margin!.Value, 5);
        Assert.Equal(1 / (1 + Math.Exp(-1.75)), judged.Probability!.Value, 5);
        Assert.Equal(20, server.Bodies[0].GetProperty("top_logprobs").GetInt32());

        // Where the server sends none, the letter it wrote counts.
        await using var silent = await OpenAIServer.StartAsync((_, _) => new("<answer> [[A]] </answer>"));
        using var other = Client(silent);
        using var plain = new ChatClientJudge(other, new JudgeFormat { Thinking = false }, Quick with { Reply = JudgeReply.LogProbs });
        Assert.Equal((null, true), ((await plain.CompareAsync("Which?", "good", "bad")).First[0].LogOdds, (await plain.CompareAsync("Which?", "good", "bad")).Flipped));
    }

    [Fact]
    public async Task A_cut_stream_is_a_failed_attempt_and_another_one_is_made()
    {
        await using var server = await OpenAIServer.StartAsync((body, number) => new(number switch { 0 => "this is a 3", 1 => "cut in the middle 9", _ => "fine at last 8" }) { Fault = number == 1 ? Fault.CutBody : Fault.None });
        using var client = Client(server).UseJudge(new JudgeOptions
        {
            Rater = ScriptedRater.ByNumber(),
            OnJudgeFailure = JudgeFailure.Release,
            Streaming = JudgeStreaming.BufferThenRelease,
            Threshold = 7,
            MaxAttempts = 3,
            Candidates = 2,
        });
        var updates = await client.GetStreamingResponseAsync("How?").ToListAsync();
        var verdict = updates[^1].GetVerdict()!;
        Assert.Equal("fine at last 8", string.Concat(updates.Select(update => update.Text)));
        Assert.Equal((8.0, 3), (verdict.Score, verdict.Answers));
        Assert.Equal(4, server.Requests);
        Assert.True(verdict.Tokens >= 30);

        await using var always = await OpenAIServer.StartAsync((_, _) => new("cut in the middle 9") { Fault = Fault.CutBody });
        using var broken = Client(always).UseJudge(new JudgeOptions { Rater = ScriptedRater.ByNumber(), OnJudgeFailure = JudgeFailure.Release, Streaming = JudgeStreaming.ReleaseThenAnnotate });
        var seen = new List<ChatResponseUpdate>();
        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await foreach (var update in broken.GetStreamingResponseAsync("How?")) seen.Add(update);
        });
        Assert.All(seen, update => Assert.Null(update.GetVerdict()));
    }
}

/// <summary>A thousand requests at once, a fifth of all calls failing.</summary>
[Collection(Alone.Name)]
public sealed class OpenAILoadTests
{
    [Fact]
    public async Task Of_a_thousand_judged_requests_none_is_lost_or_counted_twice_and_budgets_are_kept()
    {
        var unobserved = new List<string>();
        void Note(object? sender, UnobservedTaskExceptionEventArgs args)
        {
            lock (unobserved) unobserved.Add(args.Exception.ToString());
        }
        TaskScheduler.UnobservedTaskException += Note;
        try
        {
            await RunAsync();
            for (var i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            Assert.Empty(unobserved);
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= Note;
        }
    }

    private static async Task RunAsync()
    {
        const int Count = 1000, AnswerTokens = 10, RatingTokens = 7, Budget = 2 * (AnswerTokens + RatingTokens);
        var (answered, rated, faults) = (new int[Count], new int[Count], 0);
        // Every fifth call fails, in turn in each way.
        await using var server = await OpenAIServer.StartAsync((body, number) =>
        {
            var (prompt, isRating) = (OpenAIServer.LastText(body), body.GetProperty("model").GetString() == "judge");
            var id = int.Parse(body.GetProperty("messages").GetRawText().Split('#')[1].Split(' ')[0], CultureInfo.InvariantCulture);
            if (number % 5 == 0)
            {
                Interlocked.Increment(ref faults);
                return new("x") { Fault = (number / 5 % 5) switch { 0 => Fault.TooMany, 1 => Fault.ServerError, 2 => Fault.CutBody, 3 => Fault.LateCut, _ => Fault.MalformedJson }, RetryAfter = "0.01" };
            }
            if (!isRating)
            {
                Interlocked.Increment(ref answered[id]);
                return new($"Answer to #{id} is {(prompt.StartsWith("A reviewer", StringComparison.Ordinal) ? "better" : "poor")}") { Tokens = AnswerTokens };
            }
            Interlocked.Increment(ref rated[id]);
            // A third of the first answers is good enough; the second always is better, not always enough; there is no budget for a third.
            var score = prompt.Contains("is better", StringComparison.Ordinal) ? id % 2 == 0 ? 9 : 6 : id % 3 == 0 ? 8 : 2;
            return new($"<think> Seen. </think><score> {score} </score>") { Tokens = RatingTokens };
        });
        IChatClient Of(string model) => new global::OpenAI.Chat.ChatClient(model, new ApiKeyCredential("key"), new OpenAIClientOptions { Endpoint = server.Endpoint, RetryPolicy = new ClientRetryPolicy(0) }).AsIChatClient();
        using var judge = new ChatClientJudge(Of("judge"), new JudgeFormat { Mode = JudgeMode.Pointwise }, new()
        {
            Host = new OpenAIHost(),
            MaxConcurrency = 100,
            MaxCalls = 8,
            RetryDelay = TimeSpan.FromMilliseconds(2),
            Timeout = TimeSpan.FromMinutes(2),
        });
        var told = 0;
        using var client = Of("writer").UseJudge(new JudgeOptions
        {
            Rater = new JudgeRater(judge),
            OnJudgeFailure = JudgeFailure.Release,
            Streaming = JudgeStreaming.Refuse,
            Threshold = 7,
            MaxAttempts = 5,
            TokenBudget = Budget,
            JudgeTimeout = TimeSpan.FromMinutes(5),
            OnVerdict = _ => Interlocked.Increment(ref told),
        });
        var outcomes = await Task.WhenAll(Enumerable.Range(0, Count).Select(async id =>
        {
            try
            {
                return (Id: id, Response: (ChatResponse?)await client.GetResponseAsync($"What is #{id} ?"), Error: (Exception?)null);
            }
            catch (Exception error)
            {
                return (id, null, error);
            }
        }));

        Assert.Equal(Count, outcomes.Length);
        Assert.InRange(faults, 300, 900);
        foreach (var (id, response, error) in outcomes)
        {
            // Where the first answer itself failed there is nothing to judge: that error, and no verdict.
            if (response is null)
            {
                Assert.True(error is ClientResultException or JsonException or IOException or HttpRequestException or ArgumentException or FormatException or InvalidOperationException, error!.ToString());
                Assert.Equal((0, 0), (answered[id], rated[id]));
                continue;
            }
            Assert.Contains($"#{id} ", response.Text, StringComparison.Ordinal);
            var verdict = response.GetVerdict()!;
            Assert.Equal((answered[id], rated[id]), (verdict.Answers, verdict.Ratings.Count(rating => rating!.IsValid)));
            Assert.Equal(answered[id] * AnswerTokens + rated[id] * RatingTokens, verdict.Tokens);
            Assert.InRange(verdict.Tokens, AnswerTokens, Budget);
            Assert.InRange(verdict.Answers, 1, 2);
            Assert.Equal(verdict.Ratings.Max(rating => rating!.Score), verdict.Score);
            if (verdict.Outcome == AnswerOutcome.Low) Assert.Contains(verdict.Stopped!.Value, (StopReason[])[StopReason.Tokens, StopReason.ModelFailed]);
        }
        var judged = outcomes.Count(outcome => outcome.Response is not null);
        Assert.Equal(judged, told);
        Assert.InRange(judged, 700, 900);
        Assert.Contains(outcomes, outcome => outcome.Response?.GetVerdict()?.Answers == 2);
        Assert.Contains(outcomes, outcome => outcome.Response?.GetVerdict()?.Outcome == AnswerOutcome.Low);
    }
}
