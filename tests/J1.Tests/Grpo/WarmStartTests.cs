using J1.Engines;
using J1.Grpo;
using J1.Tests.Engines;

namespace J1.Tests.Grpo;

public sealed class WarmStartTests
{
    private static readonly ToyTask s_task = new(6);

    private static TableEngine Engine() => new(s_task, 1);

    [Theory]
    [InlineData(1)]
    [InlineData(0.25f)]
    [InlineData(3)]
    public void The_loss_is_the_mean_of_the_target_tokens_by_their_weights(float verdictWeight)
    {
        using var engine = Engine();
        var options = new WarmStartOptions { VerdictWeight = verdictWeight, LearningRate = 0.1f };
        new WarmStart(engine, s_task, options).Step(0, s_task.Pairs);   // away from the even start

        var batch = s_task.Pairs.SelectMany(pair => s_task.Prompts(pair).Zip(s_task.Targets(pair), TokenSequence.Of)).ToArray();
        var scores = engine.Score(batch, 1);
        var expected = -scores.Average(score => (verdictWeight * score.LogProbs[0] + score.LogProbs[1]) / (verdictWeight + 1));
        Assert.Equal(expected, new WarmStart(engine, s_task, options).Step(1, s_task.Pairs).Loss, 5);
    }

    [Fact]
    public void The_gradient_is_that_of_the_loss()
    {
        // A step so small that the loss moves by -η ‖g‖², with Adam's first step undone: its size is η for every weight, so Δloss = -η ‖g‖₁; a finite difference along it.
        using var engine = Engine();
        var options = new WarmStartOptions { VerdictWeight = 0.3f, LearningRate = 1e-3f, MaxGradientNorm = 0 };
        var before = new WarmStart(engine, s_task, options).Step(0, s_task.Pairs);
        var moved = before.Loss - new WarmStart(engine, s_task, options).Step(1, s_task.Pairs).Loss;
        // ‖g‖₂ ≤ ‖g‖₁ = moved / η ≤ √n ‖g‖₂ over the n weights that have a gradient: a row for each prompt and each verdict.
        var weights = (12 + 2) * s_task.VocabularySize;
        Assert.InRange(moved / options.LearningRate, before.GradientNorm * 0.95, Math.Sqrt(weights) * before.GradientNorm * 1.05);
    }

    [Fact]
    public void It_ends_where_the_next_pairs_are_consistent_and_a_resumed_one_ends_there_too()
    {
        var options = new WarmStartOptions { Steps = 1000, PairsPerStep = 3, LearningRate = 0.02f, UntilConsistent = 1 };
        using var whole = Engine();
        var steps = 0;
        new WarmStart(whole, s_task, options).Run(s_task.Pairs, 0, _ => steps++);
        Assert.InRange(steps, 10, 990);
        Assert.Equal(0, steps % 10);

        using var folder = new ScratchFolder();
        using var killed = Engine();
        var stop = new CancellationTokenSource();
        var at = 0;
        Assert.ThrowsAny<OperationCanceledException>(() => new WarmStart(killed, s_task, options).Run(s_task.Pairs, 0, step =>
        {
            if (step.Step != steps - 4) return;
            killed.Save(folder.Path);
            at = step.Step + 1;
            stop.Cancel();
            stop.Token.ThrowIfCancellationRequested();
        }, stop.Token));
        using var resumed = Engine();
        resumed.Load(folder.Path);
        new WarmStart(resumed, s_task, options).Run(s_task.Pairs, at, step => at = step.Step + 1);
        Assert.Equal(steps, at);
        Assert.Equal(whole.Identity, resumed.Identity);
    }

    [Fact]
    public void It_takes_all_its_steps_where_the_goal_is_not_reached()
    {
        using var engine = Engine();
        var steps = 0;
        new WarmStart(engine, s_task, new WarmStartOptions { Steps = 25, PairsPerStep = 3, LearningRate = 1e-6f, UntilConsistent = 0.9 }).Run(s_task.Pairs, 0, _ => steps++);
        Assert.Equal(25, steps);
    }

    [Fact]
    public void Options_out_of_range_are_named()
    {
        Assert.Contains("VerdictWeight is 0", Assert.Throws<ArgumentException>(new WarmStartOptions { VerdictWeight = 0 }.Validate).Message, StringComparison.Ordinal);
        Assert.Contains("UntilConsistent is 1.5", Assert.Throws<ArgumentException>(new WarmStartOptions { UntilConsistent = 1.5 }.Validate).Message, StringComparison.Ordinal);
    }
}
