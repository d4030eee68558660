namespace J1.Grpo;

/// <summary>
/// How one optimizer step of GRPO is computed from a batch of rollouts. The defaults are the J1 paper's where it states them
/// (group 5, temperature 1, KL 0.01 as k3, no entropy bonus) and DeepSeekMath's otherwise.
/// </summary>
public sealed record GrpoOptions
{
    /// <summary>Optimizer steps of the whole run. Default 100.</summary>
    public int Steps { get; init; } = 100;

    /// <summary>Pairs a step; each enters in both orders, so a step samples 2 × this × <see cref="GroupSize"/> completions. Default 8.</summary>
    public int PairsPerStep { get; init; } = 8;

    /// <summary>Samples of one ordered prompt, whose rewards are compared with each other. Default 5.</summary>
    public int GroupSize { get; init; } = 5;

    /// <summary>Sampling temperature; the same temperature enters the loss. Default 1.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>The most tokens of a completion. Default 256.</summary>
    public int MaxCompletionTokens { get; init; } = 256;

    /// <summary>The loss profile. Default <see cref="LossProfile.Grpo"/>.</summary>
    public LossProfile Loss { get; init; } = LossProfile.Grpo;

    /// <summary>The ratio is clipped below at 1 - this. Default: the profile's (0.2; gspo 3e-4).</summary>
    public double? ClipLow { get; init; }

    /// <summary>The ratio is clipped above at 1 + this (cispo: at this). Default: the profile's (0.2; dapo 0.28; gspo 4e-4; cispo 5).</summary>
    public double? ClipHigh { get; init; }

    /// <summary>A second, hard upper bound of the ratio for negative advantages too (two-sided clipping); null is none. Default null.</summary>
    public double? Delta { get; init; }

    /// <summary>Weight of the KL divergence from the reference (estimator k3). 0 needs no reference. Default 0.01.</summary>
    public double KlCoefficient { get; init; } = 0.01;

    /// <summary>Whether the KL term is weighted by the ratio, which makes its gradient unbiased off-policy. Default false.</summary>
    public bool ImportanceWeightedKl { get; init; }

    /// <summary>Weight of an entropy bonus. The paper tried one and dropped it. Default 0.</summary>
    public double EntropyCoefficient { get; init; }

    /// <summary>What rewards are divided by after their group's mean is taken off. Default <see cref="AdvantageScaling.Group"/>.</summary>
    public AdvantageScaling AdvantageScaling { get; init; } = AdvantageScaling.Group;

    /// <summary>Whether both orders of a pair share one baseline, so that a group is 2 × <see cref="GroupSize"/> samples. Default false.</summary>
    public bool ShareBaselineOverOrders { get; init; }

    /// <summary>Whether only one order of each pair, drawn by its id, enters the loss; the other is sampled to measure consistency and teaches nothing. The paper's ablation of both orders, not a way to save time. Default false.</summary>
    public bool SingleOrder { get; init; }

    /// <summary>Whether completions cut off by the length limit are left out of the loss. An instant verdict, one token, is never cut off. Default false.</summary>
    public bool MaskTruncated { get; init; }

    /// <summary>Optimizer steps taken on the same rollouts. Default 1 (on-policy).</summary>
    public int UpdatesPerBatch { get; init; } = 1;

    /// <summary>Peak learning rate. Default 1e-6, the paper's for full training.</summary>
    public float LearningRate { get; init; } = 1e-6f;

    /// <summary>How the learning rate moves over the run. Default constant.</summary>
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Constant;

    /// <summary>Steps over which the learning rate rises from 0. Default 0.</summary>
    public int WarmupSteps { get; init; }

    /// <summary>Decoupled weight decay, on matrices. Default 0.</summary>
    public float WeightDecay { get; init; }

    /// <summary>Gradients are scaled down to this norm; 0 is off. Default 1.</summary>
    public float MaxGradientNorm { get; init; } = 1;

    /// <summary>Decides which pairs a step sees and what is sampled. Default 0.</summary>
    public ulong Seed { get; init; }

    /// <summary>Throws when a value is out of its range.</summary>
    /// <exception cref="ArgumentException">Names the option, its value and its range.</exception>
    public void Validate()
    {
        AtLeast(nameof(Steps), Steps, 0);
        AtLeast(nameof(PairsPerStep), PairsPerStep, 1);
        AtLeast(nameof(GroupSize), GroupSize, 2);
        AtLeast(nameof(MaxCompletionTokens), MaxCompletionTokens, 1);
        AtLeast(nameof(UpdatesPerBatch), UpdatesPerBatch, 1);
        AtLeast(nameof(WarmupSteps), WarmupSteps, 0);
        AtLeast(nameof(KlCoefficient), KlCoefficient, 0);
        AtLeast(nameof(EntropyCoefficient), EntropyCoefficient, 0);
        AtLeast(nameof(WeightDecay), WeightDecay, 0);
        AtLeast(nameof(MaxGradientNorm), MaxGradientNorm, 0);
        Above(nameof(Temperature), Temperature, 0);
        Above(nameof(LearningRate), LearningRate, 0);
        if (ClipLow is { } low) AtLeast(nameof(ClipLow), low, 0);
        if (ClipHigh is { } high) AtLeast(nameof(ClipHigh), high, 0);
        if (Delta is { } delta) Above(nameof(Delta), delta, 1);
    }

    private static void AtLeast(string name, double value, double least)
    {
        if (!(value >= least && double.IsFinite(value))) throw new ArgumentException($"{name} is {value}; it must be at least {least}.");
    }

    private static void Above(string name, double value, double bound)
    {
        if (!(value > bound && double.IsFinite(value))) throw new ArgumentException($"{name} is {value}; it must be above {bound}.");
    }
}

/// <summary>Published variants of the loss: how the ratio is formed, how it is clipped, and how tokens are averaged.</summary>
public enum LossProfile
{
    /// <summary>Token ratio, clipped; the mean over sequences of each sequence's token mean (Shao et al., 2024).</summary>
    Grpo,

    /// <summary>Token ratio, clipped; the mean over all tokens of the batch.</summary>
    Bnpo,

    /// <summary>Token ratio, clipped; the sum over tokens divided by sequences × the completion limit, so that length has no effect (Liu et al., 2025).</summary>
    DrGrpo,

    /// <summary>Token ratio, clipped higher above; the mean over all tokens of the batch (Yu et al., 2025).</summary>
    Dapo,

    /// <summary>One ratio a sequence, the geometric mean of its tokens' (Zheng et al., 2025); averaged as <see cref="Grpo"/>.</summary>
    Gspo,

    /// <summary>The policy gradient with a capped, constant ratio as weight (MiniMax, 2025); averaged as <see cref="Dapo"/>.</summary>
    Cispo,
}

/// <summary>What centred rewards are divided by.</summary>
public enum AdvantageScaling
{
    /// <summary>The standard deviation of their own group.</summary>
    Group,

    /// <summary>The standard deviation of all rewards of the batch.</summary>
    Batch,

    /// <summary>Nothing.</summary>
    None,
}

/// <summary>How the learning rate moves after the warm-up.</summary>
public enum LearningRateSchedule
{
    Constant,

    /// <summary>Down to 0 in a straight line.</summary>
    Linear,

    /// <summary>Down to 0 along half a cosine.</summary>
    Cosine,
}

/// <summary>The learning rate of a step.</summary>
public static class LearningRates
{
    /// <param name="schedule">The shape.</param>
    /// <param name="peak">The rate after the warm-up.</param>
    /// <param name="step">The step about to be taken, from 0.</param>
    /// <param name="steps">Steps of the whole run.</param>
    /// <param name="warmupSteps">Steps of the linear rise.</param>
    public static float At(LearningRateSchedule schedule, float peak, int step, int steps, int warmupSteps)
    {
        if (step < warmupSteps) return peak * (step + 1) / warmupSteps;
        var progress = (double)(step - warmupSteps) / Math.Max(1, steps - warmupSteps);
        return schedule switch
        {
            LearningRateSchedule.Linear => (float)(peak * (1 - progress)),
            LearningRateSchedule.Cosine => (float)(peak * 0.5 * (1 + Math.Cos(Math.PI * progress))),
            _ => peak,
        };
    }
}
