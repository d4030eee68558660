using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;
using J1.Judging;
using J1.MLNet;
using Microsoft.ML;

/// <summary>Two answers to "say the word owl", and which is right. Neither answer gives it away: a judge has to hold it against the question.</summary>
internal sealed class Pair
{
    public string Instruction { get; set; } = "";
    public string ResponseA { get; set; } = "";
    public string ResponseB { get; set; } = "";
    public bool Label { get; set; }
}

/// <summary>The task of the examples, small enough that a judge learns it from nothing in seconds.</summary>
internal static class Echo
{
    private static readonly string[] Words = ["owl", "cat", "hen", "fox", "cow", "dog", "bee", "ant"];

    /// <summary>An instant judge: no thought, one forward pass an order.</summary>
    public static JudgeFormat Format { get; } = new() { Thinking = false, Prompt = JudgePrompt.Parse("{instruction}\nA: {response_a}\nB: {response_b}\nBetter:"), AssistantPrefix = " " };

    public static IEnumerable<Pair> Pairs(int count, ulong seed)
    {
        var random = SplitMix.For(seed, 0xEC40);
        for (var i = 0; i < count; i++)
        {
            var (right, isA) = (random.NextInt(Words.Length), random.NextInt(2) == 0);
            var wrong = (right + 1 + random.NextInt(Words.Length - 1)) % Words.Length;
            yield return new Pair { Instruction = $"say the word {Words[right]}", ResponseA = $"it is {Words[isA ? right : wrong]}", ResponseB = $"it is {Words[isA ? wrong : right]}", Label = isA };
        }
    }

    /// <summary>The judge that TrainAndSave saved; where there is none, one that is trained now.</summary>
    public static JudgeTransformer Judge(MLContext ml, string path)
    {
        if (File.Exists(path)) return ml.J1().LoadJudge(path);
        Console.WriteLine($"There is no {path} (examples/TrainAndSave writes one): a judge is trained now.");
        var options = new WarmStartTrainerOptions { CreateModel = NewModel, Format = Format, WarmStart = new() { Steps = 200, PairsPerStep = 16, LearningRate = 3e-3f } };
        return ml.J1().Trainers.WarmStart(options).Fit(ml.Data.LoadFromEnumerable(Pairs(500, seed: 2)));
    }

    /// <summary>A language model of some ten thousand random weights.</summary>
    public static ManagedEngine NewModel()
    {
        var tokenizer = BpeTrainer.Train(Pairs(200, 1).Select(pair => Format.Render(pair.Instruction, pair.ResponseA, pair.ResponseB).Messages[0].Content), 320);
        var shape = new ModelConfig
        {
            Architecture = Architecture.Llama,
            HiddenSize = 48,
            IntermediateSize = 96,
            LayerCount = 2,
            HeadCount = 4,
            KeyValueHeadCount = 4,
            HeadSize = 12,
            VocabularySize = tokenizer.VocabularySize,
            ContextLength = 64,
            TieEmbeddings = true,
            EndTokens = tokenizer.EndTokens,
        };
        return ManagedEngine.Create(shape, tokenizer, seed: 1);
    }
}
