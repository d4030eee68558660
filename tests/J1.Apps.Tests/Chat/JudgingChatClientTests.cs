using J1.Extensions.AI;
using J1.Judging;
using Microsoft.Extensions.AI;

namespace J1.Apps.Tests.Chat;

public sealed class JudgingChatClientTests
{
    private static readonly JudgeOptions Rated = new() { Rater = ScriptedRater.ByNumber(), OnJudgeFailure = JudgeFailure.Release, Streaming = JudgeStreaming.BufferThenRelease };

    private static JudgeOptions Retried => Rated with { Threshold = 7, MaxAttempts = 3 };

    [Fact]
    public async Task An_answer_is_rated_and_the_verdict_is_in_the_response()
    {
        var rater = ScriptedRater.ByNumber();
        using var client = new ScriptedChatClient("I say 4").UseJudge(Rated with { Rater = rater });
        var response = await client.GetResponseAsync("How many?");
        Assert.Equal("I say 4", response.Text);
        Assert.Equal([("How many?", "I say 4")], rater.Asked);
        var verdict = response.GetVerdict()!;
        Assert.Equal((AnswerOutcome.Accepted, 4.0, 1, 0, false), (verdict.Outcome, verdict.Score, verdict.Answers, verdict.Chosen, verdict.Blocked));
        Assert.Null(verdict.Stopped);
        Assert.Null(verdict.Threshold);
        Assert.Equal("It could be better.", verdict.Reason);
    }

    [Fact]
    public async Task A_low_answer_is_asked_for_again_with_the_judges_reasons()
    {
        using var model = new ScriptedChatClient("first 3", "second 8");
        using var client = model.UseJudge(Retried with { Rater = ScriptedRater.ByNumber("Too short.") });
        List<ChatMessage> conversation = [new(ChatRole.System, "Be kind."), new(ChatRole.User, "How?")];
        var response = await client.GetResponseAsync(conversation);
        Assert.Equal("second 8", response.Text);
        Assert.Equal(2, conversation.Count);
        var again = model.Conversations[1];
        Assert.Equal(["Be kind.", "How?", "first 3"], again.Take(3).Select(message => message.Text));
        Assert.Equal(ChatRole.Assistant, again[2].Role);
        Assert.Equal(ChatRole.User, again[3].Role);
        Assert.Contains("3 of 10", again[3].Text, StringComparison.Ordinal);
        Assert.Contains("Too short.", again[3].Text, StringComparison.Ordinal);
        var verdict = response.GetVerdict()!;
        Assert.Equal((AnswerOutcome.Accepted, 8.0, 2, 1), (verdict.Outcome, verdict.Score, verdict.Answers, verdict.Chosen));
        Assert.Equal([3.0, 8.0], verdict.Ratings.Select(rating => rating!.Score));
    }

    [Fact]
    public async Task Of_attempts_that_are_all_low_the_best_is_kept()
    {
        using var model = new ScriptedChatClient("a 3", "b 6", "c 5");
        var response = await model.UseJudge(Retried).GetResponseAsync("How?");
        Assert.Equal("b 6", response.Text);
        var verdict = response.GetVerdict()!;
        Assert.Equal((AnswerOutcome.Low, 6.0, 3, 1, StopReason.Attempts), (verdict.Outcome, verdict.Score, verdict.Answers, verdict.Chosen, verdict.Stopped));
        Assert.Contains("b 6", model.Conversations[2].Select(message => message.Text));
    }

    [Fact]
    public async Task A_low_answer_is_blocked_where_that_was_chosen_by_an_exception_or_by_a_text()
    {
        var options = Rated with { Threshold = 7, OnLowScore = LowScore.Block };
        var blocked = await Assert.ThrowsAsync<AnswerBlockedException>(() => new ScriptedChatClient("secret 3").UseJudge(options).GetResponseAsync("How?"));
        Assert.Equal("The answer was blocked: the best of 1 has a score of 3, the threshold is 7.", blocked.Message);
        Assert.True(blocked.Verdict.Blocked);

        var response = await new ScriptedChatClient("secret 3").UseJudge(options with { BlockedText = "I cannot say." }).GetResponseAsync("How?");
        Assert.Equal("I cannot say.", response.Text);
        Assert.Equal(ChatFinishReason.ContentFilter, response.FinishReason);
        Assert.DoesNotContain("secret", System.Text.Json.JsonSerializer.Serialize(response, AIJsonUtilities.DefaultOptions), StringComparison.Ordinal);
        Assert.True(response.GetVerdict()!.Blocked);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_best_of_three_is_taken_by_its_score(bool parallel)
    {
        using var model = new ScriptedChatClient("a 3", "b 9", "c 5");
        var response = await model.UseJudge(Rated with { Candidates = 3, Parallel = parallel }).GetResponseAsync("How?");
        Assert.Equal("b 9", response.Text);
        Assert.Equal((3, 9.0), (response.GetVerdict()!.Answers, response.GetVerdict()!.Score));
        Assert.Equal([null, 1L, 2L], model.Options.Select(options => options?.Seed).Order());
    }

    [Fact]
    public async Task The_best_of_three_is_taken_by_comparing_each_with_each_in_both_orders()
    {
        var judge = new NumberJudge();
        using var model = new ScriptedChatClient("a 3", "b 9", "c 5");
        var options = Rated with { Rater = null, Chooser = new TwoOrderJudge(judge), Candidates = 3 };
        var verdict = (await model.UseJudge(options).GetResponseAsync("How?")).GetVerdict()!;
        Assert.Equal((AnswerOutcome.Accepted, null, 1), (verdict.Outcome, verdict.Score, verdict.Chosen));
        Assert.Equal("Chosen from 3 answers by 3 comparisons, of which 0 flipped with the order.", verdict.Reason);
        Assert.Equal(1, judge.Calls);
    }

    [Fact]
    public async Task What_was_chosen_is_rated_too_where_there_is_a_rater()
    {
        var rater = ScriptedRater.ByNumber();
        using var model = new ScriptedChatClient("a 3", "b 6", "a 8", "b 7");
        var options = Retried with { Rater = rater, Chooser = new TwoOrderJudge(new NumberJudge()), Candidates = 2 };
        var response = await model.UseJudge(options).GetResponseAsync("How?");
        Assert.Equal("a 8", response.Text);
        Assert.Equal(["b 6", "a 8"], rater.Asked.Select(asked => asked.Answer));
        Assert.Equal([null, 6.0, 8.0, null], response.GetVerdict()!.Ratings.Select(rating => rating?.Score));
    }

    [Fact]
    public async Task A_choice_that_fails_is_an_answer_without_a_judgement()
    {
        var options = Rated with { Rater = null, Chooser = new TwoOrderJudge(new NumberJudge()), Candidates = 2 };
        var verdict = (await new ScriptedChatClient("no number", "none either").UseJudge(options).GetResponseAsync("How?")).GetVerdict()!;
        Assert.Equal((AnswerOutcome.Unjudged, InvalidReason.Failed), (verdict.Outcome, verdict.Invalid));
        Assert.StartsWith("FormatException", verdict.Reason, StringComparison.Ordinal);
        await Assert.ThrowsAsync<AnswerBlockedException>(() => new ScriptedChatClient("no", "none").UseJudge(options with { OnJudgeFailure = JudgeFailure.Block }).GetResponseAsync("How?"));
    }

    [Fact]
    public async Task Where_the_judge_fails_the_answer_is_released_or_blocked_as_chosen()
    {
        foreach (var rater in (ScriptedRater[])[new(_ => throw new InvalidOperationException("out of order")), new(_ => Rating.Without(InvalidReason.Unparsed, "out of order"))])
        {
            var open = await new ScriptedChatClient("x").UseJudge(Retried with { Rater = rater }).GetResponseAsync("How?");
            Assert.Equal("x", open.Text);
            var verdict = open.GetVerdict()!;
            Assert.Equal((AnswerOutcome.Unjudged, null, 1, StopReason.JudgeFailed), (verdict.Outcome, verdict.Score, verdict.Answers, verdict.Stopped));
            Assert.NotNull(verdict.Invalid);
            Assert.Contains("out of order", verdict.Reason, StringComparison.Ordinal);

            var model = new ScriptedChatClient("x");
            var closed = await Assert.ThrowsAsync<AnswerBlockedException>(() => model.UseJudge(Retried with { Rater = rater, OnJudgeFailure = JudgeFailure.Block }).GetResponseAsync("How?"));
            Assert.Contains("out of order", closed.Message, StringComparison.Ordinal);
            Assert.Equal(3, model.Calls);
        }
    }

    [Fact]
    public async Task An_answer_that_could_not_be_judged_is_never_preferred_to_one_that_was()
    {
        var verdict = (await new ScriptedChatClient("broken", "b 1", "broken").UseJudge(Rated with { Candidates = 3 }).GetResponseAsync("How?")).GetVerdict()!;
        Assert.Equal((1, 1.0), (verdict.Chosen, verdict.Score));
        verdict = (await new ScriptedChatClient("a 2", "broken").UseJudge(Retried).GetResponseAsync("How?")).GetVerdict()!;
        Assert.Equal((AnswerOutcome.Low, 0, 2.0, StopReason.JudgeFailed), (verdict.Outcome, verdict.Chosen, verdict.Score, verdict.Stopped));
    }

    [Fact]
    public async Task A_model_that_fails_on_its_second_attempt_leaves_the_first_and_one_that_never_answers_throws()
    {
        var model = new ScriptedChatClient((call, _) => call == 0 ? "a 2" : throw new HttpRequestException("gone"));
        var verdict = (await model.UseJudge(Retried).GetResponseAsync("How?")).GetVerdict()!;
        Assert.Equal((AnswerOutcome.Low, 2.0, 1, StopReason.ModelFailed), (verdict.Outcome, verdict.Score, verdict.Answers, verdict.Stopped));
        var broken = new ScriptedChatClient((_, _) => throw new HttpRequestException("gone"));
        Assert.Equal("gone", (await Assert.ThrowsAsync<HttpRequestException>(() => broken.UseJudge(Retried with { Candidates = 2, Parallel = true }).GetResponseAsync("How?"))).Message);
        var half = new ScriptedChatClient((call, _) => call == 1 ? "b 9" : throw new HttpRequestException("gone"));
        Assert.Equal("b 9", (await half.UseJudge(Rated with { Candidates = 3, Parallel = true }).GetResponseAsync("How?")).Text);
    }

    [Fact]
    public async Task The_token_budget_ends_the_attempts_and_counts_the_judge()
    {
        static ChatResponse Of(string text) => new(new ChatMessage(ChatRole.Assistant, text)) { Usage = new() { TotalTokenCount = 100 } };
        var rater = new ScriptedRater(_ => Rating.Of(1) with { Tokens = 50 });
        foreach (var (budget, answers) in ((long, int)[])[(1, 1), (299, 1), (300, 2), (449, 2), (450, 3), (1000, 3)])
        {
            var model = new ScriptedChatClient("x") { Wrap = Of };
            var verdict = (await model.UseJudge(Retried with { Rater = rater, TokenBudget = budget }).GetResponseAsync("How?")).GetVerdict()!;
            Assert.Equal((answers, answers * 150L), (verdict.Answers, verdict.Tokens));
            Assert.Equal(answers == 3 ? StopReason.Attempts : StopReason.Tokens, verdict.Stopped);
        }
        foreach (var (budget, answers) in ((long, int)[])[(299, 1), (300, 2), (600, 4)])
        {
            var verdict = (await new ScriptedChatClient("x") { Wrap = Of }.UseJudge(Rated with { Rater = rater, Candidates = 9, TokenBudget = budget }).GetResponseAsync("How?")).GetVerdict()!;
            Assert.Equal((answers, answers * 150L), (verdict.Answers, verdict.Tokens));
        }
        Assert.Equal((8 + 3) / 4, (await new ScriptedChatClient("12345678").UseJudge(Rated with { Rater = new ScriptedRater(_ => Rating.Of(1)) }).GetResponseAsync("How?")).GetVerdict()!.Tokens);
    }

    [Fact]
    public async Task The_time_budget_cuts_a_later_attempt_and_never_the_first()
    {
        var time = new ManualTime();
        var model = new ScriptedChatClient("a 2", "b 9")
        {
            Before = async (call, token) =>
            {
                time.Advance(TimeSpan.FromSeconds(call == 0 ? 4 : 6));
                if (call == 1) await Task.Delay(Timeout.Infinite, token);
            },
        };
        var verdict = (await model.UseJudge(Retried with { TimeBudget = TimeSpan.FromSeconds(10), Clock = time }).GetResponseAsync("How?")).GetVerdict()!;
        Assert.Equal((AnswerOutcome.Low, 2.0, 1, StopReason.Time, TimeSpan.FromSeconds(10)), (verdict.Outcome, verdict.Score, verdict.Answers, verdict.Stopped, verdict.Elapsed));

        var late = new ScriptedChatClient("a 9") { Before = (_, _) => { time.Advance(TimeSpan.FromSeconds(11)); return Task.CompletedTask; } };
        verdict = (await late.UseJudge(Retried with { TimeBudget = TimeSpan.FromSeconds(10), Clock = time }).GetResponseAsync("How?")).GetVerdict()!;
        Assert.Equal((AnswerOutcome.Unjudged, InvalidReason.Failed), (verdict.Outcome, verdict.Invalid));
        Assert.Equal("The time budget of 00:00:10 is spent.", verdict.Reason);
    }

    [Fact]
    public async Task A_judge_that_takes_too_long_has_failed_even_if_it_does_not_listen()
    {
        var time = new ManualTime();
        var forever = new TaskCompletionSource<Rating>();
        var rater = new ScriptedRater((_, _, _) =>
        {
            time.Advance(TimeSpan.FromSeconds(6));
            return forever.Task;
        });
        var response = await new ScriptedChatClient("x").UseJudge(Rated with { Rater = rater, JudgeTimeout = TimeSpan.FromSeconds(5), Clock = time }).GetResponseAsync("How?");
        Assert.Equal("The judge took longer than 00:00:05.", response.GetVerdict()!.Reason);
        forever.SetException(new InvalidOperationException("late, and nobody waits"));
    }

    [Fact]
    public async Task The_callers_cancellation_is_an_exception_wherever_it_comes()
    {
        using var during = new CancellationTokenSource();
        var model = new ScriptedChatClient("x") { Before = (_, token) => { during.Cancel(); return Task.Delay(Timeout.Infinite, token); } };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => model.UseJudge(Rated).GetResponseAsync("How?", cancellationToken: during.Token));
        using var judging = new CancellationTokenSource();
        var rater = new ScriptedRater(async (_, _, token) =>
        {
            await judging.CancelAsync();
            await Task.Delay(Timeout.Infinite, token);
            return Rating.Of(1);
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new ScriptedChatClient("x").UseJudge(Rated with { Rater = rater }).GetResponseAsync("How?", cancellationToken: judging.Token));
    }

    [Fact]
    public async Task One_request_can_be_judged_otherwise_or_not_at_all_and_the_model_does_not_see_it()
    {
        var model = new ScriptedChatClient("a 3");
        var client = model.UseJudge(Rated with { Threshold = 2 });
        var options = new ChatOptions { Temperature = 0.5f, AdditionalProperties = new() { ["mine"] = 1 } }.WithJudge(judge => judge with { Threshold = 9 });
        Assert.Equal(AnswerOutcome.Low, (await client.GetResponseAsync("How?", options)).GetVerdict()!.Outcome);
        Assert.Equal(AnswerOutcome.Accepted, (await client.GetResponseAsync("How?")).GetVerdict()!.Outcome);
        Assert.Null((await client.GetResponseAsync("How?", new ChatOptions().WithoutJudge())).GetVerdict());
        Assert.Equal(["mine"], model.Options[0]!.AdditionalProperties!.Keys);
        Assert.Equal(0.5f, model.Options[0]!.Temperature);
        Assert.Empty(model.Options[2]!.AdditionalProperties!);
        Assert.Equal(2, options.AdditionalProperties!.Count);
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync("How?", new ChatOptions().WithJudge(judge => judge with { Threshold = 11 })));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync("How?", new ChatOptions { AdditionalProperties = new() { ["j1.judge"] = "no" } }));
    }

    [Fact]
    public async Task Tool_calls_are_passed_on_unjudged_until_they_are_answered()
    {
        var call = new FunctionCallContent("1", "weather");
        var rater = ScriptedRater.ByNumber();
        var options = Rated with { Rater = rater, Candidates = 3 };
        var model = new ScriptedChatClient("") { Wrap = _ => new ChatResponse(new ChatMessage(ChatRole.Assistant, [call])) };
        var response = await model.UseJudge(options).GetResponseAsync("How?");
        Assert.Null(response.GetVerdict());
        Assert.Same(call, response.Messages[0].Contents[0]);
        Assert.Equal((1, 0), (model.Calls, rater.Calls));
        Assert.Null((await model.UseJudge(options).GetStreamingResponseAsync("How?").ToChatResponseAsync()).GetVerdict());

        var answered = new ScriptedChatClient("") { Wrap = _ => new ChatResponse([new(ChatRole.Assistant, [call]), new(ChatRole.Tool, [new FunctionResultContent("1", "rain")]), new(ChatRole.Assistant, "rain 7")]) };
        Assert.Equal(7, (await answered.UseJudge(options).GetResponseAsync("How?")).GetVerdict()!.Score);
    }

    [Fact]
    public async Task A_buffered_stream_is_released_in_its_own_pieces_with_the_verdict_last()
    {
        var model = new ScriptedChatClient("not so good 3", "this is good 8");
        var updates = await model.UseJudge(Retried).GetStreamingResponseAsync("How?").ToListAsync();
        Assert.Equal(["this", " is", " good", " 8", ""], updates.Select(update => update.Text));
        Assert.All(updates[..^1], update => Assert.Null(update.GetVerdict()));
        Assert.Equal((8.0, 2), (updates[^1].GetVerdict()!.Score, updates[^1].GetVerdict()!.Answers));
        var response = updates.ToChatResponse();
        Assert.Equal("this is good 8", response.Text);
        Assert.Equal(8, response.GetVerdict()!.Score);
        Assert.Single(response.Messages);
    }

    [Fact]
    public async Task A_blocked_stream_releases_nothing_of_the_answer()
    {
        var options = Rated with { Threshold = 7, OnLowScore = LowScore.Block };
        var released = new List<ChatResponseUpdate>();
        await Assert.ThrowsAsync<AnswerBlockedException>(async () =>
        {
            await foreach (var update in new ScriptedChatClient("a secret 3").UseJudge(options).GetStreamingResponseAsync("How?")) released.Add(update);
        });
        Assert.Empty(released);
        var response = await new ScriptedChatClient("a secret 3").UseJudge(options with { BlockedText = "No." }).GetStreamingResponseAsync("How?").ToChatResponseAsync();
        Assert.Equal(("No.", true), (response.Text, response.GetVerdict()!.Blocked));
    }

    [Fact]
    public async Task A_released_stream_is_rated_at_its_end()
    {
        var rater = ScriptedRater.ByNumber();
        var model = new ScriptedChatClient("not good 3");
        var client = model.UseJudge(Retried with { Rater = rater, Streaming = JudgeStreaming.ReleaseThenAnnotate });
        var seen = new List<(string Text, int Ratings)>();
        AnswerVerdict? verdict = null;
        await foreach (var update in client.GetStreamingResponseAsync("How?"))
        {
            seen.Add((update.Text, rater.Calls));
            verdict = update.GetVerdict() ?? verdict;
        }
        Assert.Equal([("not", 0), (" good", 0), (" 3", 0), ("", 1)], seen);
        Assert.Equal((AnswerOutcome.Low, 3.0, 1), (verdict!.Outcome, verdict.Score, model.Calls));
    }

    [Fact]
    public async Task A_stream_is_refused_where_that_was_chosen()
    {
        var client = new ScriptedChatClient("a 3").UseJudge(Rated with { Streaming = JudgeStreaming.Refuse });
        var error = await Assert.ThrowsAsync<NotSupportedException>(async () => await client.GetStreamingResponseAsync("How?").ToListAsync());
        Assert.Contains("BufferThenRelease", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_judge_that_uses_the_client_it_judges_for_does_not_recurse()
    {
        IChatClient? client = null;
        var depth = 0;
        var rater = new ScriptedRater(async (_, answer, token) =>
        {
            Assert.True(Interlocked.Increment(ref depth) == 1, "recursion");
            var own = await client!.GetResponseAsync("Rate: " + answer, cancellationToken: token);
            Assert.Null(own.GetVerdict());
            await client!.GetStreamingResponseAsync("Rate: " + answer, cancellationToken: token).ToListAsync(token);
            return Rating.Of(own.Text.Length);
        });
        client = new ScriptedChatClient("12345").UseJudge(Rated with { Rater = rater });
        Assert.Equal(5, (await client.GetResponseAsync("How?")).GetVerdict()!.Score);
        Assert.False(AnswerLoop.IsJudging);
    }

    [Fact]
    public async Task A_conversation_that_the_server_keeps_is_not_asked_twice()
    {
        var options = new ChatOptions { ConversationId = "c" };
        await Assert.ThrowsAsync<NotSupportedException>(() => new ScriptedChatClient("a 3").UseJudge(Retried).GetResponseAsync("How?", options));
        Assert.Equal(3, (await new ScriptedChatClient("a 3").UseJudge(Rated).GetResponseAsync("How?", options)).GetVerdict()!.Score);
    }

    [Fact]
    public async Task A_verdict_survives_json_as_a_cache_outside_the_judge_writes_it()
    {
        var response = await new ScriptedChatClient("a 3", "b").UseJudge(Retried).GetResponseAsync("How?");
        var json = System.Text.Json.JsonSerializer.Serialize(response, AIJsonUtilities.DefaultOptions);
        var read = System.Text.Json.JsonSerializer.Deserialize<ChatResponse>(json, AIJsonUtilities.DefaultOptions)!.GetVerdict()!;
        var verdict = response.GetVerdict()!;
        Assert.Equal(verdict with { Ratings = [] }, read with { Ratings = [] });
        Assert.Equal(verdict.Ratings, read.Ratings);
    }

    [Fact]
    public async Task Many_turns_are_shown_as_such_and_secrets_are_not()
    {
        var rater = ScriptedRater.ByNumber();
        ChatMessage[] conversation = [new(ChatRole.System, "secret"), new(ChatRole.User, "How?"), new(ChatRole.Assistant, "So."), new(ChatRole.Tool, "secret"), new(ChatRole.User, "And?")];
        await new ScriptedChatClient("a 3").UseJudge(Rated with { Rater = rater }).GetResponseAsync(conversation);
        Assert.Equal("user: How?\n\nassistant: So.\n\nuser: And?", rater.Asked[0].Question);
    }

    [Fact]
    public async Task Every_verdict_is_told_and_the_options_can_be_asked_for()
    {
        var told = new List<AnswerVerdict>();
        var options = Rated with { OnVerdict = told.Add };
        var client = new ScriptedChatClient("a 3").UseJudge(options);
        var verdict = (await client.GetResponseAsync("How?")).GetVerdict()!;
        Assert.Equal([verdict], told);
        Assert.Same(options, client.GetService<JudgeOptions>());
        Assert.Equal("scripted", client.GetService<ChatClientMetadata>()!.ProviderName);
        client.Dispose();
    }

    [Fact]
    public void Options_that_contradict_themselves_are_refused_at_once_with_the_remedy()
    {
        Refused(Rated with { Rater = null }, "There is no judge");
        Refused(Rated with { OnJudgeFailure = 0 }, "OnJudgeFailure is not chosen");
        Refused(Rated with { Streaming = 0 }, "Streaming is not chosen");
        Refused(Rated with { Threshold = 11 }, "Threshold is 11");
        Refused(Rated with { Threshold = double.NaN }, "Threshold is NaN");
        Refused(Rated with { MaxAttempts = 2 }, "without a Threshold");
        Refused(Rated with { MaxAttempts = 0 }, "MaxAttempts is 0");
        Refused(Rated with { Candidates = 0 }, "Candidates is 0");
        Refused(Rated with { Chooser = new TwoOrderJudge(new NumberJudge()) }, "needs Candidates above 1");
        Refused(Rated with { OnLowScore = LowScore.Block }, "there is no Threshold");
        Refused(Rated with { TokenBudget = 0 }, "TokenBudget is 0");
        Refused(Rated with { TimeBudget = TimeSpan.Zero }, "TimeBudget is 00:00:00");
        Refused(Rated with { Streaming = JudgeStreaming.ReleaseThenAnnotate, OnJudgeFailure = JudgeFailure.Block }, "cannot be blocked");
        Refused(Rated with { Streaming = JudgeStreaming.ReleaseThenAnnotate, Threshold = 5, OnLowScore = LowScore.Block }, "cannot be blocked");
        Assert.Throws<ArgumentOutOfRangeException>(() => Rating.Of(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => Rating.Of(10.1));
        Assert.Equal(InvalidReason.Failed, new Rating().Invalid);

        static void Refused(JudgeOptions options, string says) =>
            Assert.Contains(says, Assert.Throws<ArgumentException>(() => new ScriptedChatClient("x").UseJudge(options)).Message, StringComparison.Ordinal);
    }
}
