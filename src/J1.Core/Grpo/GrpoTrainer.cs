using J1.Data;
using J1.Engines;
using J1.Judging;

namespace J1.Grpo;

/// <summary>
/// Trains a judge by group relative policy optimisation (GRPO; Shao et al., 2024) with J1's rewards. This file is the whole algorithm:
/// <list type="number">
/// <item>ask every pair in both orders, so that position cannot pay;</item>
/// <item>let the policy answer each prompt several times (a group);</item>
/// <item>grade the verdicts and reward them, where they can be verified;</item>
/// <item>compare each reward with its group's mean: that is the advantage, no value network needed;</item>
/// <item>recall how likely each token was when drawn, and is under the reference;</item>
/// <item>move the policy towards what did better than its group, clipped, and not far from the reference;</item>
/// <item>say what happened.</item>
/// </list>
/// What is left out: distributed rollouts, value heads, replay. What a token contributes is in <see cref="GrpoObjective"/>, what a verdict earns in <see cref="JudgeReward"/>.
/// The trainer holds no state but the engine's: step s of a run depends on the weights, the seed and s, so resuming is loading the engine and going on at s.
/// </summary>
public sealed class GrpoTrainer
{
    private readonly ITrainableEngine _policy;
    private readonly IEngine? _reference;
    private readonly IJudgeTask _task;
    private readonly GrpoOptions _options;
    private readonly RewardOptions _rewards;
    private readonly GrpoObjective _objective;

    /// <param name="policy">The engine that is trained.</param>
    /// <param name="reference">What the KL term holds the policy to, usually <see cref="ITrainableEngine.Freeze"/> before the first step; not needed where the KL coefficient is 0.</param>
    /// <param name="task">How pairs are asked and graded.</param>
    /// <param name="options">The algorithm's settings.</param>
    /// <param name="rewards">What is rewarded.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the KL term has no reference.</exception>
    public GrpoTrainer(ITrainableEngine policy, IEngine? reference, IJudgeTask task, GrpoOptions options, RewardOptions rewards)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(rewards);
        rewards.Validate();
        (_policy, _reference, _task, _options, _rewards) = (policy, reference, task, options, rewards);
        _objective = new GrpoObjective(options);
        if (_objective.NeedsReference && reference is null)
            throw new ArgumentException($"KlCoefficient is {options.KlCoefficient}, but there is no reference engine; pass policy.Freeze(), or set it to 0.", nameof(reference));
    }

    /// <summary>Takes the steps from <paramref name="firstStep"/> (from 0) to the last, telling <paramref name="onStep"/> of each.</summary>
    /// <exception cref="NonFiniteException">A loss or gradient is not a number; the message names step and pair. Weights are as after the last whole step.</exception>
    public void Run(IReadOnlyList<PreferencePair> pairs, int firstStep, Action<GrpoStep> onStep, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentNullException.ThrowIfNull(onStep);
        for (var step = firstStep; step < _options.Steps; step++)
        {
            var drawn = PairSchedule.At(step, _options.PairsPerStep, pairs.Count, _options.Seed);
            onStep(Step(step, [.. drawn.Select(i => pairs[i])], cancellationToken));
        }
    }

    /// <summary>One step on a batch of pairs: rollouts, rewards, advantages, <see cref="GrpoOptions.UpdatesPerBatch"/> updates.</summary>
    public GrpoStep Step(int step, IReadOnlyList<PreferencePair> pairs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var G = _options.GroupSize;

        // 1. Every pair is asked twice.                                                 (pairs × 2) prompts
        var prompts = pairs.SelectMany(_task.Prompts).ToArray();
        if (prompts.Length != 2 * pairs.Count)
            throw new InvalidOperationException($"The task made {prompts.Length} prompts of {pairs.Count} pairs; both orders of every pair must be in the batch.");

        // 2. The policy answers each prompt G times. No top-k or top-p: the loss must know the distribution that was drawn from.
        var sampling = new SamplingOptions { MaxTokens = _options.MaxCompletionTokens, Temperature = _options.Temperature };
        var samples = _policy.Generate(prompts, G, sampling, SplitMix.For(_options.Seed, (ulong)step, 0x5A3D).Next(), cancellationToken);

        // 3. Rewards, from the verdicts of both orders together.                        [pairs × 2 × G]
        var rewards = new double[prompts.Length * G];
        var grades = new Grade[pairs.Count][][];
        for (var p = 0; p < pairs.Count; p++)
        {
            grades[p] = _task.Grade(pairs[p], [samples[2 * p], samples[2 * p + 1]]);
            var (first, second) = JudgeReward.Of(grades[p][0], grades[p][1], _rewards);
            first.CopyTo(rewards, 2 * p * G);
            second.CopyTo(rewards, (2 * p + 1) * G);
            if (_options.SingleOrder) Array.Fill(rewards, double.NaN, (2 * p + LeftOut(pairs[p])) * G, G);
        }

        // 4. Advantages: what a sample earned beyond its group. Both orders may share one baseline.
        var group = _options.ShareBaselineOverOrders ? 2 * G : G;
        var advantages = Advantages.Of(rewards, group, _options.AdvantageScaling);

        // 5. The batch: one sequence a sample. Old log-probabilities come with the samples; a sequence whose
        //    gradient is zero whatever it scores (no advantage, no KL, no bonus) counts in the means but need not be run.
        var rollouts = new List<Rollout>(rewards.Length);
        for (var i = 0; i < rewards.Length; i++)
        {
            var sample = samples[i / G][i % G];
            if (double.IsNaN(rewards[i]) || (_options.MaskTruncated && IsCutOff(sample))) continue;
            rollouts.Add(new Rollout(TokenSequence.Of(prompts[i / G], sample.Tokens), sample.LogProbs, advantages[i], pairs[i / (2 * G)].Id));
        }
        var (sequences, tokens) = (rollouts.Count, rollouts.Sum(r => (long)r.OldLogProbs.Length));
        if (!_objective.NeedsReference && _options.EntropyCoefficient == 0) rollouts.RemoveAll(r => r.Advantage == 0);
        TokenSequence[] batch = [.. rollouts.Select(r => r.Sequence)];
        var reference = _objective.NeedsReference ? _reference!.Score(batch, _options.Temperature, cancellationToken) : null;

        // 6. The update. The engine runs forward, asks for the gradient of every token, and runs backward.
        var updates = new List<(StepReport Report, SequenceTerm[] Terms)>();
        for (var update = 0; update < _options.UpdatesPerBatch; update++)
        {
            var terms = new SequenceTerm[batch.Length];
            _policy.Accumulate(batch, _options.Temperature, (i, now) =>
            {
                var weight = _objective.TokenWeight(sequences, tokens, now.LogProbs.Length);
                terms[i] = _objective.Evaluate(now, rollouts[i].OldLogProbs, reference?[i].LogProbs, rollouts[i].Advantage, weight);
                if (!double.IsFinite(terms[i].Loss))
                    throw new NonFiniteException($"The loss is {terms[i].Loss} at step {step}, pair '{rollouts[i].PairId}'. Lower the learning rate, or look at that pair.");
                return terms[i].Gradients;
            }, cancellationToken);
            updates.Add((_policy.Step(Optimizer(step)), terms));
        }

        // 7. What happened.
        return Describe(step, samples, grades, rewards, updates);
    }

    /// <summary>For the ablation: which order of a pair takes no part in the loss, always the same one.</summary>
    private int LeftOut(PreferencePair pair) => Hashes.Of("single order", _options.Seed, pair.Id)[0] % 2;

    private OptimizerOptions Optimizer(int step) => new()
    {
        LearningRate = LearningRates.At(_options.Schedule, _options.LearningRate, step, _options.Steps, _options.WarmupSteps),
        WeightDecay = _options.WeightDecay,
        MaxGradientNorm = _options.MaxGradientNorm,
    };

    private GrpoStep Describe(int step, Sample[][] samples, Grade[][][] grades, double[] rewards, List<(StepReport Report, SequenceTerm[] Terms)> updates)
    {
        // Index-matched rollouts of the two orders are the step's own small test of consistency.
        var matched = grades.SelectMany(pair => pair[0].Zip(pair[1])).ToArray();
        var all = samples.SelectMany(group => group).ToArray();
        var terms = updates.SelectMany(u => u.Terms).ToArray();
        double tokens = all.Sum(s => (long)s.Tokens.Length);
        double trained = Math.Max(1, terms.Sum(t => (long)t.Tokens));
        return new GrpoStep
        {
            Step = step,
            Reward = rewards.Where(reward => !double.IsNaN(reward)).Average(),
            ConsistentAccuracy = Share(matched, m => m is (Grade.Right, Grade.Right)),
            Flips = Share(matched, m => m is (Grade.Right, Grade.Wrong) or (Grade.Wrong, Grade.Right)),
            Ties = Share(matched, m => m.First == Grade.Tie || m.Second == Grade.Tie),
            Invalid = Share(matched, m => m.First == Grade.Invalid || m.Second == Grade.Invalid),
            Truncated = Share(all, IsCutOff),
            Loss = updates.Count == 0 ? 0 : terms.Sum(t => t.Loss) / updates.Count,
            Kl = terms.Sum(t => t.Kl) / trained,
            Entropy = -all.Sum(s => s.LogProbs.Sum(l => (double)l)) / Math.Max(1, tokens),
            ClippedLow = terms.Sum(t => t.ClippedLow) / trained,
            ClippedHigh = terms.Sum(t => t.ClippedHigh) / trained,
            GradientNorm = updates.Count == 0 ? 0 : updates.Average(u => u.Report.GradientNorm),
            LearningRate = updates.Count == 0 ? 0 : updates[^1].Report.LearningRate,
            MeanCompletionTokens = tokens / all.Length,
            SampledTokens = (long)tokens,
            Samples = samples,
            Grades = grades,
        };
    }

    // Where one token is all that is asked for, an instant verdict, it ends by length and is whole.
    private bool IsCutOff(Sample sample) => sample.Finish == FinishReason.Length && _options.MaxCompletionTokens > 1;

    private static double Share<T>(T[] items, Func<T, bool> test) => items.Length == 0 ? 0 : items.Count(test) / (double)items.Length;

    private sealed record Rollout(TokenSequence Sequence, float[] OldLogProbs, double Advantage, string PairId);
}

/// <summary>What a GRPO step did; every share is over index-matched rollouts of the two orders unless it says otherwise.</summary>
public sealed record GrpoStep
{
    /// <summary>From 0.</summary>
    public required int Step { get; init; }

    /// <summary>Mean reward of all samples.</summary>
    public required double Reward { get; init; }

    /// <summary>Share of rollout pairs that are right in both orders.</summary>
    public required double ConsistentAccuracy { get; init; }

    /// <summary>Share of rollout pairs whose two valid verdicts name different responses.</summary>
    public required double Flips { get; init; }

    /// <summary>Share with a tie in either order.</summary>
    public required double Ties { get; init; }

    /// <summary>Share with an invalid completion in either order.</summary>
    public required double Invalid { get; init; }

    /// <summary>Share of all samples cut off by the length limit.</summary>
    public required double Truncated { get; init; }

    /// <summary>The batch loss, the mean over updates.</summary>
    public required double Loss { get; init; }

    /// <summary>k3 estimate of the divergence from the reference, nats a token; 0 where no reference is used.</summary>
    public required double Kl { get; init; }

    /// <summary>Estimate of the policy's entropy from its own samples, nats a token.</summary>
    public required double Entropy { get; init; }

    /// <summary>Share of trained tokens clipped from below.</summary>
    public required double ClippedLow { get; init; }

    /// <summary>Share of trained tokens clipped from above.</summary>
    public required double ClippedHigh { get; init; }

    /// <summary>Before clipping, the mean over updates; 0 where no group disagreed and nothing was learned.</summary>
    public required double GradientNorm { get; init; }

    public required float LearningRate { get; init; }

    public required double MeanCompletionTokens { get; init; }

    public required long SampledTokens { get; init; }

    /// <summary>Shape [pairs × 2][G].</summary>
    public required Sample[][] Samples { get; init; }

    /// <summary>Shape [pairs][2][G].</summary>
    public required Grade[][][] Grades { get; init; }
}
