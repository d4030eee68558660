using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed.Tokenizers;

public sealed class BpeTrainerTests
{
    private static readonly string[] s_texts =
    [
        "Which answer is better? The answer A says 12 + 30 = 42, the answer B says 12 + 30 = 43.",
        "The better answer is the answer that is right: answer A is right, and answer B is not.",
        "<think>is 42 right? yes, 42 is right</think><answer> [[A]] </answer>",
        "na\u00EFve caf\u00E9 \u4F60\u597D \U0001F44D, and the rest of the answer",
    ];

    private static readonly string[] s_words = ["<think>", "</think>"];

    [Fact]
    public void Any_text_comes_back_from_a_small_vocabulary()
    {
        foreach (var size in (int[])[BpeTrainer.SmallestVocabulary, 256, 280])
        {
            var tokenizer = BpeTrainer.Train(s_texts, size);
            Assert.Equal(size, tokenizer.VocabularySize);
            foreach (var text in (string[])[.. s_texts, "never seen: \u05E9\u05DC\u05D5\u05DD \U00011000 \u0000\t\r\n  end "])
                Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void What_is_frequent_becomes_one_token()
    {
        var tokenizer = BpeTrainer.Train(s_texts, 320);
        Assert.Single(tokenizer.Encode(" answer"));
        Assert.True(tokenizer.VocabularySize < 320, "the texts have no more pairs that occur twice");
        Assert.Equal(320, BpeTrainer.Train(s_texts, 320, minimumCount: 1).VocabularySize);
    }

    [Fact]
    public void The_most_frequent_pair_is_joined_first_and_ties_go_to_the_smaller_ids()
    {
        // xy 4 times; all others twice: a comes before c, c before the space, the space before the new tokens
        var tokenizer = BpeTrainer.Train(["xyxyxy", "xy", "ab cd ab cd"], BpeTrainer.SmallestVocabulary + 5);
        Assert.Equal(["xy", "ab", "cd", " cd", "xyxy"], Enumerable.Range(BpeTrainer.SmallestVocabulary, 5).Select(id => tokenizer.Decode([id])));
    }

    [Fact]
    public void Reserved_words_are_one_token_each_and_stay_when_decoded()
    {
        var tokenizer = BpeTrainer.Train(s_texts, 280, s_words);
        Assert.Equal(280, tokenizer.VocabularySize);
        Assert.Equal([3], tokenizer.Encode("<think>"));
        Assert.Equal([3, tokenizer.Encode("x")[0], 4], tokenizer.Encode("<think>x</think>"));
        Assert.Equal("<think>x</think>", tokenizer.Decode(tokenizer.Encode("<think>x</think>")));
    }

    [Fact]
    public void Training_twice_gives_the_same_vocabulary()
    {
        var once = BpeTrainer.Train(s_texts, 300, s_words);
        var twice = BpeTrainer.Train(s_texts.Select(text => new string(text.AsSpan())), 300, s_words);
        Assert.Equal(once.Description.Tokens, twice.Description.Tokens);
        Assert.Equal(once.Description.Merges, twice.Description.Merges);
    }

    [Fact]
    public void A_vocabulary_that_cannot_hold_the_bytes_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train(s_texts, BpeTrainer.SmallestVocabulary - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train(s_texts, BpeTrainer.SmallestVocabulary, s_words));
        Assert.Throws<ArgumentException>(() => BpeTrainer.Train(s_texts, 300, ["<|im_end|>"]));
    }
}
