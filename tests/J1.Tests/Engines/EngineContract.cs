using J1.Engines;

namespace J1.Tests.Engines;

/// <summary>
/// What every trainable engine must keep, whatever it computes with. An engine's own test class inherits this one and says how the engine is made and how its
/// weights are looked at. Its vocabulary is <see cref="VocabularySize"/> tokens, the end token is 0, the context holds <see cref="ContextLength"/>.
/// </summary>
[Collection(Alone.Name)]
public abstract class EngineContract
{
    protected const int VocabularySize = 37, ContextLength = 48;
    private const float Temperature = 0.8f;

    // The first three share a beginning, the fourth ends inside the first, the fifth stands alone.
    private static readonly int[][] Prompts = [[1, 2, 3, 4, 5, 6], [1, 2, 3, 9], [1, 2, 3, 9, 9, 4, 31], [1, 2], [36, 8, 17]];

    private static readonly TokenSequence[] Batch =
    [
        TokenSequence.Of([1, 2, 3, 4, 5, 6], [7, 8, 0]), TokenSequence.Of([1, 2, 3, 4, 5, 6], [7, 9, 10, 11, 36]), TokenSequence.Of([1, 2, 3, 9], [4, 4, 4, 0]),
        TokenSequence.Of([1, 2], [3, 4]), TokenSequence.Of([36, 8, 17], [20]), TokenSequence.Of([1, 2, 3, 4, 5, 6], [7, 8, 0]),
        new TokenSequence([.. Enumerable.Range(0, ContextLength).Select(i => 1 + i * 7 % 36)], 30),
    ];

    /// <summary>An engine with weights of its own for each seed, none of them at a special value (a zero, say, that would hide a gradient).</summary>
    protected abstract ITrainableEngine Create(ulong seed = 1);

    /// <summary>Every group of weights that training moves.</summary>
    protected abstract IReadOnlyList<string> Groups(ITrainableEngine engine);

    protected abstract float[] Read(ITrainableEngine engine, string group);

    protected abstract void Write(ITrainableEngine engine, string group, float[] values);

    /// <summary>Bytes that engines hold now, and how far that may be off.</summary>
    protected abstract (long Bytes, long Slack) Held();

    [Fact]
    public void Gradients_of_every_group_are_finite_differences()
    {
        using var engine = Create();
        var gradients = Gradients(engine, e => e.Accumulate(Batch[..6], Temperature, LossGradient));
        Assert.True(gradients.Count > 0);
        var random = SplitMix.For(3, 0);
        foreach (var (group, gradient) in gradients)
        {
            var norm = Norm(gradient);
            Assert.True(norm > 1e-3, $"{group} has no gradient to speak of: {norm}");
            var directions = new List<double[]> { Array.ConvertAll(gradient, g => g / norm) };
            var any = Array.ConvertAll(gradient, _ => random.NextNormal());
            var length = Norm(any);
            directions.Add(Array.ConvertAll(any, x => x / length));
            int[] places = [Array.IndexOf(gradient, gradient.MaxBy(Math.Abs)), random.NextInt(gradient.Length)];
            directions.AddRange(places.Select(place => Enumerable.Range(0, gradient.Length).Select(i => i == place ? 1.0 : 0).ToArray()));

            foreach (var (direction, index) in directions.Select((direction, index) => (direction, index)))
            {
                var expected = Slope(engine, group, direction);
                var got = direction.Zip(gradient, (d, g) => d * g).Sum();
                Assert.True(Math.Abs(expected - got) <= 2e-3 * Math.Max(norm, 0.5), $"{group}, direction {index}: {got}, by finite differences {expected}; the gradient's norm is {norm}");
            }
        }
    }

    [Fact]
    public void What_is_scored_is_what_was_sampled()
    {
        using var engine = Create();
        SamplingOptions[] ways = [new() { MaxTokens = 12 }, new() { MaxTokens = 12, Temperature = 0.7f }, new() { MaxTokens = 12, Temperature = 1.3f, TopK = 9, TopP = 0.9f, MinP = 0.02f }, SamplingOptions.Greedy(12)];
        foreach (var way in ways)
        {
            var samples = engine.Generate(Prompts, 5, way, 11);
            TokenSequence[] batch = [.. Prompts.SelectMany((prompt, i) => samples[i].Select(sample => TokenSequence.Of(prompt, sample.Tokens)))];
            var scores = engine.Score(batch, way.Temperature == 0 ? 1 : way.Temperature);
            foreach (var (sample, score) in samples.SelectMany(group => group).Zip(scores))
                Assert.Equal(Bits(sample.LogProbs), Bits(score.LogProbs));
        }
    }

    [Fact]
    public void Log_probabilities_are_those_of_a_distribution()
    {
        using var engine = Create();
        var all = engine.Score([.. Enumerable.Range(0, VocabularySize).Select(next => TokenSequence.Of(Prompts[0], [next]))], Temperature);
        Assert.Equal(1, all.Sum(score => Math.Exp(score.LogProbs[0])), 1e-5);
        var entropy = -all.Sum(score => Math.Exp(score.LogProbs[0]) * score.LogProbs[0]);
        foreach (var score in all) Assert.Equal(entropy, score.Entropies[0], 1e-5);
        Assert.InRange(entropy, 0.1, Math.Log(VocabularySize) - 1e-3);
    }

    [Fact]
    public void Scores_depend_neither_on_order_nor_on_company()
    {
        using var engine = Create();
        var together = engine.Score(Batch, Temperature);
        var reversed = engine.Score([.. Batch.Reverse()], Temperature).Reverse().ToArray();
        for (var i = 0; i < Batch.Length; i++)
        {
            var alone = engine.Score([Batch[i]], Temperature)[0];
            Assert.Equal(Bits(together[i].LogProbs), Bits(alone.LogProbs));
            Assert.Equal(Bits(together[i].Entropies), Bits(alone.Entropies));
            Assert.Equal(Bits(together[i].LogProbs), Bits(reversed[i].LogProbs));
            Assert.Equal(Bits(together[i].Entropies), Bits(reversed[i].Entropies));
        }
        Assert.Empty(engine.Score([]));
    }

    [Fact]
    public void Gradients_depend_neither_on_order_nor_on_company()
    {
        using var engine = Create();
        var together = Gradients(engine, e => e.Accumulate(Batch, Temperature, LossGradient));
        var backwards = Gradients(engine, e => e.Accumulate([.. Batch.Reverse()], Temperature, (i, scores) => LossGradient(Batch.Length - 1 - i, scores)));
        var oneByOne = Gradients(engine, e =>
        {
            for (var i = 0; i < Batch.Length; i++)
            {
                var index = i;
                e.Accumulate([Batch[i]], Temperature, (_, scores) => LossGradient(index, scores));
            }
            e.Accumulate([], Temperature, LossGradient);
        });
        AssertNear(together, backwards);
        AssertNear(together, oneByOne);
    }

    [Fact]
    public void The_loss_is_asked_once_for_each_sequence_with_the_scores_of_Score()
    {
        using var engine = Create();
        var scores = engine.Score(Batch, Temperature);
        var seen = new List<int>();
        engine.Accumulate(Batch, Temperature, (i, own) =>
        {
            seen.Add(i);
            Assert.Equal(Bits(scores[i].LogProbs), Bits(own.LogProbs));
            Assert.Equal(Bits(scores[i].Entropies), Bits(own.Entropies));
            return LossGradient(i, own);
        });
        Assert.Equal(Enumerable.Range(0, Batch.Length), seen.Order());
    }

    [Fact]
    public void A_gradient_adds_up_until_a_step_and_is_gone_after_it()
    {
        using var engine = Create();
        var once = Gradients(engine, e => e.Accumulate(Batch, Temperature, LossGradient));
        var twice = Gradients(engine, e =>
        {
            e.Accumulate(Batch, Temperature, LossGradient);
            e.Accumulate(Batch, Temperature, LossGradient);
        });
        AssertNear(once.ToDictionary(g => g.Key, g => Array.ConvertAll(g.Value, x => 2 * x)), twice);
        Assert.Equal(0, engine.Step(Plain).GradientNorm);
    }

    [Fact]
    public void The_norm_is_that_of_all_gradients_and_clipping_bounds_the_step()
    {
        using var engine = Create();
        var norm = Math.Sqrt(Gradients(engine, e => e.Accumulate(Batch, Temperature, LossGradient)).Sum(g => Norm(g.Value) * Norm(g.Value)));
        engine.Accumulate(Batch, Temperature, LossGradient);
        Assert.Equal(norm, engine.Step(new OptimizerOptions { LearningRate = 1e-3f }).GradientNorm, 1e-4 * norm);
        Assert.True(norm > 1);
        var clipped = Gradients(engine, e => e.Accumulate(Batch, Temperature, LossGradient), Plain with { MaxGradientNorm = 0.5f });
        Assert.Equal(0.5, Math.Sqrt(clipped.Sum(g => Norm(g.Value) * Norm(g.Value))), 1e-4);
    }

    [Fact]
    public void A_step_down_the_gradient_lowers_the_loss()
    {
        using var engine = Create();
        var before = Loss(engine, Batch);
        for (var step = 0; step < 5; step++) Train(engine);
        Assert.True(Loss(engine, Batch) < before - 0.01, $"from {before} to {Loss(engine, Batch)}");
    }

    [Fact]
    public void A_frozen_copy_does_not_move_and_outlives_its_engine()
    {
        var engine = Create();
        Train(engine);
        using var frozen = engine.Freeze();
        var (scores, identity) = (engine.Score(Batch, Temperature), engine.Identity);
        var samples = engine.Generate(Prompts, 2, new SamplingOptions { MaxTokens = 8 }, 5);
        Assert.Equal(identity, frozen.Identity);
        Train(engine);
        Assert.NotEqual(identity, engine.Identity);
        Assert.NotEqual(Bits(scores[0].LogProbs), Bits(engine.Score(Batch, Temperature)[0].LogProbs));
        engine.Dispose();

        Assert.Equal(identity, frozen.Identity);
        Assert.Equal(scores.SelectMany(s => Bits(s.LogProbs)), frozen.Score(Batch, Temperature).SelectMany(s => Bits(s.LogProbs)));
        AssertSame(samples, frozen.Generate(Prompts, 2, new SamplingOptions { MaxTokens = 8 }, 5));
    }

    [Fact]
    public void Loaded_equals_never_stopped_to_the_bit()
    {
        using var folder = new ScratchFolder();
        using var whole = Create();
        for (var step = 0; step < 3; step++) Train(whole);
        whole.Save(folder.Path);
        var saved = whole.Identity;
        var reports = Enumerable.Range(0, 2).Select(_ => Train(whole)).ToArray();

        // Into an engine with another past, and with gradients that belong to that past.
        using var resumed = Resumable();
        Train(resumed);
        resumed.Accumulate(Batch, Temperature, LossGradient);
        resumed.Load(folder.Path);
        Assert.Equal(saved, resumed.Identity);
        Assert.Equal(reports, Enumerable.Range(0, 2).Select(_ => Train(resumed)));
        Assert.Equal(whole.Identity, resumed.Identity);
        Assert.Equal(whole.Score(Batch).SelectMany(s => Bits(s.LogProbs)), resumed.Score(Batch).SelectMany(s => Bits(s.LogProbs)));

        // Back to the past on the same engine, and to one that has not taken a step.
        whole.Load(folder.Path);
        Assert.Equal(reports, Enumerable.Range(0, 2).Select(_ => Train(whole)));
        using var fresh = Create();
        fresh.Save(folder.Path);
        var first = Enumerable.Range(0, 2).Select(_ => Train(fresh)).ToArray();
        whole.Load(folder.Path);
        Assert.Equal(first, Enumerable.Range(0, 2).Select(_ => Train(whole)));
    }

    [Fact]
    public void The_same_seed_gives_the_same_tokens_and_another_seed_others()
    {
        using var engine = Create();
        using var again = Create();
        var sampling = new SamplingOptions { MaxTokens = 10 };
        var samples = engine.Generate(Prompts, 3, sampling, 7);
        AssertSame(samples, engine.Generate(Prompts, 3, sampling, 7));
        AssertSame(samples, again.Generate(Prompts, 3, sampling, 7));
        Assert.NotEqual(samples.SelectMany(g => g.SelectMany(s => s.Tokens)), engine.Generate(Prompts, 3, sampling, 8).SelectMany(g => g.SelectMany(s => s.Tokens)));
        foreach (var group in samples) Assert.True(group.Select(s => string.Join(' ', s.Tokens)).Distinct().Count() > 1, "all samples of a prompt are the same");
        Assert.Empty(engine.Generate([], 3, sampling, 7));
    }

    [Fact]
    public void A_sample_depends_on_its_seed_prompt_and_place_alone()
    {
        using var engine = Create();
        var sampling = new SamplingOptions { MaxTokens = 10 };
        var samples = engine.Generate(Prompts, 3, sampling, 7);
        AssertSame(samples[..2], engine.Generate(Prompts[..2], 3, sampling, 7));
        AssertSame(samples[2..], engine.Generate([[30], [5, 5, 5, 5], .. Prompts[2..]], 3, sampling, 7)[2..]);
        var more = engine.Generate(Prompts, 6, sampling, 7);
        AssertSame(samples, [.. more.Select(group => group[..3])]);
        var shorter = engine.Generate(Prompts, 3, sampling with { MaxTokens = 4 }, 7);
        foreach (var (longer, start) in samples.SelectMany(g => g).Zip(shorter.SelectMany(g => g)))
            Assert.Equal(longer.Tokens.Take(4), start.Tokens);
    }

    [Fact]
    public void A_sample_holds_its_end_token_and_says_how_it_ended()
    {
        using var engine = Create();
        var samples = engine.Generate(Prompts, 40, new SamplingOptions { MaxTokens = 20 }, 3).SelectMany(g => g).ToArray();
        foreach (var sample in samples)
        {
            Assert.Equal(sample.Tokens.Length, sample.LogProbs.Length);
            Assert.DoesNotContain(0, sample.Tokens[..^1]);
            Assert.Equal(sample.Tokens[^1] == 0 ? FinishReason.Stop : FinishReason.Length, sample.Finish);
            if (sample.Finish == FinishReason.Length) Assert.Equal(20, sample.Tokens.Length);
        }
        Assert.Contains(samples, sample => sample.Finish == FinishReason.Stop);
        Assert.Contains(samples, sample => sample.Finish == FinishReason.Length);
    }

    [Fact]
    public void The_most_likely_token_is_drawn_as_often_as_its_probability_says()
    {
        using var engine = Create();
        const int count = 4000;
        var likely = engine.Generate([[1, 2, 3]], 1, SamplingOptions.Greedy(1), 0)[0][0].Tokens[0];
        var p = Math.Exp(engine.Score([TokenSequence.Of([1, 2, 3], [likely])], Temperature)[0].LogProbs[0]);
        var drawn = engine.Generate([[1, 2, 3]], count, new SamplingOptions { MaxTokens = 1, Temperature = Temperature }, 21)[0].Count(s => s.Tokens[0] == likely);
        Assert.InRange(drawn, count * p - 5 * Math.Sqrt(count * p * (1 - p)), count * p + 5 * Math.Sqrt(count * p * (1 - p)));
    }

    [Fact]
    public void The_context_bounds_a_completion_and_a_prompt_that_fills_it_is_refused()
    {
        using var engine = Create();
        Assert.Equal(ContextLength, engine.ContextLength);
        int[] Prompt(int length) => [.. Enumerable.Repeat(5, length)];
        var last = engine.Generate([Prompt(ContextLength - 1)], 2, new SamplingOptions { MaxTokens = 9 }, 1);
        Assert.All(last[0], sample => Assert.Single(sample.Tokens));
        foreach (var sample in engine.Generate([Prompt(ContextLength - 3), [5]], 20, new SamplingOptions { MaxTokens = 9 }, 1)[0])
            Assert.True(sample.Tokens.Length == 3 || sample.Finish == FinishReason.Stop);
        var error = Assert.Throws<ContextOverflowException>(() => engine.Generate([[5], Prompt(ContextLength + 2)], 1, new SamplingOptions(), 1));
        Assert.Equal((ContextLength + 2, ContextLength), (error.Length, error.Limit));
        Assert.Contains($"{ContextLength + 2} tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains($"context of {ContextLength}", error.Message, StringComparison.Ordinal);
        Assert.Throws<ContextOverflowException>(() => engine.Generate([Prompt(ContextLength)], 1, new SamplingOptions(), 1));
    }

    [Fact]
    public void Memory_returns_to_its_level_after_a_step()
    {
        using var engine = Create();
        void Work()
        {
            engine.Generate(Prompts, 3, new SamplingOptions { MaxTokens = 10 }, 7);
            engine.Score(Batch, Temperature);
            Train(engine);
        }
        // The first steps make what lasts: gradients, moments, the threads' own memory.
        for (var i = 0; i < 5; i++) Work();
        Settle();
        // A thread that had nothing to do until now may still make its own once; a leak grows in every round.
        for (var round = 0; ; round++)
        {
            var (before, slack) = Held();
            for (var i = 0; i < 10; i++) Work();
            Settle();
            if (Held().Bytes <= before + slack) return;
            Assert.True(round < 9, $"ten rounds of ten steps each ended with more memory than they began with, the last with {Held().Bytes} bytes after {before}");
        }
    }

    [Fact]
    public void An_exception_of_the_loss_discards_all_gradients()
    {
        using var engine = Create();
        engine.Accumulate(Batch, Temperature, LossGradient);
        var calls = 0;
        var error = Assert.Throws<InvalidOperationException>(() => engine.Accumulate(Batch, Temperature, (i, scores) => ++calls == 4 ? throw new InvalidOperationException("mine") : LossGradient(i, scores)));
        Assert.Equal("mine", error.Message);
        Assert.Equal(0, engine.Step(Plain).GradientNorm);
    }

    [Fact]
    public void A_cancelled_call_ends_and_leaves_the_engine_as_it_was()
    {
        using var engine = Create();
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        var (identity, scores) = (engine.Identity, engine.Score(Batch));
        Assert.ThrowsAny<OperationCanceledException>(() => engine.Generate(Prompts, 2, new SamplingOptions(), 1, cancelled.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => engine.Score(Batch, 1, cancelled.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => engine.Accumulate(Batch, 1, LossGradient, cancelled.Token));

        using var soon = new CancellationTokenSource();
        engine.Accumulate(Batch, 1, LossGradient);
        Assert.ThrowsAny<OperationCanceledException>(() => engine.Accumulate(Batch, 1, (i, own) =>
        {
            soon.Cancel();
            return LossGradient(i, own);
        }, soon.Token));
        Assert.Equal(0, engine.Step(Plain).GradientNorm);
        Assert.Equal(identity, engine.Identity);
        Assert.Equal(scores.SelectMany(s => Bits(s.LogProbs)), engine.Score(Batch).SelectMany(s => Bits(s.LogProbs)));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_gradient_that_is_not_finite_moves_nothing(float bad)
    {
        using var engine = Create();
        Train(engine);
        var identity = engine.Identity;
        engine.Accumulate(Batch, 1, (i, scores) => new TokenGradients([.. scores.LogProbs.Select((_, t) => i == 1 && t == 0 ? bad : 1f)]));
        var error = Assert.Throws<NonFiniteException>(() => engine.Step(new OptimizerOptions()));
        Assert.Contains("gradient norm is", error.Message, StringComparison.Ordinal);
        Assert.Equal(identity, engine.Identity);

        // As if it had not been: the next step is that of an engine which never saw it.
        using var other = Create();
        Train(other);
        Assert.Equal(Train(other), Train(engine));
        Assert.Equal(other.Identity, engine.Identity);
    }

    [Fact]
    public void A_restarted_optimizer_steps_as_a_new_one_and_leaves_the_weights()
    {
        using var used = Create();
        for (var step = 0; step < 3; step++) Train(used);
        var weights = Groups(used).ToDictionary(group => group, group => Read(used, group));
        used.RestartOptimizer();
        Assert.All(weights, pair => Assert.Equal(pair.Value, Read(used, pair.Key)));

        using var fresh = Create();
        foreach (var (group, values) in weights) Write(fresh, group, values);
        Assert.Equal(Train(fresh), Train(used));
        Assert.All(Groups(used), group => Assert.Equal(Read(fresh, group), Read(used, group)));
    }

    [Fact]
    public void Weight_decay_shrinks_matrices_and_is_not_part_of_the_gradient()
    {
        using var engine = Create();
        var before = Groups(engine).ToDictionary(group => group, group => Read(engine, group));
        engine.Accumulate(Batch, Temperature, (_, scores) => new TokenGradients(new float[scores.LogProbs.Length]));
        Assert.Equal(0, engine.Step(new OptimizerOptions { LearningRate = 0.5f, WeightDecay = 0.1f }).GradientNorm);
        Assert.Contains(before, group => Read(engine, group.Key).Zip(group.Value).All(w => Math.Abs(w.First - 0.95f * w.Second) <= 1e-6f * Math.Abs(w.Second)));
    }

    /// <summary>An engine that can load what <see cref="Create"/>'s saves, with other trained weights.</summary>
    protected virtual ITrainableEngine Resumable() => Create(2);

    // With these the step is minus the gradient itself (but for g / 1e4), so that what a step sees can be read off the weights.
    private static OptimizerOptions Plain => new() { LearningRate = 1e4f, Epsilon = 1e4f, Beta1 = 0, Beta2 = 0, MaxGradientNorm = 0 };

    /// <summary>The gradient of every group as a step sees it; weights are as before.</summary>
    protected Dictionary<string, double[]> Gradients(ITrainableEngine engine, Action<ITrainableEngine> accumulate, OptimizerOptions? options = null)
    {
        var before = Groups(engine).ToDictionary(group => group, group => Read(engine, group));
        accumulate(engine);
        engine.Step(options ?? Plain);
        var gradients = new Dictionary<string, double[]>();
        foreach (var (group, old) in before)
        {
            gradients.Add(group, [.. old.Zip(Read(engine, group), (from, to) => ((double)from - to) / (1 - Math.Abs((double)from - to) / 1e4))]);
            Write(engine, group, old);
        }
        return gradients;
    }

    protected Dictionary<string, double[]> BatchGradients(ITrainableEngine engine) => Gradients(engine, e => e.Accumulate(Batch, Temperature, LossGradient));

    protected static TokenScores[] BatchScores(IEngine engine) => engine.Score(Batch, Temperature);

    protected static Sample[][] BatchSamples(IEngine engine) => engine.Generate(Prompts, 4, new SamplingOptions { MaxTokens = 20, Temperature = 1.2f }, 99);

    protected static StepReport Train(ITrainableEngine engine)
    {
        engine.Accumulate(Batch, Temperature, LossGradient);
        return engine.Step(new OptimizerOptions { LearningRate = 1e-2f, WeightDecay = 0.01f });
    }

    protected static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);

    protected static void AssertSame(Sample[][] expected, Sample[][] got)
    {
        Assert.Equal(expected.Length, got.Length);
        foreach (var (one, other) in expected.SelectMany(g => g).Zip(got.SelectMany(g => g)))
        {
            Assert.Equal(one.Tokens, other.Tokens);
            Assert.Equal(Bits(one.LogProbs), Bits(other.LogProbs));
            Assert.Equal(one.Finish, other.Finish);
        }
    }

    protected static void AssertNear(Dictionary<string, double[]> expected, Dictionary<string, double[]> got)
    {
        Assert.Equal(expected.Keys, got.Keys);
        foreach (var (group, values) in expected)
        {
            var tolerance = 2e-5 * values.Max(Math.Abs) + 1e-6;
            for (var i = 0; i < values.Length; i++) Assert.True(Math.Abs(values[i] - got[group][i]) <= tolerance, $"{group}[{i}] is {got[group][i]}, expected {values[i]} within {tolerance}");
        }
    }

    // loss = Σ a l + l²/10 + b H over all tokens, with a and b of either sign: every term that a loss may have.
    private static double Loss(IEngine engine, TokenSequence[] batch)
    {
        var scores = engine.Score(batch, Temperature);
        var sum = 0.0;
        for (var i = 0; i < scores.Length; i++)
            for (var t = 0; t < scores[i].LogProbs.Length; t++)
            {
                double l = scores[i].LogProbs[t], h = scores[i].Entropies[t];
                sum += Weight(i, t, 1) * l + 0.1 * l * l + Weight(i, t, 2) * h;
            }
        return sum;
    }

    private static TokenGradients LossGradient(int index, TokenScores scores) => new(
        [.. scores.LogProbs.Select((l, t) => (float)(Weight(index, t, 1) + 0.2 * l))],
        [.. scores.Entropies.Select((_, t) => (float)Weight(index, t, 2))]);

    private static double Weight(int index, int t, ulong kind) => (float)(2 * SplitMix.For(kind, (ulong)index, (ulong)t).NextDouble() - 1);

    // The derivative of the loss along a direction, from four points: errors of the fourth order in the step.
    private double Slope(ITrainableEngine engine, string group, double[] direction)
    {
        var old = Read(engine, group);
        double At(double step)
        {
            Write(engine, group, [.. old.Zip(direction, (w, d) => (float)(w + step * d))]);
            return Loss(engine, Batch[..6]);
        }
        const double h = 0.01;
        var slope = (8 * (At(h) - At(-h)) - (At(2 * h) - At(-2 * h))) / (12 * h);
        Write(engine, group, old);
        return slope;
    }

    private static double Norm(double[] values) => Math.Sqrt(values.Sum(x => x * x));

    private static void Settle()
    {
        for (var i = 0; i < 2; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}

/// <summary>An empty folder that is gone after the test.</summary>
internal sealed class ScratchFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("j1-engine-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
