using J1.Data;
using J1.Engines.Managed;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;
using J1.Judging;

namespace J1.Tests.Judging;

public sealed class TransformerJudgeTests
{
    [Theory]
    [InlineData(false, 0f, 1)]
    [InlineData(true, 0f, 1)]
    [InlineData(true, 1f, 3)]
    public async Task A_transformer_keeps_the_algebra_to_the_last_bit(bool thinking, float temperature, int votes)
    {
        var tokenizer = BpeTrainer.Train(["Which is better?"], 300, ["<think>", "</think>", "<answer>", "</answer>"]);
        using var engine = ManagedEngine.Create(new ModelConfig
        {
            VocabularySize = tokenizer.VocabularySize,
            HiddenSize = 32,
            IntermediateSize = 48,
            LayerCount = 2,
            HeadCount = 2,
            KeyValueHeadCount = 2,
            HeadSize = 16,
            ContextLength = 512,
            TieEmbeddings = true,
            Architecture = Architecture.Llama,
        }, tokenizer, 5);
        var format = new JudgeFormat { Thinking = thinking, Prompt = JudgePrompt.BuiltIn("compact") };
        var judge = new TwoOrderJudge(new EngineJudge(engine, format, new() { Sampling = new() { MaxTokens = 12, Temperature = temperature } }), votes);
        PreferencePair[] pairs = [.. Enumerable.Range(0, 12).Select(TwoOrderJudgeTests.RandomPair)];
        var (straight, crossed) = (await judge.JudgeAsync(pairs), await judge.JudgeAsync([.. pairs.Select(pair => pair.Swap())]));
        Assert.Equal(straight.Select(j => (j.Outcome, j.Margin, j.Probability, j.Flipped)), crossed.Select(j => (j.Outcome.Swap(), -j.Margin, 1 - j.Probability, j.Flipped)));
        Assert.Equal(straight.Select(j => j.First[0].Text), crossed.Select(j => j.Second[0].Text));
        if (thinking) return;
        Assert.True(straight.Select(j => j.Margin).Distinct().Count() > 6);
        var alone = await judge.JudgeAsync([pairs[7]]);
        Assert.Equal(straight[7].Margin!.Value, alone[0].Margin!.Value, 5);
    }
}
