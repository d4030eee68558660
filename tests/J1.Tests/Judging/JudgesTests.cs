using J1.Data;
using J1.Judging;

namespace J1.Tests.Judging;

public sealed class JudgesTests : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task A_cache_asks_once_and_remembers_all_that_was_said()
    {
        PreferencePair[] pairs = [.. Enumerable.Range(0, 20).Select(TwoOrderJudgeTests.RandomPair)];
        using var engine = new ScriptedEngine { Write = (prompt, _, _) => $"thought é </think> <answer> [[{(prompt.Length % 2 == 0 ? "A" : "B")}]] </answer>" };
        IReadOnlyList<PairJudgement> first;
        using (var cached = new CachedJudge(new TwoOrderJudge(new EngineJudge(engine, new())), _file))
        {
            first = await cached.JudgeAsync(pairs);
            Assert.Equal(1, engine.Calls);
            await cached.JudgeAsync([.. pairs, pairs[0] with { Id = "the same by another name" }]);
            Assert.Equal(1, engine.Calls);
        }
        using (var again = new CachedJudge(new TwoOrderJudge(new EngineJudge(engine, new())), _file))
        {
            var second = await again.JudgeAsync(pairs);
            Assert.Equal(1, engine.Calls);
            Assert.Equal(first.Select(Describe), second.Select(Describe));
        }
        using (var other = new CachedJudge(new TwoOrderJudge(new EngineJudge(engine, new(), new() { Seed = 5 })), _file))
        {
            await other.JudgeAsync(pairs);
            Assert.Equal(2, engine.Calls);
            Assert.Equal(40, other.Count);
        }

        static string Describe(PairJudgement judgement) => System.Text.Json.JsonSerializer.Serialize(judgement, JudgingJson.Options);
    }

    [Fact]
    public async Task Equal_questions_under_two_ids_are_asked_once_and_keep_their_ids()
    {
        using var engine = new ScriptedEngine { Write = (_, _, _) => "</think> <answer> [[A]] </answer>" };
        using var cached = new CachedJudge(new TwoOrderJudge(new EngineJudge(engine, new())));
        var pair = TwoOrderJudgeTests.RandomPair(1);
        Assert.Equal(["1", "two"], (await cached.JudgeAsync([pair, pair with { Id = "two" }])).Select(judgement => judgement.Id));
        Assert.Equal(2, engine.Prompts.Count);
    }

    [Fact]
    public async Task A_killed_run_goes_on_and_a_foreign_file_is_refused()
    {
        using var engine = new ScriptedEngine { Write = (_, _, _) => "</think> <answer> [[A]] </answer>" };
        IJudge Judge() => new TwoOrderJudge(new EngineJudge(engine, new()));
        using (var cached = new CachedJudge(Judge(), _file)) await cached.JudgeAsync([TwoOrderJudgeTests.RandomPair(1), TwoOrderJudgeTests.RandomPair(2)]);
        File.WriteAllText(_file, File.ReadAllText(_file)[..^10]);
        using (var cached = new CachedJudge(Judge(), _file))
        {
            Assert.Equal(1, cached.Count);
            await cached.JudgeAsync([TwoOrderJudgeTests.RandomPair(1), TwoOrderJudgeTests.RandomPair(2)]);
        }
        using (var cached = new CachedJudge(Judge(), _file)) Assert.Equal(2, cached.Count);

        File.AppendAllText(_file, "{\"id\": 1}\n");
        Assert.StartsWith($"{_file}:3: not a remembered judgement", Assert.Throws<DataException>(() => new CachedJudge(Judge(), _file)).Message, StringComparison.Ordinal);
        File.Delete(_file);
    }

    [Theory]
    [InlineData("AAB", Outcome.A, 1.0 / 3)]
    [InlineData("ATB", Outcome.Tie, 0.0)]
    [InlineData("BTT", Outcome.B, -1.0 / 3)]
    [InlineData("A?", Outcome.A, 1.0)]
    [InlineData("A??", Outcome.Invalid, null)]
    [InlineData("?", Outcome.Invalid, null)]
    public async Task A_jury_is_the_majority_of_its_valid_members(string members, Outcome expected, double? margin)
    {
        var judgement = await new JuryJudge([.. members.Select(member => new Fixed(member))]).CompareAsync("q", "a", "b");
        Assert.Equal((expected, margin), (judgement.Outcome, judgement.Margin));
        Assert.Equal(expected == Outcome.Invalid ? InvalidReason.Unparsed : null, judgement.Invalid);
        Assert.Equal(members.Length, judgement.First.Count);
    }

    [Fact]
    public async Task A_jury_of_antisymmetric_judges_is_antisymmetric()
    {
        PreferencePair[] pairs = [.. Enumerable.Range(0, 60).Select(TwoOrderJudgeTests.RandomPair)];
        IJudge[] members = [.. Enumerable.Range(1, 3).Select(k => new TwoOrderJudge(new EngineJudge(
            new ScriptedEngine { Identity = $"{k}", LogProb = (prompt, next) => -(prompt.Select((c, i) => (long)c * (i % 97 + k)).Sum() * (next[0] - 60) % 1009) / 177.0 }, new() { Thinking = false })))];
        var jury = new JuryJudge(members);
        var (straight, crossed) = (await jury.JudgeAsync(pairs), await jury.JudgeAsync([.. pairs.Select(pair => pair.Swap())]));
        Assert.Equal(straight.Select(j => (j.Outcome, j.Margin, j.Probability, j.Flipped)), crossed.Select(j => (j.Outcome.Swap(), -j.Margin, 1 - j.Probability, j.Flipped)));
        Assert.Contains(straight, j => j.Flipped);
        Assert.True(straight.Select(j => j.Probability).Distinct().Count() > 5);
    }

    [Fact]
    public void Calibration_finds_the_scale_that_made_the_labels()
    {
        var random = J1.Engines.SplitMix.For(4, 2);
        var judged = Enumerable.Range(0, 20_000).Select(_ =>
        {
            var margin = random.NextNormal() * 3;
            return (margin, random.NextDouble() < 1 / (1 + Math.Exp(-0.4 * margin)) ? Preference.A : Preference.B);
        }).ToArray();
        Assert.InRange(Calibration.Fit(judged).Scale, 0.37, 0.43);
        Assert.Equal(Calibration.Fit(judged).Scale, Calibration.Fit(judged.Select(j => (-j.margin, j.Item2 == Preference.A ? Preference.B : Preference.A))).Scale);
    }

    [Fact]
    public void Calibration_stays_finite_where_all_is_right_and_never_turns_a_judge_round()
    {
        Assert.InRange(Calibration.Fit([(1.0, Preference.A), (-2.0, Preference.B), (0.5, Preference.A)]).Scale, 0.5, 20);
        Assert.InRange(Calibration.Fit([(-1.0, Preference.A), (2.0, Preference.B)]).Scale, 0, 1e-6);
        Assert.Equal(1, Calibration.Fit([(0.0, Preference.A)]).Scale);
        Assert.Throws<ArgumentException>(() => Calibration.Fit([(1.0, Preference.Tie)]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1e-300)]
    [InlineData(0.1)]
    [InlineData(40)]
    [InlineData(1e9)]
    public void A_probability_and_its_mirror_are_exact_complements(double margin)
    {
        var (p, mirrored) = (new Calibration(1.7).Probability(margin), new Calibration(1.7).Probability(-margin));
        Assert.Equal(p, 1 - mirrored);
        Assert.Equal(mirrored, 1 - p);
    }

    private sealed class Fixed(char says) : IJudge
    {
        public string Identity => $"{says}";

        public ValueTask<IReadOnlyList<PairJudgement>> JudgeAsync(IReadOnlyList<PreferencePair> pairs, CancellationToken cancellationToken = default)
        {
            var shown = says switch { 'A' => Outcome.A, 'B' => Outcome.B, 'T' => Outcome.Tie, _ => Outcome.Invalid };
            Judgement Vote(Outcome outcome) => new() { Outcome = outcome, Invalid = outcome == Outcome.Invalid ? InvalidReason.Unparsed : null };
            return new([.. pairs.Select(pair => PairJudgement.Combine(pair.Id, JudgeMode.Verdict, [Vote(shown)], [Vote(shown.Swap())], new Provenance { Judge = Identity }))]);
        }
    }
}
