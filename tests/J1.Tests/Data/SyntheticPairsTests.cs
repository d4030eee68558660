using J1.Data;
using J1.Engines;
using J1.Tests.Judging;

namespace J1.Tests.Data;

public sealed class SyntheticPairsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("j1-pairs-").FullName;

    private string Path => System.IO.Path.Combine(_folder, "pairs.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static PairSource[] Sources(int count, string? response = "A good answer.", string? answer = null) =>
        [.. Enumerable.Range(0, count).Select(i => new PairSource { Id = $"s{i}", Instruction = $"Question number {i}?", Response = response, Answer = answer, Source = "test" })];

    private static string Modified(string question, string answer) =>
        $"[User Question Modified]\n{question}\n\n[The start of Assistant's answer to the modified instruction]\n{answer}\n[The end of Assistant's answer to the modified instruction]";

    private static DelegateTextModel Says(Func<string, ulong, string?> reply, string identity = "script") =>
        new(identity, (messages, seed, _) => Task.FromResult(reply(messages[^1].Content, seed)));

    [Fact]
    public async Task The_answer_to_a_modified_instruction_is_rejected_against_the_good_one()
    {
        var builder = new NoisyInstructionPairs(Says((prompt, _) =>
        {
            Assert.Contains("A good answer.", prompt, StringComparison.Ordinal);
            return Modified("Something else?", "Beside the point.");
        }));
        var built = await builder.BuildAsync(Sources(40));
        Assert.All(built, one =>
        {
            var pair = one.Pair!;
            Assert.Equal("A good answer.", pair.Label == Preference.A ? pair.ResponseA : pair.ResponseB);
            Assert.Equal("Beside the point.", pair.Label == Preference.A ? pair.ResponseB : pair.ResponseA);
            Assert.Equal($"Question number {pair.Id[1..]}?", pair.Instruction);
        });
        Assert.InRange(built.Count(one => one.Pair!.Label == Preference.A), 10, 30);
    }

    [Theory]
    [InlineData(null, PairSkip.Unparsed)]
    [InlineData("Sure! Here is another question.", PairSkip.Unparsed)]
    [InlineData("[User Question Modified] cut off [The start of Assistant's answer to the modified instruction] in the mid", PairSkip.Unparsed)]
    public async Task What_is_not_in_the_form_makes_no_pair(string? reply, PairSkip reason) =>
        Assert.Equal(new BuiltPair("s0", null, reason), (await new NoisyInstructionPairs(Says((_, _) => reply)).BuildAsync(Sources(1)))[0]);

    [Theory]
    [InlineData("question NUMBER 0", "Another answer.")]
    [InlineData("Another question?", "a good answer")]
    public async Task The_original_again_makes_no_pair(string question, string answer) =>
        Assert.Equal(PairSkip.Same, (await new NoisyInstructionPairs(Says((_, _) => Modified(question, answer))).BuildAsync(Sources(1)))[0].Skip);

    [Fact]
    public async Task A_solution_with_another_answer_is_rejected_against_one_that_reaches_the_key()
    {
        var asked = 0;
        var model = Says((_, _) => (asked++ % 4) switch { 0 => "I do not know.", 1 => "6 + 1\nAnswer: 7", 2 => "6 + 2\nAnswer: $8.0$", _ => "Answer: 9" });
        var pair = (await new WrongAnswerPairs(model, samples: 4).BuildAsync(Sources(1, response: null, answer: "8")))[0].Pair!;
        Assert.Equal(["6 + 1\nAnswer: 7", "6 + 2\nAnswer: $8.0$"], new[] { pair.ResponseA, pair.ResponseB }.Order(StringComparer.Ordinal));
        Assert.EndsWith("8.0$", pair.Label == Preference.A ? pair.ResponseA : pair.ResponseB, StringComparison.Ordinal);
        Assert.Equal(4, asked);
    }

    [Theory]
    [InlineData("No idea.", null, PairSkip.Unparsed)]
    [InlineData("Answer: 8", null, PairSkip.NoneWrong)]
    [InlineData("Answer: 7", null, PairSkip.NoneRight)]
    [InlineData("Answer: 7", "Answer: 7", PairSkip.Same)]
    public async Task Without_a_right_and_a_wrong_solution_there_is_no_pair(string reply, string? response, PairSkip reason) =>
        Assert.Equal(reason, (await new WrongAnswerPairs(Says((_, _) => reply), 3).BuildAsync(Sources(1, response, "8")))[0].Skip);

    [Fact]
    public async Task A_source_that_lacks_what_is_needed_is_named()
    {
        var error = await Assert.ThrowsAsync<DataException>(() => new WrongAnswerPairs(Says((_, _) => "")).BuildAsync(Sources(1)));
        Assert.Contains("'s0' has no answer", error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<DataException>(() => new NoisyInstructionPairs(Says((_, _) => "")).BuildAsync(Sources(1, response: null)));
        Assert.Contains("'s0' has no response", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("so 3, that is \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}")]
    [InlineData("Answer: 3\nNo wait.\n**Answer:** 4", "4")]
    [InlineData("\\boxed{1} first. Final answer: \\boxed{2}", "2")]
    [InlineData("5 + 5 = 10\n#### 10", "10")]
    [InlineData("Therefore the answer is 12.", "12.")]
    [InlineData("\\boxed{never closed", null)]
    [InlineData("Answer:", null)]
    [InlineData("", null)]
    public void Final_answers_are_read_from_their_usual_forms(string solution, string? answer) =>
        Assert.Equal(answer, answer is null ? FinalAnswer.Read(solution) : FinalAnswer.Read(solution)?.Trim('*', ' '));

    [Theory]
    [InlineData("1,000", "1000.0", true)]
    [InlineData("$\\dfrac{1}{2}$.", "\\frac{1}{2}", true)]
    [InlineData("\\text{Monday}", "monday", true)]
    [InlineData("x^2 + 1", "x^2+1", true)]
    [InlineData("0.5", "1/2", false)]
    [InlineData("12", "1.2", false)]
    [InlineData("-3", "3", false)]
    public void Answers_that_say_the_same_are_equal(string one, string other, bool equal) => Assert.Equal(equal, FinalAnswer.AreEqual(one, other));

    [Fact]
    public async Task A_stopped_run_goes_on_and_comes_to_the_same_file()
    {
        var sources = Sources(20);
        var whole = System.IO.Path.Combine(_folder, "whole.jsonl");
        static string? Reply(string prompt, ulong seed) => seed % 5 == 0 ? null : Modified("Other?", $"Drawn {seed}.");
        var expected = await SyntheticPairs.WriteAsync(whole, sources, new NoisyInstructionPairs(Says(Reply)), atOnce: 3);

        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => SyntheticPairs.WriteAsync(Path, sources, new NoisyInstructionPairs(Says(Reply)), 3,
            progress => { if (progress.Done >= 9) stop.Cancel(); }, stop.Token));
        Assert.False(File.Exists(Path));
        // As a kill in the middle of a line would leave it.
        var partial = await File.ReadAllBytesAsync(Path + ".partial");
        await File.WriteAllBytesAsync(Path + ".partial", partial[..^10]);

        var asked = 0;
        var progress = await SyntheticPairs.WriteAsync(Path, sources, new NoisyInstructionPairs(Says((prompt, seed) => { asked++; return Reply(prompt, seed); })), 3);
        Assert.Equal(14, asked);
        Assert.Equal(await File.ReadAllBytesAsync(whole), await File.ReadAllBytesAsync(Path));
        Assert.False(File.Exists(Path + ".partial"));
        Assert.Equal((20, 20, expected.Pairs), (progress.Done, progress.Sources, progress.Pairs));
        Assert.Equal(20 - progress.Pairs, progress.Skipped[PairSkip.Unparsed]);
        Assert.Equal(progress.Pairs, PreferencePairs.Read(Path).Count());
    }

    [Fact]
    public async Task Other_settings_do_not_take_up_what_a_stopped_run_left()
    {
        using var stop = new CancellationTokenSource();
        var builder = new NoisyInstructionPairs(Says((_, _) => Modified("Other?", "Other.")));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => SyntheticPairs.WriteAsync(Path, Sources(4), builder, 2, _ => stop.Cancel(), stop.Token));
        foreach (var (sources, other) in new (PairSource[], IPairBuilder)[] { (Sources(5), builder), (Sources(4), new NoisyInstructionPairs(Says((_, _) => ""), seed: 1)) })
        {
            var error = await Assert.ThrowsAsync<DataException>(() => SyntheticPairs.WriteAsync(Path, sources, other, 2));
            Assert.Contains("Delete it to begin anew", error.Message, StringComparison.Ordinal);
        }
        await File.WriteAllTextAsync(Path + ".partial", "{\"id\":\"somebody's\"}\n");
        await Assert.ThrowsAsync<DataException>(() => SyntheticPairs.WriteAsync(Path, Sources(4), builder, 2));
        Assert.Equal("{\"id\":\"somebody's\"}\n", await File.ReadAllTextAsync(Path + ".partial"));
        await Assert.ThrowsAsync<DataException>(() => SyntheticPairs.WriteAsync(Path + "2", [.. Sources(2), .. Sources(1)], builder));
    }

    [Fact]
    public async Task An_engine_writes_and_what_is_cut_off_is_nothing()
    {
        using var engine = new ScriptedEngine { Write = (prompt, _, sample) => $"{sample} of {prompt.Length}" };
        IReadOnlyList<ChatMessage>[] asked = [[ChatMessage.User("Hello")], [ChatMessage.User("Good day")]];
        var written = await new EngineTextModel(engine).WriteAsync(asked, 2, seed: 1);
        Assert.Equal(["0 of 5", "1 of 5", "0 of 8", "1 of 8"], written.SelectMany(one => one));
        Assert.Equal(1, engine.Calls);

        using var cut = new ScriptedEngine { Write = (_, _, _) => "on and on", Finish = FinishReason.Length, ContextLength = 9 };
        written = await new EngineTextModel(cut).WriteAsync([asked[0], [ChatMessage.User("Longer than the context")]], 1, seed: 1);
        Assert.Equal([null, null], written.SelectMany(one => one));
    }

    [Fact]
    public async Task What_is_put_into_a_prompt_is_no_placeholder_and_no_control_token()
    {
        string? prompt = null;
        var source = Sources(1, "{instruction} <|im_end|>")[0] with { Instruction = "{response}" };
        await new NoisyInstructionPairs(Says((text, _) => prompt = text)).BuildAsync([source]);
        Assert.Contains("[User Question]\n{response}\n", prompt, StringComparison.Ordinal);
        Assert.Contains("\n{instruction} < |im_end|>\n", prompt, StringComparison.Ordinal);
    }
}
