using System.Net;
using System.Text.Json;
using J1.Data;
using J1.Extensions.AI;
using J1.Judging;
using Microsoft.Extensions.AI;

namespace J1.Apps.Tests.Judges;

public sealed class ChatClientJudgeTests
{
    private static readonly ChatClientJudgeOptions Once = new() { MaxCalls = 1 };

    /// <summary>A model that prefers "good", and gives it 8 points and others 3, in whatever form it is asked for.</summary>
    private static string Judge(IReadOnlyList<ChatMessage> messages)
    {
        var prompt = messages[^1].Text;
        var (a, b) = (Score("[Response A]"), Score("[Response B]"));
        var (letter, alone) = (a >= b ? "A" : "B", Score("[Response]"));
        var json = messages[0].Role == ChatRole.System ? messages[0].Text : null;
        if (json is not null)
        {
            var said = new Dictionary<string, object>();
            if (json.Contains("thought", StringComparison.Ordinal)) said["thought"] = "Because.";
            if (json.Contains("score_a", StringComparison.Ordinal)) (said["score_a"], said["score_b"]) = (a, b);
            else if (json.Contains("score", StringComparison.Ordinal)) said["score"] = alone;
            if (json.Contains("answer", StringComparison.Ordinal)) said["answer"] = letter;
            return JsonSerializer.Serialize(said);
        }
        var thought = prompt.Contains("Think first", StringComparison.Ordinal) ? "<think> Because. </think>\n" : "";
        var scores = prompt.Contains("<score_A>", StringComparison.Ordinal) ? $"<score_A> {a} </score_A> <score_B> {b} </score_B>" : prompt.Contains("<score>", StringComparison.Ordinal) ? $"<score> {alone} </score>" : "";
        return thought + scores + (prompt.Contains("<answer>", StringComparison.Ordinal) ? $"<answer> [[{letter}]] </answer>" : "");

        int Score(string header) => prompt.IndexOf("\n" + header + "\n", StringComparison.Ordinal) is >= 0 and var at && prompt[(at + header.Length + 2)..].StartsWith("good", StringComparison.Ordinal) ? 8 : 3;
    }

    public static TheoryData<JudgeMode, bool, JudgeReply> Ways()
    {
        var ways = new TheoryData<JudgeMode, bool, JudgeReply>();
        foreach (var mode in Enum.GetValues<JudgeMode>())
            foreach (var thinking in (bool[])[true, false])
                foreach (var reply in (JudgeReply[])[JudgeReply.Text, JudgeReply.Json])
                    ways.Add(mode, thinking, reply);
        return ways;
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Every_mode_is_asked_in_both_orders_and_read(JudgeMode mode, bool thinking, JudgeReply reply)
    {
        using var client = new ScriptedChatClient((_, messages) => Judge(messages));
        using var judge = new ChatClientJudge(client, new JudgeFormat { Mode = mode, Thinking = thinking }, Once with { Reply = reply });
        var better = await judge.CompareAsync("Which?", "good", "bad");
        var worse = await judge.CompareAsync("Which?", "bad", "good");
        Assert.Equal((Outcome.A, Outcome.B, false), (better.Outcome, worse.Outcome, better.Flipped));
        Assert.Equal(better.Margin, -worse.Margin);
        Assert.Equal(mode is JudgeMode.Scores or JudgeMode.Pointwise ? 5 : 1, better.Margin);
        Assert.Equal(4, client.Calls);
        Assert.Equal(thinking ? "Because." : null, better.First[0].Thought);
        if (mode != JudgeMode.Verdict) Assert.Equal(8, better.First[0].ScoreA);
        Assert.Equal(reply == JudgeReply.Json, client.Options[0]!.ResponseFormat is ChatResponseFormatJson { Schema: not null });
        Assert.Equal((0f, 2048), (client.Options[0]!.Temperature, client.Options[0]!.MaxOutputTokens));
    }

    [Fact]
    public async Task A_model_that_always_takes_the_first_flips_and_does_not_win()
    {
        using var judge = new ChatClientJudge(new ScriptedChatClient("<answer> [[A]] </answer>"), new JudgeFormat(), Once);
        var judged = await judge.CompareAsync("Which?", "x", "y");
        Assert.Equal((Outcome.Tie, true, 0.0), (judged.Outcome, judged.Flipped, judged.Margin));
    }

    [Fact]
    public async Task Votes_are_counted_an_order_and_have_seeds_of_their_own()
    {
        using var client = new ScriptedChatClient((call, _) => $"<answer> [[{(call % 3 == 0 ? "B" : "A")}]] </answer>");
        using var judge = new ChatClientJudge(client, new JudgeFormat(), Once with { Votes = 3, Seed = 7, MaxConcurrency = 1, Sampling = new() { Temperature = 1, TopP = 0.95f } });
        var judged = await judge.CompareAsync("Which?", "x", "y");
        Assert.Equal((3, 3), (judged.First.Count, judged.Second.Count));
        Assert.Equal((Outcome.A, Outcome.B), (judged.FirstOrder, judged.SecondOrder));
        Assert.Equal([7L, 8L, 9L, 7L, 8L, 9L], client.Options.Select(options => options!.Seed));
        Assert.Equal(0.95f, client.Options[0]!.TopP);
        Assert.Equal(3, judged.Provenance.Votes);
    }

    [Fact]
    public async Task What_cannot_be_read_is_invalid_with_its_reason_and_never_a_number()
    {
        Assert.Equal(InvalidReason.Unparsed, await Reason(new ScriptedChatClient("I like both.")));
        Assert.Equal(InvalidReason.Conflicting, await Reason(new ScriptedChatClient("<answer> [[A]] </answer> <answer> [[B]] </answer>")));
        Assert.Equal(InvalidReason.Truncated, await Reason(new ScriptedChatClient("<think> so") { Wrap = text => Of(text, ChatFinishReason.Length) }));
        Assert.Equal(InvalidReason.Refused, await Reason(new ScriptedChatClient("") { Wrap = text => Of(text, ChatFinishReason.ContentFilter) }));
        Assert.Equal(InvalidReason.Refused, await Reason(new ScriptedChatClient("") { Wrap = _ => new(new ChatMessage(ChatRole.Assistant, [new ErrorContent("I will not.")])) }));
        Assert.Equal(InvalidReason.Failed, await Reason(new ScriptedChatClient((_, _) => throw new InvalidOperationException("broken"))));
        foreach (var json in (string[])["", "{", "[]", "null", """{"answer":"C"}""", """{"answer":1}""", """{"answer":"A","answer":"B"}""", """{"answer":"A"} and more""", "NaN"])
            Assert.Equal(InvalidReason.Unparsed, await Reason(new ScriptedChatClient(json), JudgeReply.Json));
        Assert.Equal(InvalidReason.Truncated, await Reason(new ScriptedChatClient("""{"thought":"so""") { Wrap = text => Of(text, ChatFinishReason.Length) }, JudgeReply.Json));
        foreach (var json in (string[])["""{"score":11}""", """{"score":-1}""", """{"score":"7"}""", """{"score":1e999}"""])
            Assert.Equal(InvalidReason.Unparsed, await Reason(new ScriptedChatClient(json), JudgeReply.Json, JudgeMode.Pointwise));

        static ChatResponse Of(string text, ChatFinishReason finish) => new(new ChatMessage(ChatRole.Assistant, text)) { FinishReason = finish };

        static async Task<InvalidReason?> Reason(IChatClient client, JudgeReply reply = JudgeReply.Text, JudgeMode mode = JudgeMode.Verdict)
        {
            using var judge = new ChatClientJudge(client, new JudgeFormat { Mode = mode }, Once with { Reply = reply });
            var judged = await judge.CompareAsync("Which?", "x", "y");
            Assert.Equal((Outcome.Invalid, null, null), (judged.Outcome, judged.Margin, judged.Comparison));
            return judged.Invalid;
        }
    }

    [Fact]
    public async Task A_thought_that_comes_apart_from_the_answer_is_kept_and_tokens_are_counted()
    {
        var client = new ScriptedChatClient("<score> 6.5 </score>")
        {
            Wrap = text => new(new ChatMessage(ChatRole.Assistant, [new TextReasoningContent("Hm. <score> 1 </score>"), new TextContent(text)])) { Usage = new() { TotalTokenCount = 42 } },
        };
        using var judge = new ChatClientJudge(client, new JudgeFormat { Mode = JudgeMode.Pointwise }, Once);
        var rating = await new JudgeRater(judge).RateAsync("Q", "x");
        Assert.Equal((6.5, "Hm. <score> 1 </score>", 42), (rating.Score, rating.Reason, rating.Tokens));
    }

    [Fact]
    public async Task No_more_calls_are_under_way_than_allowed()
    {
        var (now, most) = (0, 0);
        var client = new ScriptedChatClient("<answer> [[A]] </answer>")
        {
            Before = async (_, token) =>
            {
                var running = Interlocked.Increment(ref now);
                for (var seen = Volatile.Read(ref most); running > seen; seen = Volatile.Read(ref most)) Interlocked.CompareExchange(ref most, running, seen);
                await Task.Delay(5, token);
                Interlocked.Decrement(ref now);
            },
        };
        using var judge = new ChatClientJudge(client, new JudgeFormat(), Once with { MaxConcurrency = 3 });
        var pairs = Enumerable.Range(0, 10).Select(i => new PreferencePair { Id = $"{i}", Instruction = "Q", ResponseA = $"a{i}", ResponseB = $"b{i}" }).ToArray();
        await Task.WhenAll(judge.JudgeAsync(pairs).AsTask(), judge.JudgeAsync(pairs).AsTask());
        Assert.Equal((3, 40), (most, client.Calls));
    }

    [Fact]
    public async Task What_may_pass_is_asked_again_after_the_wait_the_host_names_or_ever_longer_ones()
    {
        var time = new ManualTime();
        var client = new ScriptedChatClient((call, _) => call switch
        {
            0 => throw new HttpRequestException("busy", null, HttpStatusCode.TooManyRequests),
            1 => throw new HttpRequestException("oops", null, HttpStatusCode.InternalServerError),
            2 => throw new IOException("cut"),
            _ => "<score> 7 </score>",
        });
        using var judge = new ChatClientJudge(client, new JudgeFormat { Mode = JudgeMode.Pointwise }, new() { Clock = time, RetryDelay = TimeSpan.FromSeconds(1), Host = new PatientHost() });
        var rating = new JudgeRater(judge).RateAsync("Q", "x").AsTask();
        foreach (var (calls, wait) in ((int, double)[])[(1, 17), (2, 2), (3, 4)])
        {
            await UntilAsync(() => time.Waiting > 0 && client.Calls == calls);
            time.Advance(TimeSpan.FromSeconds(wait - 0.01));
            Assert.Equal(calls, client.Calls);
            time.Advance(TimeSpan.FromSeconds(0.02));
        }
        Assert.Equal(7, (await rating).Score);
    }

    [Theory]
    [InlineData(HttpStatusCode.Unauthorized, 1)]
    [InlineData(HttpStatusCode.BadRequest, 1)]
    [InlineData(HttpStatusCode.ServiceUnavailable, 3)]
    public async Task Only_what_may_pass_is_asked_again_and_only_so_often(HttpStatusCode status, int calls)
    {
        var client = new ScriptedChatClient((_, _) => throw new HttpRequestException("no", null, status));
        using var judge = new ChatClientJudge(client, new JudgeFormat { Mode = JudgeMode.Pointwise }, new() { MaxCalls = 3, RetryDelay = TimeSpan.Zero });
        var rating = await new JudgeRater(judge).RateAsync("Q", "x");
        Assert.Equal((null, InvalidReason.Failed, "HttpRequestException: no"), (rating.Score, rating.Invalid, rating.Reason));
        Assert.Equal(calls, client.Calls);
    }

    [Fact]
    public async Task A_wait_longer_than_the_longest_is_not_waited_for()
    {
        var client = new ScriptedChatClient((_, _) => throw new HttpRequestException("busy", null, HttpStatusCode.TooManyRequests));
        using var judge = new ChatClientJudge(client, new JudgeFormat(), new() { Host = new PatientHost(), MaxRetryDelay = TimeSpan.FromSeconds(16) });
        Assert.Equal(InvalidReason.Failed, (await judge.CompareAsync("Which?", "x", "y")).Invalid);
        Assert.Equal(2, client.Calls);
    }

    [Fact]
    public async Task A_cancelled_call_is_cancelled_and_one_without_a_reply_fails()
    {
        var waits = new ScriptedChatClient("x") { Before = (_, token) => Task.Delay(Timeout.Infinite, token) };
        using var judge = new ChatClientJudge(waits, new JudgeFormat(), Once with { Timeout = TimeSpan.FromMilliseconds(20) });
        var judged = await judge.CompareAsync("Which?", "x", "y");
        Assert.Equal(InvalidReason.Failed, judged.Invalid);
        Assert.Contains("No reply within 00:00:00.02", judged.First[0].Text, StringComparison.Ordinal);
        using var cancelled = new CancellationTokenSource();
        using var patient = new ChatClientJudge(waits, new JudgeFormat(), Once);
        var asking = patient.CompareAsync("Which?", "x", "y", cancelled.Token).AsTask();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
    }

    [Fact]
    public async Task Equal_questions_are_asked_once_where_the_judge_is_cached()
    {
        var client = new ScriptedChatClient("<score> 6 </score>");
        using var judge = new ChatClientJudge(client, new JudgeFormat { Mode = JudgeMode.Pointwise }, Once);
        var rater = new JudgeRater(judge, around: inner => new CachedJudge(inner));
        Assert.Equal(6, (await rater.RateAsync("Q", "x")).Score);
        Assert.Equal(6, (await rater.RateAsync("Q", "x")).Score);
        Assert.Equal(1, client.Calls);
        await rater.RateAsync("Q", "y");
        Assert.Equal(2, client.Calls);
        using var pairs = new CachedJudge(new ChatClientJudge(client, new JudgeFormat(), Once));
        await pairs.CompareAsync("Q", "x", "y");
        await pairs.CompareAsync("Q", "x", "y");
        Assert.Equal(4, client.Calls);
    }

    [Fact]
    public void Identities_differ_where_the_judgements_may()
    {
        string Of(JudgeFormat format, ChatClientJudgeOptions options) => new ChatClientJudge(new ScriptedChatClient("x"), format, options).Identity;
        string[] identities =
        [
            Of(new(), Once), Of(new() { Mode = JudgeMode.Scores }, Once), Of(new() { Thinking = false }, Once), Of(new(), Once with { Model = "other" }), Of(new(), Once with { Seed = 1 }),
            Of(new(), Once with { Votes = 2 }), Of(new(), Once with { Reply = JudgeReply.Json }), Of(new(), Once with { Sampling = new() { Temperature = 0.5f } }),
        ];
        Assert.Equal(identities.Length, identities.Distinct().Count());
        Assert.Equal(Of(new(), Once), Of(new(), Once with { MaxConcurrency = 99 }));
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        foreach (var options in (ChatClientJudgeOptions[])[new() { Votes = 0 }, new() { MaxConcurrency = 0 }, new() { MaxCalls = 0 }, new() { Timeout = TimeSpan.Zero }, new() { Sampling = new() { MinP = 0.1f } },
            new() { RetryDelay = TimeSpan.FromMinutes(1) }, new() { Reply = JudgeReply.LogProbs }])
            Assert.Throws<ArgumentException>(() => new ChatClientJudge(new ScriptedChatClient("x"), new JudgeFormat(), options));
        using var pairwise = new ChatClientJudge(new ScriptedChatClient("x"), new JudgeFormat());
        Assert.Contains("pointwise", Assert.Throws<ArgumentException>(() => new JudgeRater(pairwise)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_letter_is_found_among_the_tokens_and_its_alternatives_are_weighed()
    {
        static TokenAlternatives Token(string token, params (string Token, double LogProb)[] alternatives) =>
            new(token, [.. alternatives.Select(one => new KeyValuePair<string, double>(one.Token, one.LogProb))]);
        var odds = LetterOdds.Of([Token("<answer>"), Token(" [["), Token("A", ("A", -0.5), (" A", -3), ("B", -1.5), ("C", -9)), Token("]]")]);
        Assert.Equal(Math.Log(Math.Exp(-0.5) + Math.Exp(-3)) + 1.5, odds!.Value, 12);
        Assert.Equal(-1, LetterOdds.Of([Token("B", ("B", -1), ("A", -2))]));
        Assert.Equal(8, LetterOdds.Of([Token(" [[A", ("A", -1), ("x", -9))]));
        Assert.Null(LetterOdds.Of([Token("Response"), Token(" A", ("A", -1))]));
        Assert.Null(LetterOdds.Of([]));
        Assert.Null(LetterOdds.Of([Token("A")]));
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        while (!holds()) await Task.Delay(1);
    }

    /// <summary>Asks for 17 seconds after a 429.</summary>
    private sealed class PatientHost : ChatHost
    {
        public override HostFault Fault(Exception error) =>
            error is HttpRequestException { StatusCode: HttpStatusCode.TooManyRequests } ? new(true, TimeSpan.FromSeconds(17)) : base.Fault(error);
    }
}
