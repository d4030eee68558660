using J1.Data;
using J1.Engines;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Tests;

public sealed class PairBuilderTests
{
    private readonly MLContext _context = new(1);

    private int _asked;

    private DelegateTextModel Writes(Func<string, string?> reply) => new("script", (messages, _, _) =>
    {
        Interlocked.Increment(ref _asked);
        return Task.FromResult(reply(messages[^1].Content));
    });

    private IDataView View(int count = 10) =>
        _context.Data.LoadFromEnumerable(Enumerable.Range(0, count).Select(i => new Source { Instruction = $"What is {i} + {i}?", Response = $"It is {2 * i}.", Answer = $"{2 * i}" }));

    private static string Modified(string answer) => $"[User Question Modified]\nSomething else?\n[The start of Assistant's answer to the modified instruction]\n{answer}\n[The end of Assistant's answer to the modified instruction]";

    [Fact]
    public void A_noisy_instruction_makes_labelled_pairs_lazily()
    {
        var view = _context.J1().Transforms.NoisyInstruction(Writes(_ => Modified("Blue."))).Fit(View()).Transform(View());
        Assert.Equal(0, _asked);
        var rows = _context.Data.CreateEnumerable<Built>(view, reuseRowObject: false).ToArray();
        Assert.Equal(10, _asked);
        Assert.All(rows, row =>
        {
            Assert.StartsWith("It is ", row.Label ? row.ResponseA : row.ResponseB, StringComparison.Ordinal);
            Assert.Equal("Blue.", row.Label ? row.ResponseB : row.ResponseA);
            Assert.Equal((1f, "Built"), (row.Weight, row.PairOutcome));
        });
        Assert.Equal(2, rows.Select(row => row.Label).Distinct().Count());
        // Read again, by each estimator that comes after, they are the same pairs.
        Assert.Equal(rows.Select(row => row.Label), view.GetColumn<bool>("Label"));
        Assert.Equal(10, _asked);
    }

    [Fact]
    public void A_wrong_answer_is_checked_against_the_key_column()
    {
        var view = _context.J1().Transforms.WrongAnswer(Writes(prompt => prompt.Contains("3 + 3", StringComparison.Ordinal) ? "Answer: 6" : "Answer: 7"), new PairBuilderOptions { AnswerColumnName = "Answer" }, samples: 2)
            .Fit(View()).Transform(View());
        var rows = _context.Data.CreateEnumerable<Built>(view, reuseRowObject: false).ToArray();
        Assert.Equal("NoneWrong", rows[3].PairOutcome);
        Assert.Equal((0f, "", ""), (rows[3].Weight, rows[3].ResponseA, rows[3].ResponseB));
        Assert.All(rows.Where((_, i) => i != 3), row => Assert.Equal("Answer: 7", row.Label ? row.ResponseB : row.ResponseA));
        Assert.Equal(9, _context.Data.CreateEnumerable<Built>(_context.Data.FilterRowsByColumn(view, "Weight", lowerBound: 0.5), false).Count());
        Assert.Equal(20, _asked);
    }

    [Fact]
    public void Built_pairs_train_a_judge_and_rows_without_one_are_left_out()
    {
        var builder = _context.J1().Transforms.NoisyInstruction(Writes(prompt => prompt.Contains("3 + 3", StringComparison.Ordinal) ? null : Modified("bad")));
        var options = TinyJudges.WarmStart(2) with { WeightColumnName = "Weight" };
        var chain = builder.Append(_context.J1().Trainers.WarmStart(options));
        using var model = chain.Fit(View());
        Assert.Equal(10, _asked);
        Assert.NotNull(model.LastTransformer.Judge);
    }

    [Fact]
    public void An_engine_writes_too_and_a_builder_is_not_saved()
    {
        using var engine = TinyJudges.Create();
        var stage = _context.J1().Transforms.NoisyInstruction(new EngineTextModel(engine, SamplingOptions.Greedy(4))).Fit(View());
        using var judge = Judge.From(engine, new JudgeSettings { Format = TinyJudges.Format });
        Assert.Equal(stage.Transform(View(2)).GetColumn<string>("PairOutcome"), _context.J1().Transforms.NoisyInstruction(judge.TextModel(SamplingOptions.Greedy(4))).Fit(View()).Transform(View(2)).GetColumn<string>("PairOutcome"));
        Assert.Throws<InvalidOperationException>(() => Judge.From(new ScriptedJudge()).TextModel());
        Assert.All(stage.Transform(View(2)).GetColumn<string>("PairOutcome"), outcome => Assert.Equal("Unparsed", outcome));
        var error = Assert.Throws<NotSupportedException>(() => _context.Model.Save(stage, View().Schema, new MemoryStream()));
        Assert.Contains("TransformerScope.Training", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_builder_needs_is_named()
    {
        Assert.Contains("'Answer' is missing; expected text", Assert.Throws<ArgumentOutOfRangeException>(() =>
            _context.J1().Transforms.WrongAnswer(Writes(_ => "")).Fit(_context.Data.LoadFromEnumerable(PairItem.Many(1)))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => _context.J1().Transforms.NoisyInstruction(Writes(_ => ""), new PairBuilderOptions { ResponseColumnName = null }));
    }

    private sealed class Source
    {
        public string Instruction { get; set; } = "";
        public string Response { get; set; } = "";
        public string Answer { get; set; } = "";
    }

    private sealed class Built
    {
        public string ResponseA { get; set; } = "";
        public string ResponseB { get; set; } = "";
        public bool Label { get; set; }
        public float Weight { get; set; }
        public string PairOutcome { get; set; } = "";
    }
}
