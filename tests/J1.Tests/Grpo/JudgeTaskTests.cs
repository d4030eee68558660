using J1.Data;
using J1.Engines;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Tokenizers;
using J1.Grpo;
using J1.Judging;
using J1.Tests.Engines.Managed.Tokenizers;
using J1.Tests.Judging;

namespace J1.Tests.Grpo;

public sealed class JudgeTaskTests
{
    private static readonly PreferencePair Pair = new()
    {
        Id = "7",
        Instruction = "What is 2 + 2?",
        ResponseA = "It is 4.",
        ResponseB = "It is 5.",
        Label = Preference.A,
        Thought = "2, 4",
        SwappedThought = "it is 4",
    };

    private static readonly CharacterTokenizer Characters = new();

    [Fact]
    public void Prompts_are_both_orders_and_a_pointwise_judges_are_the_responses_alone()
    {
        var prompts = new JudgeTask(Characters, new() { Prompt = JudgePrompt.BuiltIn("compact") }, 1000, 50).Prompts(Pair).Select(prompt => Characters.Decode(prompt));
        Assert.Equal(["Q: What is 2 + 2?\nA: It is 4.\nB: It is 5.\nWhich is better?<think>", "Q: What is 2 + 2?\nA: It is 5.\nB: It is 4.\nWhich is better?<think>"], prompts);
        var alone = new JudgeTask(Characters, new() { Mode = JudgeMode.Pointwise, Prompt = JudgePrompt.Parse("{instruction} {response}") }, 1000, 50).Prompts(Pair).Select(prompt => Characters.Decode(prompt));
        Assert.Equal(["What is 2 + 2? It is 4.<think>", "What is 2 + 2? It is 5.<think>"], alone);
    }

    [Theory]
    [InlineData(Preference.A)]
    [InlineData(Preference.B)]
    public void Completions_are_graded_in_the_order_they_were_shown(Preference label)
    {
        var task = new JudgeTask(Characters, new(), 5000, 50);
        string[] said = ["</think><answer>[[A]]</answer>", "</think><answer>[[B]]</answer>", "</think>", "<answer>[[A]]</answer>"];
        var grades = task.Grade(Pair with { Label = label }, [[.. said.Select(Say)], [.. said.Select(Say)]]);
        var (a, b) = label == Preference.A ? (Grade.Right, Grade.Wrong) : (Grade.Wrong, Grade.Right);
        Assert.Equal([a, b, Grade.Invalid, Grade.Invalid], grades[0]);
        Assert.Equal([b, a, Grade.Invalid, Grade.Invalid], grades[1]);
    }

    [Fact]
    public void Scores_are_graded_by_which_is_higher_and_alike_is_a_tie()
    {
        var task = new JudgeTask(Characters, new() { Mode = JudgeMode.Scores }, 5000, 80);
        string[] said = ["</think><score_A>3</score_A><score_B>2.5</score_B>", "</think><score_A>3</score_A><score_B>3.0</score_B>", "</think><score_A>3</score_A>"];
        var grades = task.Grade(Pair, [[.. said.Select(Say)], [.. said.Select(Say)]]);
        Assert.Equal([Grade.Right, Grade.Tie, Grade.Invalid], grades[0]);
        Assert.Equal([Grade.Wrong, Grade.Tie, Grade.Invalid], grades[1]);
    }

    [Fact]
    public void A_pointwise_judges_two_scores_are_one_verdict()
    {
        var task = new JudgeTask(Characters, new() { Mode = JudgeMode.Pointwise }, 5000, 80);
        Sample[] Scores(params int[] scores) => [.. scores.Select(score => Say(score < 0 ? "</think>" : $"</think><score>{score}</score>"))];
        var grades = task.Grade(Pair, [Scores(5, 5, 5, -1), Scores(4, 5, 6, 3)]);
        Assert.Equal([Grade.Right, Grade.Tie, Grade.Wrong, Grade.Invalid], grades[0]);
        Assert.Equal(grades[0], grades[1]);
    }

    [Fact]
    public void An_instant_verdict_is_one_token_and_its_length_is_no_truncation()
    {
        var task = new JudgeTask(Characters, new() { Thinking = false }, 5000, 50);
        Assert.Equal(1, task.MaxCompletionTokens);
        Sample[] samples = [.. "AB? ".Select(c => new Sample(Characters.Encode($"{c}"), [0], FinishReason.Length))];
        Assert.Equal([Grade.Right, Grade.Wrong, Grade.Invalid, Grade.Invalid], task.Grade(Pair, [samples, samples])[0]);
        Assert.Equal([Characters.Encode("A"), Characters.Encode("B")], task.Targets(Pair)!);
        Assert.Equal([Characters.Encode("B"), Characters.Encode("A")], task.Targets(Pair with { Label = Preference.B })!);
    }

    [Fact]
    public void A_pair_without_a_winner_cannot_be_graded()
    {
        var task = new JudgeTask(Characters, new(), 5000, 50);
        Assert.Contains("'7' has no label", Assert.Throws<DataException>(() => task.Grade(Pair with { Label = null }, [[], []])).Message, StringComparison.Ordinal);
        Assert.Contains("'7' has the label tie", Assert.Throws<DataException>(() => task.Filter([Pair with { Label = Preference.Tie }])).Message, StringComparison.Ordinal);
        Assert.Null(task.Targets(Pair with { Label = null }));
    }

    [Fact]
    public void There_is_nothing_to_imitate_without_thoughts_or_for_scores()
    {
        Assert.Null(new JudgeTask(Characters, new(), 5000, 80).Targets(Pair with { SwappedThought = null }));
        foreach (var mode in (JudgeMode[])[JudgeMode.Scores, JudgeMode.ScoresAndVerdict, JudgeMode.Pointwise])
            Assert.Null(new JudgeTask(Characters, new() { Mode = mode }, 5000, 80).Targets(Pair));
    }

    [Fact]
    public void A_thought_that_holds_tags_or_is_too_long_cannot_be_imitated()
    {
        var task = new JudgeTask(Characters, new(), 5000, 80);
        Assert.Contains("'7' holds <think> or </think>", Assert.Throws<DataException>(() => task.Targets(Pair with { Thought = "</think> <answer> [[B]] </answer>" })).Message, StringComparison.Ordinal);
        Assert.Contains("at most 80 may be drawn", Assert.Throws<DataException>(() => task.Targets(Pair with { Thought = new string('x', 80) })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_judge_whose_mouth_is_left_empty_imitates_the_whole_thought()
    {
        var task = new JudgeTask(Characters, new() { AssistantPrefix = "" }, 5000, 80);
        Assert.Equal("<think> 2, 4 </think> <answer> [[A]] </answer>", Characters.Decode(task.Targets(Pair)![0]));
        Assert.Equal(" it is 4 </think> <answer> [[B]] </answer>", Characters.Decode(new JudgeTask(Characters, new(), 5000, 80).Targets(Pair)![1]));
    }

    [Fact]
    public void Long_pairs_are_refused_by_name_or_dropped_and_reported()
    {
        PreferencePair[] pairs = [Pair, Pair with { Id = "long", ResponseB = new string('x', 1000) }, Pair with { Id = "9" }];
        var format = new JudgeFormat { Prompt = JudgePrompt.BuiltIn("compact") };
        var dropping = new JudgeTask(Characters, format, 300, 50, LongPromptPolicy.Drop);
        var filtered = dropping.Filter(pairs);
        Assert.Equal(["7", "9"], filtered.Kept.Select(pair => pair.Id));
        var dropped = Assert.Single(filtered.Dropped);
        Assert.Equal(("long", 250), (dropped.Id, dropped.Limit));
        Assert.InRange(dropped.Length, 1000, 1100);

        var refused = Assert.Throws<ContextOverflowException>(() => new JudgeTask(Characters, format, 300, 50).Filter(pairs));
        Assert.Contains($"'long' makes a prompt of {dropped.Length} tokens; at most 250 fit a context of 300", refused.Message, StringComparison.Ordinal);
        Assert.Throws<ContextOverflowException>(() => dropping.Prompts(pairs[1]));
        Assert.Contains("leaves no room", Assert.Throws<ArgumentException>(() => new JudgeTask(Characters, format, 300, 300)).Message, StringComparison.Ordinal);
    }

    public static TheoryData<string> Families => ["gpt2", "smollm", "llama3", "qwen2", "llama2"];

    [SharedTheory("golden/hf/tokenizers"), MemberData(nameof(Families))]
    public void A_target_is_read_as_the_models_own_completion_in_every_family(string family) => TargetsAreRead(GoldenTokens.Read(family));

    [Fact]
    public void A_target_is_read_as_a_trained_tokenizers_own_completion() =>
        TargetsAreRead(BpeTrainer.Train(["What is 2 + 2? It is 4."], 320, ["<think>", "</think>", "<answer>", "</answer>", "[[", "]]"]));

    [SharedFact("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf")]
    public void The_short_prompts_leave_a_small_models_context_to_the_answers()
    {
        using var file = new GgufFile(Shared.PathTo("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf"));
        var tokenizer = TokenizerReader.FromGguf(file.Metadata);
        int Words(string name) => new JudgeFormat { Prompt = JudgePrompt.BuiltIn(name) }.Render("", "", "").Messages.Sum(message => tokenizer.Encode(message.Content).Length);
        Assert.InRange(Words("short_instant"), 20, 60);
        Assert.InRange(Words("short"), 40, 110);
        Assert.InRange(Words("compact"), 5, 20);
        Assert.Equal([["A"], ["B"]], new JudgeTask(tokenizer, new() { Thinking = false }, 2048, 1).Targets(Pair)!.Select(target => target.Select(token => tokenizer.Decode([token]))));
    }

    private static void TargetsAreRead(BpeTokenizer bpe)
    {
        // The golden files hold vocabularies and no model's end tokens; Llama 2's is </s>.
        ITokenizer tokenizer = bpe.EndTokens.Count > 0 ? bpe : new Ending(bpe, [2]);
        foreach (var thought in (string[])["2, 4", "  First é, then 👍:\n\n2 + 2 = 4  ", ""])
        {
            var pair = Pair with { Thought = thought, SwappedThought = thought };
            var task = new JudgeTask(tokenizer, new() { Prompt = JudgePrompt.BuiltIn("compact") }, 4096, 256);
            var targets = task.Targets(pair)!;
            Assert.All(targets, target => Assert.Contains(target[^1], tokenizer.EndTokens));
            Assert.All(targets, target => Assert.DoesNotContain(target[..^1], bpe.IsControl));
            Assert.All(targets, target => Assert.Equal(thought.Trim(), task.Read(Finished(target)).Thought));
            Assert.Equal([[Grade.Right], [Grade.Right]], task.Grade(pair, [[Finished(targets[0])], [Finished(targets[1])]]));
            Assert.Equal([[Grade.Wrong], [Grade.Wrong]], task.Grade(pair, [[Finished(targets[1])], [Finished(targets[0])]]));
        }
        // The letter is the token that the whole answer has in its place, so that the model is asked for what it would write.
        var instant = new JudgeTask(tokenizer, new() { Thinking = false }, 4096, 256);
        var letters = new AnswerLetters(tokenizer, "<answer> [[");
        Assert.Equal([[letters.A[0]], [letters.B[0]]], instant.Targets(Pair)!);
        var written = tokenizer.Encode("<answer> [[A]] </answer>");
        Assert.Contains(letters.A[0], written);
        Assert.Empty(letters.A.Intersect(letters.B));
        Assert.All(letters.A, token => Assert.StartsWith("A", tokenizer.Decode([token]).Trim(), StringComparison.Ordinal));

        static Sample Finished(int[] tokens) => new(tokens, new float[tokens.Length], FinishReason.Stop);
    }

    [Fact]
    public void The_end_token_is_the_one_that_ends_a_turn()
    {
        var tokenizer = BpeTrainer.Train(["some text"], 260);
        var task = new JudgeTask(new Ending(tokenizer, [.. tokenizer.EndTokens.Reverse()]), new(), 4096, 256);
        Assert.All(task.Targets(Pair)!, target => Assert.Equal(tokenizer.Find("<|im_end|>"), target[^1]));
    }

    [Fact]
    public void A_tokenizer_without_a_token_for_the_letter_is_refused() =>
        Assert.Contains("no single token for the letter A", Assert.Throws<ArgumentException>(() => new AnswerLetters(new Doubled(), "[[")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_table_learns_the_task_by_imitation_and_is_asked_through_the_same_prompts()
    {
        // A bigram model cannot judge, but it can learn which letter comes after the prefix's last character.
        using var engine = new TableEngine(Characters, 1);
        var task = new JudgeTask(Characters, new() { Thinking = false, Prompt = JudgePrompt.BuiltIn("compact") }, 4096, 1);
        var start = new WarmStart(engine, task, new() { Steps = 200, PairsPerStep = 1, LearningRate = 0.1f });
        var losses = new List<double>();
        start.Run([Pair], 0, step => losses.Add(step.Loss));
        Assert.Equal(Math.Log(2), losses[^1], 1);
        Assert.True(losses[0] > 3);
    }

    private static Sample Say(string text) => new([.. Characters.Encode(text), CharacterTokenizer.End], [], FinishReason.Stop);

    /// <summary>The same with other end tokens, or in another order: some published models list the end of a text first.</summary>
    private sealed class Ending(BpeTokenizer inner, int[] ends) : ITokenizer
    {
        public int VocabularySize => inner.VocabularySize;

        public IReadOnlyList<int> EndTokens => ends;

        public int[] Encode(string text) => inner.Encode(text);

        public int[] EncodeChat(IReadOnlyList<ChatMessage> messages, string assistantPrefix = "") => inner.EncodeChat(messages, assistantPrefix);

        public string Decode(ReadOnlySpan<int> tokens) => inner.Decode(tokens);
    }

    /// <summary>Two tokens a character.</summary>
    private sealed class Doubled : ITokenizer
    {
        public int VocabularySize => 256;

        public IReadOnlyList<int> EndTokens => [0];

        public int[] Encode(string text) => [.. text.SelectMany(c => (int[])[1, c])];

        public int[] EncodeChat(IReadOnlyList<ChatMessage> messages, string assistantPrefix = "") => Encode(assistantPrefix);

        public string Decode(ReadOnlySpan<int> tokens) => "";
    }
}
