using J1.Cli.Configuration;
using J1.Data;
using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;
using J1.Grpo;
using J1.Judging;

namespace J1.Cli.Running;

/// <summary>The engine that a run trains.</summary>
internal static class RunModel
{
    /// <summary>Texts that a new tokenizer learns from; more would change nothing.</summary>
    private const int TokenizerPairs = 2000;

    /// <exception cref="Engines.Managed.Files.ModelFileException">The model cannot be read.</exception>
    public static ManagedEngine Open(Experiment experiment, IReadOnlyList<PreferencePair> train)
    {
        var section = experiment.Model;
        var options = new EngineOptions
        {
            Lora = section.Lora,
            MicroBatchTokens = section.MicroBatchTokens,
            RecomputeActivations = section.RecomputeActivations,
            ContextLength = section.ContextLength,
        };
        if (section.Create is not { } create) return ManagedEngine.Open(section.Path!, options);

        var tokenizer = LearnTokenizer(experiment.Judge.Format, train, create.VocabularySize);
        return ManagedEngine.Create(new ModelConfig
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
            TieEmbeddings = true,
            EndTokens = tokenizer.EndTokens,
        }, tokenizer, experiment.Seed, options);
    }

    /// <summary>How the run asks and grades.</summary>
    public static JudgeTask Task(Experiment experiment, IEngine engine)
    {
        var format = experiment.Judge.Format;
        var completion = format.IsInstantVerdict ? 1 : experiment.Judge.MaxCompletionTokens;
        var context = experiment.Data.MaxPromptTokens is { } most ? Math.Min(engine.ContextLength, most + completion) : engine.ContextLength;
        return new JudgeTask(engine.Tokenizer, format, context, completion, experiment.Data.LongPrompts);
    }

    /// <summary>A byte-level vocabulary learned from the training pairs as the judge sees them, with the protocol's tags as tokens of their own.</summary>
    private static BpeTokenizer LearnTokenizer(JudgeFormat format, IReadOnlyList<PreferencePair> train, int vocabularySize)
    {
        // Bytes alone are enough to write the targets down and read them back as text.
        var bytes = BpeTrainer.Train([], BpeTrainer.SmallestVocabulary);
        var task = new JudgeTask(bytes, format, int.MaxValue, int.MaxValue / 2);
        var texts = new List<string>();
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
        string[] tags = format.Thinking ? ["<think>", "</think>", "<answer>", "</answer>"] : ["<answer>", "</answer>"];
        return BpeTrainer.Train(texts, vocabularySize, tags);
    }
}
