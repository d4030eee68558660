using J1.Data;
using J1.Engines;

namespace J1.Grpo;

/// <summary>Settings of a supervised warm start.</summary>
public sealed record WarmStartOptions
{
    /// <summary>Optimizer steps. Default 100.</summary>
    public int Steps { get; init; } = 100;

    /// <summary>Pairs a step; each enters in both orders. Default 8.</summary>
    public int PairsPerStep { get; init; } = 8;

    /// <summary>Peak learning rate. Default 1e-5.</summary>
    public float LearningRate { get; init; } = 1e-5f;

    /// <summary>How the learning rate moves over the run. Default constant.</summary>
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Constant;

    /// <summary>Steps over which the learning rate rises from 0. Default 0.</summary>
    public int WarmupSteps { get; init; }

    /// <summary>Decoupled weight decay, on matrices. Default 0.</summary>
    public float WeightDecay { get; init; }

    /// <summary>Gradients are scaled down to this norm; 0 is off. Default 1.</summary>
    public float MaxGradientNorm { get; init; } = 1;

    /// <summary>
    /// Weight of the tokens that the label decides, against 1 for the others: below 1, the thought and the protocol are taught before the verdict,
    /// which is left to reinforcement. Default 1.
    /// </summary>
    public float VerdictWeight { get; init; } = 1;

    /// <summary>
    /// Ends the warm start before its last step where this share of the pairs that come next has, in both orders, its label's tokens more likely than not after the given thought;
    /// looked at every 10 steps on 128 pairs. Null for never. Default null.
    /// </summary>
    public double? UntilConsistent { get; init; }

    /// <summary>Decides which pairs a step sees. Default 0.</summary>
    public ulong Seed { get; init; }

    /// <exception cref="ArgumentException">Names the option, its value and its range.</exception>
    public void Validate()
    {
        if (Steps < 0) throw new ArgumentException($"{nameof(Steps)} is {Steps}; it must be at least 0.");
        if (PairsPerStep < 1) throw new ArgumentException($"{nameof(PairsPerStep)} is {PairsPerStep}; it must be at least 1.");
        if (!(LearningRate > 0 && float.IsFinite(LearningRate))) throw new ArgumentException($"{nameof(LearningRate)} is {LearningRate}; it must be above 0.");
        if (WarmupSteps < 0) throw new ArgumentException($"{nameof(WarmupSteps)} is {WarmupSteps}; it must be at least 0.");
        if (!(WeightDecay >= 0)) throw new ArgumentException($"{nameof(WeightDecay)} is {WeightDecay}; it must be at least 0.");
        if (!(VerdictWeight > 0 && float.IsFinite(VerdictWeight))) throw new ArgumentException($"{nameof(VerdictWeight)} is {VerdictWeight}; it must be above 0.");
        if (UntilConsistent is { } goal && !(goal is > 0 and <= 1)) throw new ArgumentException($"{nameof(UntilConsistent)} is {goal}; it must be above 0 and at most 1.");
        if (!(MaxGradientNorm >= 0)) throw new ArgumentException($"{nameof(MaxGradientNorm)} is {MaxGradientNorm}; it must be at least 0.");
    }
}

/// <summary>
/// Supervised fine-tuning on given completions, for models too small to follow the protocol unaided: the same loop as GRPO with another
/// loss, the weighted mean of the target tokens' negative log-probability. Both orders of a pair are always in the batch, as in training.
/// </summary>
public sealed class WarmStart
{
    private const int StepsBetweenLooks = 10, PairsLookedAt = 128;

    private readonly ITrainableEngine _engine;
    private readonly IJudgeTask _task;
    private readonly WarmStartOptions _options;

    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public WarmStart(ITrainableEngine engine, IJudgeTask task, WarmStartOptions options)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_engine, _task, _options) = (engine, task, options);
    }

    /// <summary>Takes the steps from <paramref name="firstStep"/> (from 0) to the last, or until <see cref="WarmStartOptions.UntilConsistent"/> is reached, telling <paramref name="onStep"/> of each.</summary>
    /// <exception cref="DataException">A pair has nothing to imitate.</exception>
    /// <exception cref="NonFiniteException">A loss or gradient is not a number; weights are as after the last whole step.</exception>
    public void Run(IReadOnlyList<PreferencePair> pairs, int firstStep, Action<WarmStartStep> onStep, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentNullException.ThrowIfNull(onStep);
        for (var step = firstStep; step < _options.Steps; step++)
        {
            if (_options.UntilConsistent is { } goal && step > 0 && step % StepsBetweenLooks == 0 && Consistent(pairs, step, cancellationToken) >= goal) return;
            var drawn = PairSchedule.At(step, _options.PairsPerStep, pairs.Count, _options.Seed);
            onStep(Step(step, [.. drawn.Select(i => pairs[i])], cancellationToken));
        }
    }

    /// <summary>One step on a batch of pairs.</summary>
    public WarmStartStep Step(int step, IReadOnlyList<PreferencePair> pairs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var batch = new List<TokenSequence>(2 * pairs.Count);
        var weights = new List<float[]>(2 * pairs.Count);
        foreach (var pair in pairs)
        {
            var targets = Targets(pair);
            batch.AddRange(_task.Prompts(pair).Zip(targets, TokenSequence.Of));
            weights.AddRange(DecidedByLabel(pair, targets).Select(decided => decided.Select(verdict => verdict ? _options.VerdictWeight : 1).ToArray()));
        }

        // loss = -Σ w log p / W over the target tokens of the batch, W = Σ w, so d loss / d log p = -w/W for each.
        var tokens = batch.Sum(s => (long)s.CompletionLength);
        var total = weights.Sum(of => of.Sum(w => (double)w));
        var loss = 0.0;
        _engine.Accumulate(batch, 1, (i, scores) =>
        {
            var own = 0.0;
            var gradients = new float[scores.LogProbs.Length];
            for (var t = 0; t < gradients.Length; t++)
            {
                gradients[t] = (float)(-weights[i][t] / total);
                own -= weights[i][t] * (double)scores.LogProbs[t] / total;
            }
            if (!double.IsFinite(own)) throw new NonFiniteException($"The loss is {own} at warm-start step {step}, pair '{pairs[i / 2].Id}'.");
            loss += own;
            return new TokenGradients(gradients);
        }, cancellationToken);

        var report = _engine.Step(new OptimizerOptions
        {
            LearningRate = LearningRates.At(_options.Schedule, _options.LearningRate, step, _options.Steps, _options.WarmupSteps),
            WeightDecay = _options.WeightDecay,
            MaxGradientNorm = _options.MaxGradientNorm,
        });
        return new WarmStartStep(step, loss, report.GradientNorm, report.LearningRate, tokens);
    }

    /// <summary>Share of the pairs that the steps from <paramref name="step"/> on draw whose label's tokens are more likely than not in both orders, given the tokens before them.</summary>
    private double Consistent(IReadOnlyList<PreferencePair> pairs, int step, CancellationToken cancellationToken)
    {
        var steps = (PairsLookedAt + _options.PairsPerStep - 1) / _options.PairsPerStep;
        int[] drawn = [.. Enumerable.Range(step, steps).SelectMany(at => PairSchedule.At(at, _options.PairsPerStep, pairs.Count, _options.Seed)).Take(PairsLookedAt)];
        var (batch, decided) = (new List<TokenSequence>(), new List<bool[]>());
        foreach (var pair in drawn.Select(i => pairs[i]))
        {
            var targets = Targets(pair);
            batch.AddRange(_task.Prompts(pair).Zip(targets, TokenSequence.Of));
            decided.AddRange(DecidedByLabel(pair, targets));
        }
        var scores = _engine.Score(batch, 1, cancellationToken);
        bool[] likely = [.. scores.Select((score, i) => score.LogProbs.Where((_, t) => decided[i][t]).Sum(l => (double)l) > Math.Log(0.5))];
        return Enumerable.Range(0, drawn.Length).Count(i => likely[2 * i] && likely[2 * i + 1]) / (double)drawn.Length;
    }

    private int[][] Targets(PreferencePair pair) => _task.Targets(pair)
        ?? throw new DataException($"Pair '{pair.Id}' has nothing to imitate: a warm start needs a label, and for a thinking judge a thought for both orders.");

    /// <summary>For each token of both targets: would it be another if the other response were the better one?</summary>
    private IEnumerable<bool[]> DecidedByLabel(PreferencePair pair, int[][] targets)
    {
        var others = _task.Targets(pair with { Label = pair.Label == Preference.A ? Preference.B : Preference.A })!;
        return targets.Zip(others, (target, other) => target.Select((token, t) => t >= other.Length || token != other[t]).ToArray());
    }
}

/// <summary>What a supervised step did.</summary>
/// <param name="Step">From 0.</param>
/// <param name="Loss">Mean negative log-probability of the target tokens before the step, by their weights, in nats.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="LearningRate">The learning rate used.</param>
/// <param name="TargetTokens">Target tokens in the batch.</param>
public sealed record WarmStartStep(int Step, double Loss, double GradientNorm, float LearningRate, long TargetTokens);
