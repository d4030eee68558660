using System.Security.Cryptography;
using System.Text;
using J1.Data;
using J1.Engines;
using J1.Judging;

namespace J1.Tests.Judging;

public sealed class TwoOrderJudgeTests
{
    private static readonly PreferencePair Pair = new() { Id = "7", Instruction = "question", ResponseA = "alpha", ResponseB = "beta" };

    /// <summary>Modes, thinking or not, and votes.</summary>
    public static TheoryData<JudgeMode, bool, int> Kinds
    {
        get
        {
            var kinds = new TheoryData<JudgeMode, bool, int>();
            foreach (var mode in Enum.GetValues<JudgeMode>())
                foreach (var thinking in (bool[])[true, false])
                    foreach (var votes in (int[])[1, 2, 5])
                        kinds.Add(mode, thinking, votes);
            return kinds;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task Exchanging_the_responses_of_any_pair_negates_the_comparison_exactly(JudgeMode mode, bool thinking, int votes)
    {
        var format = new JudgeFormat { Mode = mode, Thinking = thinking };
        // A judge whose words depend on prompt, place and sample without rhyme or reason, as sampled words do.
        using var engine = new ScriptedEngine
        {
            Write = (prompt, i, j) => Babble(mode, thinking, $"{prompt}|{i}|{j}"),
            LogProb = (prompt, next) => -Hash(prompt + next) % 1000 / 97.0,
        };
        PreferencePair[] pairs = [.. Enumerable.Range(0, 60).Select(RandomPair)];
        PreferencePair[] swapped = [.. pairs.Select(pair => pair.Swap())];
        foreach (var calibration in (Calibration?[])[null, new(0.37)])
        {
            var judge = new TwoOrderJudge(new EngineJudge(engine, format), votes, calibration);
            var (straight, crossed) = (await judge.JudgeAsync(pairs), await judge.JudgeAsync(swapped));
            for (var i = 0; i < pairs.Length; i++)
            {
                var (s, c) = (straight[i], crossed[i]);
                Assert.Equal(s.Comparison, -c.Comparison);
                Assert.Equal(s.Outcome, c.Outcome.Swap());
                Assert.Equal(s.Margin, -c.Margin);
                Assert.Equal(s.Probability, 1 - c.Probability);
                Assert.Equal(1 - s.Probability, c.Probability);
                Assert.Equal((s.Flipped, s.Invalid), (c.Flipped, c.Invalid));
                Assert.Equal((s.FirstOrder, s.SecondOrder), (c.SecondOrder.Swap(), c.FirstOrder.Swap()));
                if (pairs[i].ResponseA == pairs[i].ResponseB) Assert.True(s.Comparison is 0 or null);
            }
            // It is a test only if all kinds of outcomes occur.
            Assert.Contains(straight, j => j.Outcome == Outcome.A);
            Assert.Contains(straight, j => j.Outcome == Outcome.B);
            if (votes == 1 && (mode != JudgeMode.Verdict || thinking)) Assert.Contains(straight, j => j.Outcome == Outcome.Invalid);
        }
    }

    [Fact]
    public async Task A_table_engine_keeps_the_algebra_too()
    {
        using var engine = new TableEngine(new CharacterTokenizer(), 3);
        foreach (var format in (JudgeFormat[])[new() { Thinking = false, AssistantPrefix = "[" }, new()])
        {
            var judge = new TwoOrderJudge(new EngineJudge(engine, format, new() { Sampling = new() { MaxTokens = 8 } }), 2);
            var (straight, crossed) = (await judge.CompareAsync("question", "one", "two"), await judge.CompareAsync("question", "two", "one"));
            Assert.Equal(straight.Margin, -crossed.Margin);
            Assert.Equal(straight.Outcome, crossed.Outcome.Swap());
        }
    }

    [Theory]
    [InlineData("A", "B", Outcome.A, false)]
    [InlineData("B", "A", Outcome.B, false)]
    [InlineData("A", "A", Outcome.Tie, true)]
    [InlineData("B", "B", Outcome.Tie, true)]
    [InlineData("A", "?", Outcome.Invalid, false)]
    [InlineData("?", "?", Outcome.Invalid, false)]
    public async Task Verdicts_of_both_orders_agree_or_are_a_flip_or_are_invalid(string first, string second, Outcome outcome, bool flipped)
    {
        using var engine = new ScriptedEngine { Write = (prompt, _, _) => $"t </think> <answer> [[{(AlphaIsFirst(prompt) ? first : second)}]] </answer>" };
        var judgement = (await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat())).JudgeAsync([Pair]))[0];
        Assert.Equal((outcome, flipped), (judgement.Outcome, judgement.Flipped));
        Assert.Equal(outcome == Outcome.Invalid, judgement.Margin is null);
        Assert.Null(judgement.Probability);
        Assert.Equal("7", judgement.Id);
        Assert.Equal(("t", 1), (judgement.First[0].Thought, judgement.First.Count));
    }

    [Fact]
    public async Task An_instant_verdict_is_half_the_difference_of_the_orders_log_odds()
    {
        // log p(A) - log p(B): 2 with alpha first, 0.5 with beta first: it likes what comes first, and alpha more.
        using var engine = new ScriptedEngine { LogProb = (prompt, next) => next == "B" ? -3 : AlphaIsFirst(prompt) ? -1 : -2.5 };
        var judgement = (await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat { Thinking = false })).JudgeAsync([Pair]))[0];
        Assert.Equal((Outcome.A, true), (judgement.Outcome, judgement.Flipped));
        Assert.Equal((Outcome.A, Outcome.B), (judgement.FirstOrder, judgement.SecondOrder));
        Assert.Equal((2.0, 0.5), (judgement.First[0].LogOdds, judgement.Second[0].LogOdds));
        Assert.Equal(0.75, judgement.Margin!.Value, 12);
        Assert.Equal(1 / (1 + Math.Exp(-0.75)), judgement.Probability!.Value, 12);
        Assert.Equal(1, engine.Calls);
        Assert.Empty(engine.Prompts);
        Assert.Null(judgement.Provenance.Sampling);
    }

    [Fact]
    public async Task Log_odds_that_are_no_numbers_are_no_verdict()
    {
        using var engine = new ScriptedEngine { LogProb = (_, _) => double.NegativeInfinity };
        var judgement = (await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat { Thinking = false })).JudgeAsync([Pair]))[0];
        Assert.Equal((Outcome.Invalid, InvalidReason.Failed), (judgement.Outcome, judgement.Invalid));
    }

    [Fact]
    public async Task Votes_are_a_majority_per_order_without_the_invalid_ones()
    {
        string[] alphaFirst = ["A", "A", "B", "?", "A"], betaFirst = ["B", "?", "?", "B", "A"];
        using var engine = new ScriptedEngine { Write = (prompt, _, j) => $"</think> <answer> [[{(AlphaIsFirst(prompt) ? alphaFirst : betaFirst)[j]}]] </answer>" };
        var judgement = (await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat()), 5).JudgeAsync([Pair]))[0];
        Assert.Equal((Outcome.A, false, 5), (judgement.Outcome, judgement.Flipped, judgement.First.Count));
        Assert.Equal((2.0 / 4 + 1.0 / 3) / 2, judgement.Margin!.Value, 12);
        Assert.Equal(1, engine.Calls);

        betaFirst = ["B", "?", "?", "?", "B"];
        Assert.Equal(InvalidReason.Unparsed, (await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat()), 5).JudgeAsync([Pair]))[0].Invalid);
    }

    [Fact]
    public async Task Scores_are_averaged_over_votes_and_orders()
    {
        using var engine = new ScriptedEngine { Write = (prompt, _, j) => AlphaIsFirst(prompt) ? $"</think> <score_A> {6 + j} </score_A> <score_B> 7 </score_B>" : "</think> <score_A> 5 </score_A> <score_B> 6 </score_B>" };
        var judgement = (await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat { Mode = JudgeMode.Scores }), 3).JudgeAsync([Pair]))[0];
        Assert.Equal((Outcome.A, Outcome.Tie, Outcome.A, 0.5, false), (judgement.Outcome, judgement.FirstOrder, judgement.SecondOrder, judgement.Margin, judgement.Flipped));
    }

    [Fact]
    public async Task A_pointwise_judge_sees_each_response_alone_and_knows_no_order()
    {
        using var engine = new ScriptedEngine { Write = (prompt, _, _) => prompt.Contains("alpha", StringComparison.Ordinal) ? "</think> <score> 4.5 </score>" : "</think> <score> 7 </score>" };
        var judgement = (await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat { Mode = JudgeMode.Pointwise })).JudgeAsync([Pair]))[0];
        Assert.Equal((Outcome.B, Outcome.B, Outcome.B, -2.5, false), (judgement.Outcome, judgement.FirstOrder, judgement.SecondOrder, judgement.Margin, judgement.Flipped));
        Assert.Equal(((double?)4.5, (double?)7), (judgement.First[0].ScoreA, judgement.Second[0].ScoreA));
        Assert.All(engine.Prompts, prompt => Assert.NotEqual(prompt.Contains("alpha", StringComparison.Ordinal), prompt.Contains("beta", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_prompt_that_does_not_fit_is_refused_by_name_or_dropped_and_invalid()
    {
        using var engine = new ScriptedEngine { Write = (_, _, _) => "</think> <answer> [[A]] </answer>", ContextLength = 5000 };
        PreferencePair[] pairs = [Pair, Pair with { Id = "long one", ResponseB = new string('x', 6000) }, Pair with { Id = "8" }];
        var refused = await Assert.ThrowsAsync<ContextOverflowException>(async () => await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat())).JudgeAsync(pairs));
        Assert.Equal(5000 - 256, refused.Limit);
        Assert.Contains($"'long one' makes a prompt of {refused.Length} tokens; at most 4744 fit", refused.Message, StringComparison.Ordinal);

        var judgements = await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat(), new() { LongPrompts = LongPromptPolicy.Drop })).JudgeAsync(pairs);
        Assert.Equal(["7", "long one", "8"], judgements.Select(judgement => judgement.Id));
        Assert.Equal([null, InvalidReason.TooLong, null], judgements.Select(judgement => judgement.Invalid));
        Assert.Contains("leaves no room", Assert.Throws<ArgumentException>(() => new EngineJudge(engine, new JudgeFormat(), new() { Sampling = new() { MaxTokens = 5000 } })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_pairs_go_to_the_engine_together_and_how_many_does_not_matter()
    {
        using var engine = new ScriptedEngine { Write = (prompt, _, _) => Babble(JudgeMode.Verdict, true, prompt) };
        PreferencePair[] pairs = [.. Enumerable.Range(0, 50).Select(RandomPair)];
        var whole = await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat(), new() { PromptsPerCall = 1000 })).JudgeAsync(pairs);
        Assert.Equal(1, engine.Calls);
        var parts = await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat(), new() { PromptsPerCall = 7 })).JudgeAsync(pairs);
        Assert.Equal(whole.Select(judgement => (judgement.Outcome, judgement.Margin)), parts.Select(judgement => (judgement.Outcome, judgement.Margin)));
    }

    [Fact]
    public async Task A_truncated_completion_says_so()
    {
        using var engine = new ScriptedEngine { Write = (_, _, _) => "and on and on", Finish = FinishReason.Length };
        Assert.Equal(InvalidReason.Truncated, (await new TwoOrderJudge(new EngineJudge(engine, new JudgeFormat())).JudgeAsync([Pair]))[0].Invalid);
    }

    [Fact]
    public void An_identity_names_model_prompt_sampling_seed_votes_and_calibration()
    {
        using ScriptedEngine engine = new(), other = new() { Identity = "other" };
        string[] identities =
        [
            new TwoOrderJudge(new EngineJudge(engine, new())).Identity,
            new TwoOrderJudge(new EngineJudge(other, new())).Identity,
            new TwoOrderJudge(new EngineJudge(engine, new() { Mode = JudgeMode.Scores })).Identity,
            new TwoOrderJudge(new EngineJudge(engine, new(), new() { Seed = 1 })).Identity,
            new TwoOrderJudge(new EngineJudge(engine, new(), new() { Sampling = new() { Temperature = 0.6f } })).Identity,
            new TwoOrderJudge(new EngineJudge(engine, new()), 2).Identity,
            new TwoOrderJudge(new EngineJudge(engine, new()), 1, new Calibration(2)).Identity,
        ];
        Assert.Equal(identities.Length, identities.Distinct().Count());
        Assert.Equal(identities[0], new TwoOrderJudge(new EngineJudge(engine, new())).Identity);
    }

    internal static PreferencePair RandomPair(int i)
    {
        var random = SplitMix.For(11, (ulong)i);
        string Word() => string.Concat(Enumerable.Range(0, 1 + random.NextInt(12)).Select(_ => (char)(32 + random.NextInt(95))));
        var (question, a, b) = (Word(), Word(), Word());
        return new PreferencePair { Id = $"{i}", Instruction = question, ResponseA = a, ResponseB = i % 10 == 9 ? a : b };
    }

    private static bool AlphaIsFirst(string prompt) => prompt.IndexOf("alpha", StringComparison.Ordinal) < prompt.IndexOf("beta", StringComparison.Ordinal);

    private static int Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text)) is [var a, var b, ..] ? a * 256 + b : 0;

    private static string Babble(JudgeMode mode, bool thinking, string text)
    {
        var hash = Hash(text);
        if (hash % 11 == 0) return "I cannot say.";
        var (a, b) = (hash / 11 % 7, hash / 77 % 7);
        var opening = thinking ? "</think>" : "";
        return mode switch
        {
            JudgeMode.Verdict => $"{opening} <answer> [[{(a > b ? 'A' : 'B')}]] </answer>",
            JudgeMode.Pointwise => $"{opening} {(thinking ? "<score>" : "")} {a}.{b} </score>",
            _ => $"{opening} {(thinking ? "<score_A>" : "")} {a}.3 </score_A> <score_B> {b}.{hash % 2 * 3} </score_B> <answer> [[{(hash % 2 == 0 ? 'A' : 'B')}]] </answer>",
        };
    }
}
