using J1.Engines.Managed;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;
using J1.Judging;

namespace J1.MLNet.Tests;

/// <summary>A language model of some thousand parameters, and a task that it can learn in a second: the response that says good is better than the one that says bad.</summary>
internal static class TinyJudges
{
    public static BpeTokenizer Tokenizer { get; } = BpeTrainer.Train(
        Items(40).SelectMany(item => new[] { Format.Render(item.Instruction, item.ResponseA, item.ResponseB), Format.Render(item.Instruction, item.ResponseB, item.ResponseA) }).Select(request => $"user\n{request.Messages[0].Content}"), 400, ["<answer>"]);

    /// <summary>One forward pass an order.</summary>
    public static JudgeFormat Format => new() { Thinking = false, Prompt = JudgePrompt.Parse("{instruction}\nA: {response_a}\nB: {response_b}") };

    public static ManagedEngine Create(ulong seed = 1, LoraOptions? lora = null) => ManagedEngine.Create(Shape, Tokenizer, seed, new EngineOptions { Lora = lora });

    public static ModelConfig Shape { get; } = new()
    {
        Architecture = Architecture.Llama,
        HiddenSize = 32,
        IntermediateSize = 48,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 8,
        VocabularySize = 400,
        ContextLength = 128,
        TieEmbeddings = true,
        EndTokens = Tokenizer.EndTokens,
    };

    public static PairItem[] Items(int count) => [.. Enumerable.Range(0, count).Select(i => new PairItem
    {
        Instruction = $"Question {i}?",
        ResponseA = i % 2 == 0 ? "good" : "bad",
        ResponseB = i % 2 == 0 ? "bad" : "good",
        Label = i % 2 == 0,
    })];

    /// <summary>A trainer's options with the task's format and a model of its own for each Fit.</summary>
    public static WarmStartTrainerOptions WarmStart(int steps = 40) => new()
    {
        CreateModel = () => Create(),
        Format = Format,
        Seed = 1,
        WarmStart = new() { Steps = steps, PairsPerStep = 8, LearningRate = 1e-2f },
    };
}
