using J1.Data;
using J1.Engines;
using J1.Grpo;

namespace J1.Tests.Grpo;

public sealed class GrpoTrainerTests
{
    private static readonly ToyTask Task = new(6);
    private static readonly RewardOptions Consistency = new() { Correctness = 0, Consistency = 1 };

    private static GrpoOptions Options(int steps = 300) =>
        new() { Steps = steps, PairsPerStep = 3, GroupSize = 8, MaxCompletionTokens = 3, LearningRate = 0.1f, KlCoefficient = 0, Seed = 5 };

    [Theory]
    [InlineData(LossProfile.Grpo)]
    [InlineData(LossProfile.DrGrpo)]
    [InlineData(LossProfile.Dapo)]
    [InlineData(LossProfile.Gspo)]
    [InlineData(LossProfile.Cispo)]
    public void A_judge_that_always_says_A_learns_to_look(LossProfile profile)
    {
        using var engine = AlwaysA();
        var steps = Train(engine, Options() with { Loss = profile }, Consistency);
        Assert.InRange(steps.Take(3).Average(s => s.ConsistentAccuracy), 0, 0.25);
        Assert.InRange(steps.Take(3).Average(s => s.Flips), 0.5, 1);
        Assert.InRange(steps.TakeLast(20).Average(s => s.ConsistentAccuracy), 0.95, 1);
        Assert.InRange(steps.TakeLast(20).Average(s => s.Flips), 0, 0.05);
    }

    [Fact]
    public void A_single_order_teaches_one_order_of_each_pair_and_always_the_same()
    {
        // A prompt is one token, so what a step taught shows in its row; the entropy bonus makes every sequence teach something.
        var task = new ToyTask(24);
        var options = Options(1) with { PairsPerStep = 24, MaxCompletionTokens = 1, EntropyCoefficient = 0.01, SingleOrder = true };
        var taught = Taught(options, 0);
        Assert.All(taught.Chunk(2), orders => Assert.Single(orders, wasTaught => wasTaught));
        Assert.InRange(taught.Where((wasTaught, row) => wasTaught && row % 2 == 0).Count(), 1, 23);
        Assert.Equal(taught, Taught(options, 7));
        Assert.All(Taught(options with { SingleOrder = false }, 0), Assert.True);

        bool[] Taught(GrpoOptions with, int step)
        {
            using var engine = new TableEngine(task, 1);
            var before = Rows(engine);
            var said = new GrpoTrainer(engine, null, task, with, new RewardOptions()).Step(step, task.Pairs);
            Assert.InRange(said.Reward, 0, 1);
            return [.. Rows(engine).Zip(before, (now, then) => !now.SequenceEqual(then))];
        }

        float[][] Rows(TableEngine engine) => [.. Enumerable.Range(3, 48).Select(row => Enumerable.Range(0, task.VocabularySize).Select(next => engine[row, next]).ToArray())];
    }

    [Fact]
    public void A_reference_holds_the_policy_back()
    {
        using var free = AlwaysA();
        using var held = AlwaysA();
        var far = Train(free, Options(60), Consistency);
        var near = Train(held, Options(60) with { KlCoefficient = 0.3 }, Consistency);
        Assert.True(near[^1].Kl > 0);
        Assert.True(near.TakeLast(10).Average(s => s.Reward) < far.TakeLast(10).Average(s => s.Reward));
    }

    [Fact]
    public void The_same_seed_gives_the_same_bits_and_another_seed_does_not()
    {
        Assert.Equal(IdentityAfter(Options(20)), IdentityAfter(Options(20)));
        Assert.NotEqual(IdentityAfter(Options(20)), IdentityAfter(Options(20) with { Seed = 6 }));
    }

    [Fact]
    public void Resumed_equals_never_stopped()
    {
        var options = Options(30) with { UpdatesPerBatch = 2, KlCoefficient = 0.02, Schedule = LearningRateSchedule.Cosine, WarmupSteps = 4 };
        var folder = Directory.CreateTempSubdirectory("j1").FullName;
        using var whole = AlwaysA();
        var steps = Train(whole, options, Consistency);

        using var stopped = AlwaysA();
        using var reference = stopped.Freeze();
        var trainer = new GrpoTrainer(stopped, reference, Task, options, Consistency);
        Assert.Throws<OperationCanceledException>(() => trainer.Run(Task.Pairs, 0, step =>
        {
            if (step.Step != 12) return;
            stopped.Save(folder);
            throw new OperationCanceledException();
        }));

        using var resumed = AlwaysA();
        resumed.Load(folder);
        var rest = new List<GrpoStep>();
        new GrpoTrainer(resumed, reference, Task, options, Consistency).Run(Task.Pairs, 13, rest.Add);

        Assert.Equal(whole.Identity, resumed.Identity);
        Assert.Equal(steps.Skip(13).Select(s => (s.Reward, s.Loss, s.Kl)), rest.Select(s => (s.Reward, s.Loss, s.Kl)));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Skipping_sequences_without_advantage_changes_no_weight()
    {
        // A negligible entropy bonus keeps every sequence in the batch; the weights must come out the same.
        using var skipping = AlwaysA();
        using var keeping = AlwaysA();
        Train(skipping, Options(10), Consistency);
        Train(keeping, Options(10) with { EntropyCoefficient = 1e-30 }, Consistency);
        for (var last = 0; last < Task.VocabularySize; last++)
            for (var next = 0; next < Task.VocabularySize; next++)
                Assert.Equal(skipping[last, next], keeping[last, next], 1e-6f);
    }

    [Fact]
    public void A_loss_that_is_not_a_number_stops_the_run_and_names_the_pair()
    {
        using var engine = AlwaysA();
        using var broken = new TableEngine(Task, 1);
        for (var next = 0; next < Task.VocabularySize; next++) broken[ToyTask.A, next] = float.NaN;
        var trainer = new GrpoTrainer(engine, broken, Task, Options() with { KlCoefficient = 0.1 }, Consistency);
        var before = engine.Identity;
        var error = Assert.Throws<NonFiniteException>(() => trainer.Run(Task.Pairs, 0, _ => { }));
        Assert.Contains("step 0, pair '", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, engine.Identity);
    }

    [Fact]
    public void A_kl_term_without_a_reference_is_refused()
    {
        using var engine = AlwaysA();
        var error = Assert.Throws<ArgumentException>(() => new GrpoTrainer(engine, null, Task, Options() with { KlCoefficient = 0.1 }, Consistency));
        Assert.Contains("policy.Freeze()", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 0)]      // one token is all that is asked for
    [InlineData(2, 0.01)]
    public void A_completion_is_cut_off_where_more_was_to_come(int maxCompletionTokens, double least)
    {
        using var engine = new TableEngine(Task, 1);
        var step = new GrpoTrainer(engine, null, Task, Options() with { MaxCompletionTokens = maxCompletionTokens, MaskTruncated = true }, Consistency).Step(0, Task.Pairs);
        Assert.InRange(step.Truncated, least, least == 0 ? 0 : 1);
    }

    [Fact]
    public void A_warm_start_teaches_what_it_is_shown()
    {
        using var engine = AlwaysA();
        var losses = new List<double>();
        new WarmStart(engine, Task, new WarmStartOptions { Steps = 150, PairsPerStep = 6, LearningRate = 0.2f }).Run(Task.Pairs, 0, step => losses.Add(step.Loss));
        Assert.InRange(losses[0], 0.5, 10);
        Assert.InRange(losses[^1], 0, 0.05);
    }

    [Fact]
    public void A_pair_without_a_target_is_refused_by_name()
    {
        using var engine = AlwaysA();
        var warmStart = new WarmStart(engine, new Untaught(Task), new WarmStartOptions());
        Assert.Contains("has nothing to imitate", Assert.Throws<DataException>(() => warmStart.Run(Task.Pairs, 0, _ => { })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_pair_is_seen_once_an_epoch()
    {
        var seen = Enumerable.Range(0, 7).SelectMany(step => PairSchedule.At(step, 4, 14, 3)).ToArray();
        Assert.Equal(Enumerable.Range(0, 14), seen.Take(14).Order());
        Assert.Equal(Enumerable.Range(0, 14), seen.Skip(14).Order());
        Assert.NotEqual(seen.Take(14), seen.Skip(14));
    }

    private static TableEngine AlwaysA()
    {
        var engine = new TableEngine(Task, 1);
        for (var prompt = 3; prompt < Task.VocabularySize; prompt++)
            (engine[prompt, ToyTask.A], engine[prompt, ToyTask.B]) = (6, 4);
        engine[ToyTask.A, ToyTask.End] = engine[ToyTask.B, ToyTask.End] = 6;
        return engine;
    }

    private static List<GrpoStep> Train(TableEngine engine, GrpoOptions options, RewardOptions rewards)
    {
        using var reference = engine.Freeze();
        var steps = new List<GrpoStep>();
        new GrpoTrainer(engine, reference, Task, options, rewards).Run(Task.Pairs, 0, steps.Add);
        return steps;
    }

    private static string IdentityAfter(GrpoOptions options)
    {
        using var engine = AlwaysA();
        Train(engine, options, Consistency);
        return engine.Identity;
    }

    private sealed class Untaught(IJudgeTask task) : IJudgeTask
    {
        public int[][] Prompts(PreferencePair pair) => task.Prompts(pair);

        public Grade[][] Grade(PreferencePair pair, Sample[][] samples) => task.Grade(pair, samples);

        public int[][]? Targets(PreferencePair pair) => null;
    }
}
