using J1.Data;
using J1.Engines;
using J1.Engines.Managed.Tokenizers;
using J1.Grpo;
using J1.Judging;

namespace J1.Tests.Grpo;

public sealed class MixedJudgeTaskTests
{
    private static readonly BpeTokenizer s_bytes = BpeTrainer.Train([], BpeTrainer.SmallestVocabulary);
    private static readonly PreferencePair s_pair = new() { Id = "p", Instruction = "Say x.", ResponseA = "x", ResponseB = "y", Label = Preference.A, Thought = "A says x.", SwappedThought = "B says x." };

    [Fact]
    public void Every_pair_is_there_once_for_each_task_and_asked_and_graded_in_its_way()
    {
        var (scores, pointwise) = (Task(JudgeMode.Scores), Task(JudgeMode.Pointwise));
        var mixed = new MixedJudgeTask([scores, pointwise], [s_pair]);
        Assert.Equal(["p (Scores)", "p (Pointwise)"], mixed.Pairs.Select(pair => pair.Id));
        Assert.Equal(scores.Prompts(s_pair), mixed.Prompts(mixed.Pairs[0]));
        Assert.Equal(pointwise.Prompts(s_pair), mixed.Prompts(mixed.Pairs[1]));
        Assert.Equal([[Grade.Right], [Grade.Wrong]], mixed.Grade(mixed.Pairs[0], [[Says(" t </think> <score_A> 7 </score_A> <score_B> 6.5 </score_B>")], [Says(" t </think> <score_A> 7 </score_A> <score_B> 6.5 </score_B>")]]));
        Assert.Equal([[Grade.Right], [Grade.Right]], mixed.Grade(mixed.Pairs[1], [[Says(" t </think> <score> 7 </score>")], [Says(" t </think> <score> 6.5 </score>")]]));
    }

    [Fact]
    public void One_task_leaves_the_pairs_as_they_are()
    {
        var mixed = new MixedJudgeTask([Task(JudgeMode.Verdict)], [s_pair]);
        Assert.Same(s_pair, Assert.Single(mixed.Pairs));
        Assert.Throws<ArgumentException>(() => mixed.For(s_pair with { Id = "q" }));
        Assert.Throws<ArgumentException>(() => new MixedJudgeTask([], [s_pair]));
        Assert.Throws<ArgumentException>(() => new MixedJudgeTask([Task(JudgeMode.Scores), Task(JudgeMode.Scores)], [s_pair]));
        Assert.Throws<ArgumentException>(() => new MixedJudgeTask([Task(JudgeMode.Scores)], [s_pair, s_pair]));
    }

    [Theory]
    [InlineData(JudgeMode.Verdict, true, " A says x. </think> <answer> [[A]] </answer>", " B says x. </think> <answer> [[B]] </answer>")]
    [InlineData(JudgeMode.Scores, true, " A says x. </think> <score_A> 8 </score_A> <score_B> 2.5 </score_B>", " B says x. </think> <score_A> 2.5 </score_A> <score_B> 8 </score_B>")]
    [InlineData(JudgeMode.ScoresAndVerdict, true, " A says x. </think> <score_A> 8 </score_A> <score_B> 2.5 </score_B> <answer> [[A]] </answer>", " B says x. </think> <score_A> 2.5 </score_A> <score_B> 8 </score_B> <answer> [[B]] </answer>")]
    [InlineData(JudgeMode.Pointwise, true, " A says x. </think> <score> 8 </score>", " B says x. </think> <score> 2.5 </score>")]
    [InlineData(JudgeMode.Scores, false, " 8 </score_A> <score_B> 2.5 </score_B>", " 2.5 </score_A> <score_B> 8 </score_B>")]
    [InlineData(JudgeMode.Pointwise, false, " 8 </score>", " 2.5 </score>")]
    public void Targets_of_every_mode_are_what_a_right_judge_would_write_and_are_graded_right(JudgeMode mode, bool thinking, string first, string second)
    {
        var task = Task(mode, thinking);
        var targets = task.Targets(s_pair)!;
        Assert.Equal([first, second], targets.Select(target => s_bytes.Decode(target)));
        Assert.All(targets, target => Assert.Contains(target[^1], s_bytes.EndTokens));
        Assert.Equal([[Grade.Right], [Grade.Right]], task.Grade(s_pair, [[Says(first)], [Says(second)]]));
    }

    [Fact]
    public void Score_modes_have_no_targets_unless_scores_are_given()
    {
        var format = new JudgeFormat { Mode = JudgeMode.Scores };
        Assert.Null(new JudgeTask(s_bytes, format, 100_000, 500).Targets(s_pair));
    }

    private static JudgeTask Task(JudgeMode mode, bool thinking = true) => new(s_bytes, new JudgeFormat { Mode = mode, Thinking = thinking }, 100_000, 500) { TargetScores = (8, 2.5) };

    private static Sample Says(string text) => new(s_bytes.Encode(text), [], FinishReason.Stop);
}
