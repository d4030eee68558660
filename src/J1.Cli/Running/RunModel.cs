using J1.Cli.Configuration;
using J1.Data;
using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;
using J1.Grpo;
using J1.Judging;

namespace J1.Cli.Running;

/// <summary>The model that a run trains, before its weights are read: enough to encode the pairs and to tell how much memory it will take.</summary>
internal sealed class RunModel
{
    /// <summary>Pairs that a new tokenizer learns from; more would change little.</summary>
    private const int TokenizerPairs = 2000;

    private readonly Experiment _experiment;
    private readonly EngineOptions _options;

    /// <exception cref="ModelFileException">The model cannot be read.</exception>
    /// <exception cref="UsageException">It has no tokenizer.</exception>
    public RunModel(Experiment experiment, IReadOnlyList<PreferencePair> train)
    {
        var section = experiment.Model;
        _experiment = experiment;
        _options = new EngineOptions
        {
            Lora = section.Lora is null ? null : section.Lora with { Seed = experiment.Seed },
            MicroBatchTokens = section.MicroBatchTokens,
            RecomputeActivations = section.RecomputeActivations,
            ContextLength = section.ContextLength,
        };
        if (section.Create is { } create)
        {
            var tokenizer = LearnTokenizer(FormatsOf(experiment.Judge), experiment.Judge.TargetScores, train, create.VocabularySize);
            (Tokenizer, Config) = (tokenizer, Shape(create, tokenizer));
        }
        else
        {
            using var files = ModelReader.Open(section.Path!);
            Tokenizer = Models.TokenizerOf(files) ?? throw new UsageException($"'{section.Path}' has no tokenizer, and a judge reads text. Put its tokenizer.json into the folder.");
            Config = files.Config;
        }
        var context = Math.Min(section.ContextLength ?? int.MaxValue, Config.ContextLength);
        Tasks = [.. FormatsOf(experiment.Judge).Select(format => TaskOf(experiment, format, Tokenizer, context))];
    }

    public ModelConfig Config { get; }

    public ITokenizer Tokenizer { get; }

    /// <summary>How the run asks and grades: the way it is measured, and for a multitask judge the pointwise one.</summary>
    public IReadOnlyList<JudgeTask> Tasks { get; }

    /// <summary>What the run will hold in memory.</summary>
    public MemoryEstimate Memory(UsablePairs pairs)
    {
        var grpo = _experiment.GrpoOfRun;
        var longest = pairs.Train.Concat(pairs.Test).Max(pair => Tasks.Max(task => task.Prompts(pair).Max(prompt => prompt.Length)));
        var samples = Math.Max(grpo.Steps == 0 ? 0 : 2 * grpo.PairsPerStep * grpo.GroupSize, Tasks[0].Format.IsInstantVerdict ? 0 : 2 * RunJudge.PairsPerCall * _experiment.Evaluate.Votes);
        return MemoryEstimate.For(Config, _options, training: true, reference: grpo is { Steps: > 0, KlCoefficient: > 0 }, samples, longest, Tasks.Max(task => task.MaxCompletionTokens));
    }

    /// <summary>Reads or makes the weights.</summary>
    public ManagedEngine Open() =>
        _experiment.Model.Path is { } path ? ManagedEngine.Open(path, _options) : ManagedEngine.Create(Config, Tokenizer, _experiment.Seed, _options);

    private static JudgeFormat[] FormatsOf(JudgeSection judge) => judge.PointwiseFormat is { } pointwise ? [judge.Format, pointwise] : [judge.Format];

    private static JudgeTask TaskOf(Experiment experiment, JudgeFormat format, ITokenizer tokenizer, int context)
    {
        var completion = format.IsInstantVerdict ? 1 : experiment.Judge.MaxCompletionTokens;
        if (experiment.Data.MaxPromptTokens is { } most) context = Math.Min(context, most + completion);
        try
        {
            return new JudgeTask(tokenizer, format, context, completion, experiment.Data.LongPrompts) { TargetScores = ScoresOf(experiment.Judge.TargetScores) };
        }
        catch (ArgumentException error)
        {
            throw new UsageException(error.Message);
        }
    }

    private static (double, double)? ScoresOf(IReadOnlyList<double> scores) => scores is [var better, var worse] ? (better, worse) : null;

    private static ModelConfig Shape(CreateSection create, BpeTokenizer tokenizer) => new()
    {
        Architecture = Architecture.Llama,
        HiddenSize = create.HiddenSize,
        IntermediateSize = create.IntermediateSize,
        LayerCount = create.Layers,
        HeadCount = create.Heads,
        KeyValueHeadCount = create.KvHeads,
        HeadSize = create.HeadSize ?? create.HiddenSize / create.Heads,
        VocabularySize = tokenizer.VocabularySize,
        ContextLength = create.ContextLength,
        Rope = new RopeConfig { Theta = create.RopeTheta },
        TieEmbeddings = true,
        EndTokens = tokenizer.EndTokens,
    };

    /// <summary>A byte-level vocabulary learned from the training pairs as the judge sees them, with the protocol's tags as tokens of their own.</summary>
    private static BpeTokenizer LearnTokenizer(IReadOnlyList<JudgeFormat> formats, IReadOnlyList<double> targetScores, IReadOnlyList<PreferencePair> train, int vocabularySize)
    {
        // Bytes alone are enough to write the targets down and read them back as text.
        var bytes = BpeTrainer.Train([], BpeTrainer.SmallestVocabulary);
        var texts = new List<string>();
        foreach (var format in formats)
        {
            var task = new JudgeTask(bytes, format, int.MaxValue, int.MaxValue / 2) { TargetScores = ScoresOf(targetScores) };
            foreach (var pair in train.Take(TokenizerPairs))
            {
                JudgeRequest[] requests = format.Mode == JudgeMode.Pointwise
                    ? [format.RenderOne(pair.Instruction, pair.ResponseA), format.RenderOne(pair.Instruction, pair.ResponseB)]
                    : [format.Render(pair.Instruction, pair.ResponseA, pair.ResponseB), format.Render(pair.Instruction, pair.ResponseB, pair.ResponseA)];
                var targets = task.Targets(pair);
                for (var order = 0; order < 2; order++)
                {
                    var request = requests[order];
                    texts.AddRange(request.Messages.Select(message => $"{message.Role}\n{message.Content}"));
                    texts.Add($"assistant\n{request.AssistantPrefix}{(targets is null ? "" : bytes.Decode(targets[order]))}");
                }
            }
        }
        return BpeTrainer.Train(texts, vocabularySize, [.. formats.SelectMany(Tags).Distinct()]);
    }

    /// <summary>The protocol's tags with the space that stands before them, so that a space by itself foretells neither a tag nor its absence. The first tag of a completion has none.</summary>
    private static IEnumerable<string> Tags(JudgeFormat format)
    {
        string[] tags = format.Mode switch
        {
            JudgeMode.Verdict => ["<answer>", " </answer>"],
            JudgeMode.Pointwise => ["<score>", " </score>"],
            JudgeMode.Scores => ["<score_A>", " </score_A>", " <score_B>", " </score_B>"],
            _ => ["<score_A>", " </score_A>", " <score_B>", " </score_B>", " <answer>", " </answer>"],
        };
        return format.Thinking ? ["<think>", " </think>", " " + tags[0], .. tags[1..]] : tags;
    }
}
