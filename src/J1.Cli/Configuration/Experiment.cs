using J1.Data;
using J1.Engines.Managed;
using J1.Grpo;
using J1.Judging;

namespace J1.Cli.Configuration;

/// <summary>What <c>j1 run</c> does, as a YAML file holds it. Keys are these properties in snake_case.</summary>
internal sealed record Experiment
{
    /// <summary>Names the run's folder.</summary>
    public required string Name { get; init; }

    /// <summary>Decides everything that is random: initial weights, made pairs, batches, samples. Default 0.</summary>
    public ulong Seed { get; init; }

    public required ModelSection Model { get; init; }

    public required DataSection Data { get; init; }

    public JudgeSection Judge { get; init; } = new();

    /// <summary>The stage that writes more training pairs; absent for none.</summary>
    public SynthesizeSection? Synthesize { get; init; }

    /// <summary>The supervised stage before GRPO; absent for none.</summary>
    [SetElsewhere(nameof(WarmStartOptions.Seed), "seed")]
    public WarmStartOptions? WarmStart { get; init; }

    /// <summary>The reinforcement stage; <c>steps: 0</c> for none.</summary>
    [SetElsewhere(nameof(GrpoOptions.Seed), "seed")]
    [SetElsewhere(nameof(GrpoOptions.MaxCompletionTokens), "judge.max_completion_tokens")]
    public GrpoOptions Grpo { get; init; } = new();

    public RewardOptions Reward { get; init; } = new();

    public EvaluateSection Evaluate { get; init; } = new();

    public CalibrateSection Calibrate { get; init; } = new();

    public ReportSection Report { get; init; } = new();

    public CheckpointSection Checkpoint { get; init; } = new();

    /// <summary>The run's folder. Default: runs/NAME-seedN where the command is called.</summary>
    [PathValue]
    public string? Output { get; init; }

    public void Validate()
    {
        if (Name is { } name && (name.AsSpan().IndexOfAny(Path.GetInvalidFileNameChars()) >= 0 || name is "." or ".."))
            throw new ArgumentException($"{nameof(Name)} is '{name}'; it must be usable as a folder's name.");
        if (Synthesize is null && Data is { Generate: null, Files: [] })
            throw new ArgumentException($"{nameof(Data)} names no pairs to train on; expected generate or files in it, or a section synthesize.");
    }

    /// <summary>The files whose content decides what is computed, those of them that are there.</summary>
    public IEnumerable<string> InputFiles => Data.Files.Concat(Data.TestFiles)
        .Concat(new[] { Judge.Prompt, Judge.PointwisePrompt, Synthesize?.NoisyInstruction, Synthesize?.WrongAnswer }.OfType<string>()).Where(System.IO.File.Exists);

    /// <summary>The warm start with what the experiment sets for it; null where there is none to run.</summary>
    public WarmStartOptions? WarmStartOfRun => WarmStart is { Steps: > 0 } ? WarmStart with { Seed = Seed } : null;

    /// <summary>GRPO with what the experiment sets for it.</summary>
    public GrpoOptions GrpoOfRun => Grpo with { Seed = Seed, MaxCompletionTokens = Judge.MaxCompletionTokens };
}

/// <summary>The model: one of <see cref="Path"/> and <see cref="Create"/>.</summary>
internal sealed record ModelSection
{
    /// <summary>A Hugging Face folder or a .gguf file.</summary>
    [PathValue]
    public string? Path { get; init; }

    /// <summary>A new, small Llama with random weights and a tokenizer learned from the training texts.</summary>
    public CreateSection? Create { get; init; }

    /// <summary>The most tokens of a sequence, where that is to be less than the model's own limit.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Adapters that are trained in place of the model's own weights; absent to train those.</summary>
    [SetElsewhere(nameof(LoraOptions.Seed), "seed")]
    public LoraOptions? Lora { get; init; }

    /// <summary>Tokens that the engine takes through the model at once; more is faster and needs more memory. Default 2048.</summary>
    public int MicroBatchTokens { get; init; } = 2048;

    /// <summary>Whether activations are computed again for the backward pass instead of kept: less memory, more time. Default false.</summary>
    public bool RecomputeActivations { get; init; }

    public void Validate()
    {
        if (ContextLength is < 16) throw new ArgumentException($"{nameof(ContextLength)} is {ContextLength}; it must be at least 16.");
        if (MicroBatchTokens < 1) throw new ArgumentException($"{nameof(MicroBatchTokens)} is {MicroBatchTokens}; it must be at least 1.");
        if (Path is null && Create is null) throw new ArgumentException("names no model; expected a path, or create with the sizes of a new one.");
        if (Path is not null && Create is not null) throw new ArgumentException($"{nameof(Path)} and {nameof(Create)} are both given; expected one of them.");
    }
}

/// <summary>The shape of a model made from nothing.</summary>
internal sealed record CreateSection
{
    /// <summary>Width of the residual stream. Default 128.</summary>
    public int HiddenSize { get; init; } = 128;

    /// <summary>Width of the feed-forward layer. Default 384.</summary>
    public int IntermediateSize { get; init; } = 384;

    /// <summary>Default 3.</summary>
    public int Layers { get; init; } = 3;

    /// <summary>Query heads. Default 4.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>Key and value heads. Default 2.</summary>
    public int KvHeads { get; init; } = 2;

    /// <summary>Width of a head. Default hidden_size / heads.</summary>
    public int? HeadSize { get; init; }

    /// <summary>The most tokens of a sequence. Default 256.</summary>
    public int ContextLength { get; init; } = 256;

    /// <summary>Base of the rotary position's wavelengths; a short context wants a small one. Default 10000.</summary>
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>The most tokens in the vocabulary. Default 512.</summary>
    public int VocabularySize { get; init; } = 512;

    public void Validate()
    {
        AtLeast(nameof(HiddenSize), HiddenSize, 8);
        AtLeast(nameof(IntermediateSize), IntermediateSize, 8);
        AtLeast(nameof(Layers), Layers, 1);
        AtLeast(nameof(Heads), Heads, 1);
        AtLeast(nameof(KvHeads), KvHeads, 1);
        AtLeast(nameof(ContextLength), ContextLength, 16);
        AtLeast(nameof(VocabularySize), VocabularySize, 300);
        if (!(RopeTheta > 1 && double.IsFinite(RopeTheta))) throw new ArgumentException($"{nameof(RopeTheta)} is {RopeTheta}; it must be above 1.");
        if (HeadSize is { } size && (size < 2 || size % 2 != 0)) throw new ArgumentException($"{nameof(HeadSize)} is {size}; it must be an even number of at least 2.");
        if (Heads % KvHeads != 0) throw new ArgumentException($"{nameof(Heads)} is not a multiple of {nameof(KvHeads)}: {Heads} and {KvHeads}.");
        if (HeadSize is null && (HiddenSize % Heads != 0 || HiddenSize / Heads % 2 != 0))
            throw new ArgumentException($"{nameof(HiddenSize)} / {nameof(Heads)} is no even whole number: {HiddenSize} / {Heads}; change one, or give {nameof(HeadSize)}.");

        static void AtLeast(string name, int value, int least)
        {
            if (value < least) throw new ArgumentException($"{name} is {value}; it must be at least {least}.");
        }
    }
}

/// <summary>The pairs: one of <see cref="Generate"/> and <see cref="Files"/>.</summary>
internal sealed record DataSection
{
    /// <summary>Pairs made by the project's own generator.</summary>
    public GenerateSection? Generate { get; init; }

    /// <summary>JSONL files of preference pairs.</summary>
    [PathValue]
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>Files that are for testing only.</summary>
    [PathValue]
    public IReadOnlyList<string> TestFiles { get; init; } = [];

    /// <summary>Share of each file held out for testing, split by instruction. Default 0.2.</summary>
    public double TestShare { get; init; } = 0.2;

    /// <summary>Another number, other pairs are held out; not changed by the experiment's seed, so that runs are compared on the same pairs. Default 0.</summary>
    public ulong SplitSeed { get; init; }

    /// <summary>The most training pairs from one file; null for all. Default null.</summary>
    public int? MaxPairsPerFile { get; init; }

    /// <summary>The longest prompt in tokens; null for what the context leaves beside the completion. Default null.</summary>
    public int? MaxPromptTokens { get; init; }

    /// <summary>What happens to pairs whose prompt is longer. Default refuse.</summary>
    public LongPromptPolicy LongPrompts { get; init; } = LongPromptPolicy.Refuse;

    /// <summary>Words of each answer that a thinking judge's warm start is taught to repeat before its verdict, where a pair has no thought of its own; null for none. Default null.</summary>
    public int? QuoteWords { get; init; }

    public void Validate()
    {
        if (QuoteWords is < 1) throw new ArgumentException($"{nameof(QuoteWords)} is {QuoteWords}; it must be at least 1.");
        if (!(TestShare is >= 0 and < 1)) throw new ArgumentException($"{nameof(TestShare)} is {TestShare}; it must be at least 0 and below 1.");
        if (MaxPairsPerFile is < 1) throw new ArgumentException($"{nameof(MaxPairsPerFile)} is {MaxPairsPerFile}; it must be at least 1.");
        if (MaxPromptTokens is < 1) throw new ArgumentException($"{nameof(MaxPromptTokens)} is {MaxPromptTokens}; it must be at least 1.");
        if (Generate is not null && Files is not []) throw new ArgumentException($"{nameof(Generate)} and {nameof(Files)} are both given; expected one of them.");
    }
}

/// <summary>What the generator makes.</summary>
internal sealed record GenerateSection
{
    /// <summary>Default: all of them.</summary>
    public IReadOnlyList<ProblemKind> Kinds { get; init; } = [ProblemKind.Coins, ProblemKind.Count, ProblemKind.Lift, ProblemKind.Ring];

    /// <summary>Default 4000.</summary>
    public int TrainPairs { get; init; } = 4000;

    /// <summary>Default 300.</summary>
    public int TestPairs { get; init; } = 300;

    public void Validate()
    {
        if (Kinds is []) throw new ArgumentException($"{nameof(Kinds)} is empty; it must be a list of at least one kind.");
        if (TrainPairs < 1) throw new ArgumentException($"{nameof(TrainPairs)} is {TrainPairs}; it must be at least 1.");
        if (TestPairs < 1) throw new ArgumentException($"{nameof(TestPairs)} is {TestPairs}; it must be at least 1.");
    }
}

/// <summary>When and how a run is measured on pairs it does not train on.</summary>
internal sealed record EvaluateSection
{
    /// <summary>The most test pairs; null for all. Default 300.</summary>
    public int? Pairs { get; init; } = 300;

    /// <summary>Steps of GRPO between two measurements on the way; 0 for none. Default 0.</summary>
    public int Every { get; init; }

    /// <summary>Sampling temperature of a thinking judge; 0 is greedy. Default 0.</summary>
    public float Temperature { get; init; }

    /// <summary>Only the most likely tokens that together reach this probability are drawn. Default 1.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Thoughts an order: the majority of verdicts, the mean of scores. More than one needs a temperature. Default 1.</summary>
    public int Votes { get; init; } = 1;

    public void Validate()
    {
        if (Pairs is < 1) throw new ArgumentException($"{nameof(Pairs)} is {Pairs}; it must be at least 1.");
        if (Every < 0) throw new ArgumentException($"{nameof(Every)} is {Every}; it must be at least 0.");
        if (!(Temperature >= 0)) throw new ArgumentException($"{nameof(Temperature)} is {Temperature}; it must be at least 0.");
        if (!(TopP is > 0 and <= 1)) throw new ArgumentException($"{nameof(TopP)} is {TopP}; it must be above 0 and at most 1.");
        if (Votes < 1) throw new ArgumentException($"{nameof(Votes)} is {Votes}; it must be at least 1.");
        if (Votes > 1 && Temperature == 0) throw new ArgumentException($"{nameof(Votes)} and {nameof(Temperature)} do not fit: greedy thoughts are all the same; give a temperature above 0.");
    }
}

/// <summary>The stage that turns margins into probabilities, fitted on training pairs that nothing is trained on.</summary>
internal sealed record CalibrateSection
{
    /// <summary>About how many training pairs are held out for it, at most a quarter of them; 0 for no calibration. Default 128.</summary>
    public int Pairs { get; init; } = 128;

    public void Validate()
    {
        if (Pairs < 0) throw new ArgumentException($"{nameof(Pairs)} is {Pairs}; it must be at least 0.");
    }
}

/// <summary>What report.html holds.</summary>
internal sealed record ReportSection
{
    /// <summary>The most judgements to browse; a page of many is slow to open. Default 500.</summary>
    public int Judgements { get; init; } = 500;

    public void Validate()
    {
        if (Judgements < 0) throw new ArgumentException($"{nameof(Judgements)} is {Judgements}; it must be at least 0.");
    }
}

/// <summary>When a run saves itself.</summary>
internal sealed record CheckpointSection
{
    /// <summary>Steps between two checkpoints. Default 20.</summary>
    public int EverySteps { get; init; } = 20;

    public void Validate()
    {
        if (EverySteps < 1) throw new ArgumentException($"{nameof(EverySteps)} is {EverySteps}; it must be at least 1.");
    }
}
