using J1.Engines.Managed;
using J1.Evaluation;
using J1.Grpo;
using J1.Judging;
using Microsoft.ML;

namespace J1.MLNet;

/// <summary>What the trainers have in common. The model to start from is named in one of three ways: a path, a judge, or a function.</summary>
public abstract record JudgeTrainerOptions
{
    /// <summary>A Hugging Face folder or a .gguf file. It is opened anew by every Fit.</summary>
    public string? ModelPath { get; init; }

    /// <summary>A judge that goes on learning: one that was opened, trained or loaded. Its weights are copied; an adapter of its own is trained further.</summary>
    public Judge? Start { get; init; }

    /// <summary>Makes a model for each Fit, which then owns it.</summary>
    public Func<ManagedEngine>? CreateModel { get; init; }

    /// <summary>How the model is held and trained, LoRA included; a model of <see cref="CreateModel"/> has its own.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>How pairs are asked and completions read, in training and afterwards. Default a thinking verdict.</summary>
    public JudgeFormat Format { get; init; } = new();

    /// <summary>The longest completion, in tokens; an instant verdict takes 1. Default 256.</summary>
    public int MaxCompletionTokens { get; init; } = 256;

    /// <summary>What becomes of training rows that do not fit the context. Default refuse.</summary>
    public LongPromptPolicy LongPrompts { get; init; } = LongPromptPolicy.Refuse;

    /// <summary>Columns and batches of the stage that Fit returns; its inputs are also the training data's.</summary>
    public ScorePairsOptions Columns { get; init; } = new();

    /// <summary>Boolean (true: A is better) or text (A or B). Default <c>Label</c>.</summary>
    public string LabelColumnName { get; init; } = "Label";

    /// <summary>Single: how often a row stands in an epoch, 0 to 100; 0 leaves it out, a fraction is drawn once by the seed. Null: once. Default null.</summary>
    public string? WeightColumnName { get; init; }

    /// <summary>Text: a worked thought for (A, B), to imitate in a warm start; null where there is none. Default null.</summary>
    public string? ThoughtColumnName { get; init; }

    /// <summary>Text: a worked thought for (B, A). Default null.</summary>
    public string? SwappedThoughtColumnName { get; init; }

    /// <summary>Rows of the same columns on which the judge is measured and its probabilities are calibrated; null does neither. Default null.</summary>
    public IDataView? ValidationSet { get; init; }

    /// <summary>Also measures after every so many steps; 0 only at the end. Default 0.</summary>
    public int ValidateEverySteps { get; init; }

    /// <summary>Told after every step and every measurement, on the thread that fits.</summary>
    public Action<TrainingProgress>? OnProgress { get; init; }

    /// <summary>Stops between two steps, or within one; Fit then throws.</summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Decides which rows a step sees and what is sampled. Null draws one from the MLContext's seed when the trainer is made. Default null.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Completions an order when the trained judge judges; they are greedy. Default 1.</summary>
    public int Votes { get; init; } = 1;

    /// <summary>Whether the trained judge asks in both orders. Default true.</summary>
    public bool BothOrders { get; init; } = true;

    /// <summary>Trained weights of at most this many bytes lie in the saved file; larger ones need an adapter on a model that stays where it is. Default 64 MB.</summary>
    public long MaxEmbeddedBytes { get; init; } = 64_000_000;

    /// <exception cref="ArgumentException">Names the option, its value and its range.</exception>
    internal virtual void Validate()
    {
        var ways = new[] { ModelPath is not null, Start is not null, CreateModel is not null }.Count(given => given);
        if (ways != 1) throw new ArgumentException($"Name the model to start from in one way: {nameof(ModelPath)}, {nameof(Start)} or {nameof(CreateModel)}; {ways} are given.");
        if (Start is { Model: null }) throw new ArgumentException($"{nameof(Start)} is a judge without weights of ours (an engine or a function of yours); start from one that was opened, trained or loaded.");
        if (MaxCompletionTokens < 1) throw new ArgumentException($"{nameof(MaxCompletionTokens)} is {MaxCompletionTokens}; it must be at least 1.");
        if (ValidateEverySteps < 0) throw new ArgumentException($"{nameof(ValidateEverySteps)} is {ValidateEverySteps}; it must be at least 0.");
        if (string.IsNullOrEmpty(LabelColumnName)) throw new ArgumentException($"{nameof(LabelColumnName)} is empty; training needs a label.");
        Stages.Stage.Check(Stages.PairStage.InputsOf(Columns), Stages.PairStage.OutputsOf(Columns), Columns.BatchSize, Columns.RememberedRows);
        Engine.Validate();
        Settings(MaxCompletionTokens, null).Validate();
    }

    /// <summary>How the trained judge judges.</summary>
    internal JudgeSettings Settings(int maxCompletionTokens, Calibration? calibration) => new()
    {
        Format = Format,
        Sampling = Engines.SamplingOptions.Greedy(maxCompletionTokens),
        Votes = Votes,
        BothOrders = BothOrders,
        Calibration = calibration,
        Engine = Engine with { Lora = null },
        MaxEmbeddedBytes = MaxEmbeddedBytes,
    };
}

/// <summary>Settings of <see cref="GrpoJudgeTrainer"/>.</summary>
public sealed record GrpoTrainerOptions : JudgeTrainerOptions
{
    /// <summary>The algorithm: steps, group, loss, learning rate... Its seed and completion length are the trainer's.</summary>
    public GrpoOptions Grpo { get; init; } = new();

    /// <summary>What is rewarded.</summary>
    public RewardOptions Reward { get; init; } = new();

    /// <summary>A supervised start before GRPO; null for none. Default null.</summary>
    public WarmStartOptions? WarmStart { get; init; }

    internal override void Validate()
    {
        base.Validate();
        Grpo.Validate();
        Reward.Validate();
        WarmStart?.Validate();
    }
}

/// <summary>Settings of <see cref="WarmStartJudgeTrainer"/>.</summary>
public sealed record WarmStartTrainerOptions : JudgeTrainerOptions
{
    /// <summary>Steps, pairs a step, learning rate... Its seed is the trainer's.</summary>
    public WarmStartOptions WarmStart { get; init; } = new();

    internal override void Validate()
    {
        base.Validate();
        WarmStart.Validate();
    }
}

/// <summary>What a trainer is doing; the record of the step or of the measurement that was just made is there, the others are null.</summary>
/// <param name="Step">Steps done of this stage.</param>
/// <param name="Steps">Steps of this stage.</param>
/// <param name="WarmStart">A supervised step.</param>
/// <param name="Grpo">A step of GRPO.</param>
/// <param name="Validation">The judge on the validation set.</param>
public sealed record TrainingProgress(int Step, int Steps, WarmStartStep? WarmStart, GrpoStep? Grpo, EvaluationSummary? Validation);
