using J1.Data;
using J1.Judging;

namespace J1.Tests.Judging;

public sealed class JudgePromptTests
{
    [Fact]
    public void What_is_put_in_is_never_searched_for_placeholders()
    {
        var format = new JudgeFormat { Prompt = JudgePrompt.Parse("Q {instruction} 1 {response_a} 2 {response_b} { x: {} }") };
        Assert.Equal("Q {response_a} 1 {response_b} 2 {instruction} { x: {} }", format.Render("{response_a}", "{response_b}", "{instruction}").Messages[0].Content);
    }

    [Theory]
    [InlineData("{instruction} {response_a}", "lacks the placeholder {response_b}")]
    [InlineData("{response_a} {response_b}", "lacks the placeholder {instruction}")]
    [InlineData("{instruction} {response_a} {response_b} {question}", "has the placeholder {question}")]
    [InlineData("{instruction} {response} {response_b}", "has the placeholder {response_b}")]
    public void A_template_with_the_wrong_placeholders_is_refused(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<DataException>(() => JudgePrompt.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_file_is_a_template_without_its_last_line_break()
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            File.WriteAllText(path, "{instruction}\r\n{response_a}\r\n{response_b}\r\n");
            Assert.Equal("{instruction}\n{response_a}\n{response_b}", JudgePrompt.FromFile(path).Text);
            File.WriteAllText(path, "nothing");
            Assert.StartsWith(path, Assert.Throws<DataException>(() => JudgePrompt.FromFile(path)).Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
        Assert.Contains("compact", Assert.Throws<DataException>(() => JudgePrompt.FromFile(path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(JudgeMode.Verdict, true, "<think>", new[] { "<answer> [[A]] </answer>", "<answer> [[B]] </answer>", "</think>" })]
    [InlineData(JudgeMode.Verdict, false, "<answer> [[", new[] { "<answer> [[A]] </answer>", "<answer> [[B]] </answer>" })]
    [InlineData(JudgeMode.Scores, true, "<think>", new[] { "<score_A>", "</score_B>", "</think>" })]
    [InlineData(JudgeMode.Scores, false, "<score_A>", new[] { "<score_A>", "</score_B>" })]
    [InlineData(JudgeMode.ScoresAndVerdict, true, "<think>", new[] { "<score_A>", "</score_B>", "<answer> [[A]] </answer>", "</think>" })]
    [InlineData(JudgeMode.ScoresAndVerdict, false, "<score_A>", new[] { "<score_A>", "</score_B>", "<answer> [[A]] </answer>" })]
    [InlineData(JudgeMode.Pointwise, true, "<think>", new[] { "<score>", "</score>", "</think>" })]
    [InlineData(JudgeMode.Pointwise, false, "<score>", new[] { "<score>", "</score>" })]
    public void Every_mode_has_a_prompt_with_its_protocol(JudgeMode mode, bool thinking, string prefix, string[] tags)
    {
        var format = new JudgeFormat { Mode = mode, Thinking = thinking };
        var request = mode == JudgeMode.Pointwise ? format.RenderOne("the question", "the response") : format.Render("the question", "the first", "the second");
        Assert.Equal(prefix, request.AssistantPrefix);
        Assert.All(tags, tag => Assert.Contains(tag, request.Messages[0].Content, StringComparison.Ordinal));
        Assert.Equal(thinking, request.Messages[0].Content.Contains("<think>", StringComparison.Ordinal));
        Assert.Contains("the question", request.Messages[0].Content, StringComparison.Ordinal);
    }

    [Fact]
    public void Built_in_prompts_are_listed_and_an_unknown_name_lists_them()
    {
        Assert.Equal(["compact", "compact_pointwise", "compact_scores", "compact_scores_and_verdict", "pointwise", "pointwise_instant", "scores", "scores_and_verdict", "scores_and_verdict_instant", "scores_instant", "short", "short_instant", "verdict", "verdict_instant"], JudgePrompt.BuiltInNames);
        Assert.All(JudgePrompt.BuiltInNames, name => Assert.False(JudgePrompt.BuiltIn(name).Text.EndsWith('\n')));
        Assert.Contains("short_instant", Assert.Throws<ArgumentException>(() => JudgePrompt.BuiltIn("long")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_prompt_for_pairs_is_refused_by_a_pointwise_judge_and_the_other_way_round()
    {
        Assert.Throws<InvalidOperationException>(() => new JudgeFormat { Mode = JudgeMode.Pointwise, Prompt = JudgePrompt.BuiltIn("verdict") }.RenderOne("q", "a"));
        Assert.Throws<InvalidOperationException>(() => new JudgeFormat { Prompt = JudgePrompt.BuiltIn("pointwise") }.Render("q", "a", "b"));
        Assert.Throws<InvalidOperationException>(() => new JudgeFormat { Mode = JudgeMode.Pointwise }.Render("q", "a", "b"));
    }

    [Fact]
    public void The_hash_names_all_that_a_format_says()
    {
        JudgeFormat[] formats = [new(), new() { Thinking = false }, new() { Mode = JudgeMode.Scores }, new() { Rules = ParserRules.Official }, new() { AssistantPrefix = "" }, new() { Prompt = JudgePrompt.BuiltIn("compact") }];
        Assert.Equal(formats.Length, formats.Select(format => format.Hash).Distinct().Count());
        Assert.Equal(new JudgeFormat().Hash, new JudgeFormat { Prompt = JudgePrompt.Parse(JudgePrompt.BuiltIn("verdict").Text) }.Hash);
    }
}
