using J1.Judging;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Tests;

public sealed class PairScoringTests
{
    private readonly MLContext _context = new(1);

    private IDataView View(int count = 10) => _context.Data.LoadFromEnumerable(PairItem.Many(count));

    private JudgeEstimator Score(ScriptedJudge judge, ScorePairsOptions? options = null, bool bothOrders = true) =>
        _context.J1().Transforms.ScorePairs(Judge.From(judge, bothOrders: bothOrders), options);

    private ScoredPair[] Rows(IDataView view) => [.. _context.Data.CreateEnumerable<ScoredPair>(view, reuseRowObject: false)];

    [Fact]
    public void Verdict_score_and_probability_are_of_both_orders_together()
    {
        var rows = Rows(Score(new ScriptedJudge()).Fit(View()).Transform(View()));
        Assert.All(rows, row =>
        {
            var lead = row.ResponseA.Length - row.ResponseB.Length;
            Assert.Equal(lead, row.Score);
            Assert.Equal((float)Calibration.None.Probability(lead), row.Probability);
            Assert.Equal(lead > 0, row.PredictedLabel);
            Assert.Equal(lead > 0 ? "A" : lead < 0 ? "B" : "Tie", row.Verdict);
            Assert.Equal((row.Verdict, row.Verdict, false), (row.FirstOrder, row.SecondOrder, row.Flipped));
        });
        Assert.Equal(PairItem.Many(10).Select(item => item.Instruction), rows.Select(row => row.Instruction));
    }

    [Fact]
    public void A_judge_that_always_likes_the_first_flips_and_leads_nowhere()
    {
        var rows = Rows(Score(ScriptedJudge.Always(new Judgement { Outcome = Outcome.A })).Fit(View()).Transform(View(3)));
        Assert.All(rows, row => Assert.Equal(("Tie", "A", "B", true, 0f, false), (row.Verdict, row.FirstOrder, row.SecondOrder, row.Flipped, row.Score, row.PredictedLabel)));
        // Votes are no probabilities until they are calibrated.
        Assert.All(rows, row => Assert.True(float.IsNaN(row.Probability)));
    }

    [Fact]
    public void With_one_order_nothing_flips_and_the_first_wins()
    {
        var judge = ScriptedJudge.Always(new Judgement { Outcome = Outcome.A, LogOdds = 2 });
        var rows = Rows(Score(judge, bothOrders: false).Fit(View()).Transform(View(3)));
        Assert.All(rows, row => Assert.Equal(("A", "A", "A", false, 2f, true), (row.Verdict, row.FirstOrder, row.SecondOrder, row.Flipped, row.Score, row.PredictedLabel)));
        Assert.Equal(3, judge.Shown);
    }

    [Fact]
    public void An_invalid_verdict_is_no_number()
    {
        var rows = Rows(Score(ScriptedJudge.Always(Judgement.Without(InvalidReason.Truncated))).Fit(View()).Transform(View(3)));
        Assert.All(rows, row =>
        {
            Assert.Equal(("Invalid", false, false), (row.Verdict, row.PredictedLabel, row.Flipped));
            Assert.True(float.IsNaN(row.Score) && float.IsNaN(row.Probability));
        });
    }

    [Fact]
    public void A_thought_is_a_column_where_it_is_named()
    {
        var model = Score(new ScriptedJudge(), new ScorePairsOptions { ThoughtColumnName = "Why" }).Fit(View());
        Assert.Equal("1 against 4.", model.Transform(View(1)).GetColumn<string>("Why").Single());
        Assert.Null(Score(new ScriptedJudge()).Fit(View()).GetOutputSchema(View().Schema).GetColumnOrNull("Thought"));
    }

    [Theory]
    [InlineData(10, 4, true)]
    [InlineData(10, 4, false)]
    [InlineData(12, 4, true)]
    [InlineData(1, 32, true)]
    [InlineData(33, 32, true)]
    [InlineData(100, 7, true)]
    public void Model_calls_are_rows_by_batch_rounded_up_times_orders(int rows, int batch, bool bothOrders)
    {
        var judge = new ScriptedJudge { Say = (_, _) => new Judgement { Outcome = Outcome.A } };
        var model = Score(judge, new ScorePairsOptions { BatchSize = batch }, bothOrders).Fit(View());
        Assert.Equal(rows, model.Transform(View(rows)).GetColumn<string>("Verdict").Count());
        var orders = bothOrders ? 2 : 1;
        // Rows whose responses are equal are asked about once: they need no second order.
        var equal = bothOrders ? PairItem.Many(rows).Count(item => item.ResponseA == item.ResponseB) : 0;
        Assert.Equal(0, equal);
        Assert.Equal((rows + batch - 1) / batch * orders, judge.Calls);
        Assert.Equal(rows * orders, judge.Shown);
    }

    [Fact]
    public void Nothing_is_asked_until_a_verdict_is_read()
    {
        var judge = new ScriptedJudge();
        var view = Score(judge).Fit(View()).Transform(View());
        Assert.Equal(10, view.GetColumn<string>("Instruction").Count());
        using (var cursor = view.GetRowCursor(view.Schema))
        {
            while (cursor.MoveNext()) { }
            Assert.Equal(0, judge.Calls);
        }
        Assert.Equal(10, view.GetRowCount());
        Assert.Equal(0, judge.Calls);
        _ = view.GetColumn<bool>("Flipped").First();
        Assert.Equal(2, judge.Calls);
    }

    [Fact]
    public void Rows_that_were_judged_are_remembered_within_bounds()
    {
        var judge = new ScriptedJudge();
        var view = Score(judge, new ScorePairsOptions { BatchSize = 5, RememberedRows = 20 }).Fit(View()).Transform(View(20));
        for (var pass = 0; pass < 3; pass++) _ = view.GetColumn<float>("Score").Sum();
        Assert.Equal(8, judge.Calls);

        var small = new ScriptedJudge();
        view = Score(small, new ScorePairsOptions { BatchSize = 5, RememberedRows = 10 }).Fit(View()).Transform(View(20));
        for (var pass = 0; pass < 3; pass++) _ = view.GetColumn<float>("Score").Sum();
        Assert.Equal(24, small.Calls);
    }

    [Fact]
    public void A_judge_that_has_changed_is_asked_again()
    {
        var judge = new ScriptedJudge();
        var view = Score(judge).Fit(View()).Transform(View());
        _ = view.GetColumn<float>("Score").Sum();
        judge.Name = "trained";
        _ = view.GetColumn<float>("Score").Sum();
        Assert.Equal(4, judge.Calls);
    }

    [Fact]
    public void Other_columns_come_along_unchanged_whatever_their_type()
    {
        var data = _context.Data.LoadFromEnumerable(Enumerable.Range(0, 9).Select(i => new Wide
        {
            Instruction = $"Row {i}",
            ResponseA = "a",
            ResponseB = "bb",
            Numbers = [i, 2 * i],
            Words = [$"w{i}", "v"],
            Key = (uint)(i % 3),
            Time = new DateTime(2020, 1, 1 + i),
            Long = i,
        }));
        var view = Score(new ScriptedJudge(), new ScorePairsOptions { BatchSize = 4 }).Fit(data).Transform(data);
        var (before, after) = (_context.Data.CreateEnumerable<Wide>(data, false).ToArray(), _context.Data.CreateEnumerable<WideScored>(view, false).ToArray());
        Assert.All(before.Zip(after), both =>
        {
            Assert.Equal((both.First.Instruction, both.First.Key, both.First.Time, both.First.Long), (both.Second.Instruction, both.Second.Key, both.Second.Time, both.Second.Long));
            Assert.Equal(both.First.Numbers, both.Second.Numbers);
            Assert.Equal(both.First.Words, both.Second.Words);
            Assert.Equal(-1, both.Second.Score);
        });
    }

    [Fact]
    public void Verdicts_stay_with_their_rows_where_the_source_has_a_new_order_each_time()
    {
        var shuffled = _context.Data.ShuffleRows(View(60));
        var rows = Rows(Score(new ScriptedJudge(), new ScorePairsOptions { BatchSize = 8 }).Fit(View()).Transform(shuffled));
        Assert.Equal(60, rows.Length);
        Assert.All(rows, row => Assert.Equal(row.ResponseA.Length - row.ResponseB.Length, row.Score));
        rows = Rows(_context.Data.ShuffleRows(Score(new ScriptedJudge()).Fit(View()).Transform(View(60))));
        Assert.All(rows, row => Assert.Equal(row.ResponseA.Length - row.ResponseB.Length, row.Score));
    }

    [Fact]
    public void A_cursor_gives_what_is_active_and_refuses_the_rest()
    {
        var view = Score(new ScriptedJudge()).Fit(View()).Transform(View());
        using var cursor = view.GetRowCursor([view.Schema["Score"]]);
        Assert.True(cursor.IsColumnActive(view.Schema["Score"]));
        Assert.False(cursor.IsColumnActive(view.Schema["Verdict"]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["Verdict"]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["Instruction"]));
        Assert.Throws<InvalidOperationException>(() => cursor.GetGetter<int>(view.Schema["Score"]));
        Assert.Equal(-1, cursor.Position);
        var getter = cursor.GetGetter<float>(view.Schema["Score"]);
        var ids = cursor.GetIdGetter();
        var seen = new HashSet<DataViewRowId>();
        for (var i = 0; cursor.MoveNext(); i++)
        {
            var (score, id) = (0f, default(DataViewRowId));
            getter(ref score);
            ids(ref id);
            Assert.Equal((i, true), ((int)cursor.Position, seen.Add(id)));
        }
        Assert.Equal(10, seen.Count);
        Assert.Single(view.GetRowCursorSet(view.Schema, 4));
        Assert.False(view.CanShuffle);
    }

    [Fact]
    public void A_missing_or_unfit_column_is_named_before_anything_is_asked()
    {
        var judge = new ScriptedJudge();
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Score(judge, new ScorePairsOptions { ResponseAColumnName = "Nope" }).Fit(View()));
        Assert.Contains("Column 'Nope' is missing; expected text. The input has Instruction, ResponseA", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<ArgumentOutOfRangeException>(() => Score(judge, new ScorePairsOptions { ResponseBColumnName = "Weight" }).Fit(View()).Transform(View()));
        Assert.Contains("column 'Weight': it is Single; expected text", error.Message, StringComparison.Ordinal);
        var chain = _context.Transforms.CopyColumns("Copy", "Instruction").Append(Score(judge, new ScorePairsOptions { InstructionColumnName = "Label" }));
        error = Assert.Throws<ArgumentOutOfRangeException>(() => chain.Fit(View()));
        Assert.Contains("'Label': it is Boolean; expected text", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Score(judge, new ScorePairsOptions { BatchSize = 0 }));
        Assert.Throws<ArgumentException>(() => Score(judge, new ScorePairsOptions { ScoreColumnName = "Verdict" }));
        Assert.Throws<ArgumentException>(() => Score(judge, new ScorePairsOptions { ScoreColumnName = "" }));
        Assert.Equal(0, judge.Calls);
    }

    [Fact]
    public void The_schema_is_known_before_there_is_data_and_later_stages_use_it()
    {
        var chain = Score(new ScriptedJudge())
            .Append(_context.Transforms.Concatenate("Features", "Score", "Probability"))
            .Append(_context.Transforms.SelectColumns("Features", "Verdict"));
        var view = chain.Fit(View()).Transform(View());
        Assert.Equal(["Features", "Verdict"], view.Schema.Select(column => column.Name).Order(StringComparer.Ordinal));
        Assert.Equal(-3, view.GetColumn<float[]>("Features").First()[0]);
    }

    [Fact]
    public void Two_judges_in_one_pipeline_each_have_their_columns()
    {
        var second = new ScriptedJudge { Name = "second", Say = (shown, _) => new Judgement { Outcome = Outcomes.OfMargin(shown.Second!.Length - shown.First.Length), LogOdds = shown.Second.Length - shown.First.Length } };
        var options = new ScorePairsOptions
        {
            PredictedLabelColumnName = "SecondLabel",
            ProbabilityColumnName = "SecondProbability",
            ScoreColumnName = "SecondScore",
            VerdictColumnName = "SecondVerdict",
            FlippedColumnName = "SecondFlipped",
            FirstOrderColumnName = "SecondFirst",
            SecondOrderColumnName = "SecondSecond",
        };
        var view = Score(new ScriptedJudge()).Append(Score(second, options)).Fit(View()).Transform(View());
        Assert.Equal(view.GetColumn<float>("Score").Select(score => -score), view.GetColumn<float>("SecondScore"));
        // Under the same names the later hides the earlier.
        view = Score(new ScriptedJudge()).Append(Score(second)).Fit(View()).Transform(View());
        Assert.Equal(2, view.Schema.Count(column => column.Name == "Score"));
        Assert.Equal(3, view.GetColumn<float>("Score").First());
    }

    [Fact]
    public void A_prediction_engine_asks_once_a_row_however_many_columns_are_read()
    {
        var judge = new ScriptedJudge();
        using var engine = _context.Model.CreatePredictionEngine<PairItem, ScoredPair>(Score(judge).Fit(View()));
        var one = engine.Predict(new PairItem { Instruction = "?", ResponseA = "aaaaaa", ResponseB = "bb" });
        Assert.Equal(("A", 4f, true), (one.Verdict, one.Score, one.PredictedLabel));
        Assert.Equal("B", engine.Predict(new PairItem { Instruction = "?", ResponseA = "a", ResponseB = "bb" }).Verdict);
        Assert.Equal(4, judge.Calls);
        _ = engine.Predict(new PairItem { Instruction = "?", ResponseA = "a", ResponseB = "bb" });
        Assert.Equal(4, judge.Calls);
    }

    [Fact]
    public void A_chain_with_a_judge_is_a_row_mapper_that_depends_on_the_inputs_alone()
    {
        ITransformer chain = _context.Transforms.CopyColumns("Question", "Instruction").Append(Score(new ScriptedJudge(), new ScorePairsOptions { InstructionColumnName = "Question" })).Fit(View());
        var input = View().Schema;
        var mapper = chain.GetRowToRowMapper(input);
        Assert.Equal(["Instruction", "ResponseA", "ResponseB"], mapper.GetDependencies([mapper.OutputSchema["Score"]]).Select(column => column.Name));
        Assert.Equal(["Weight"], mapper.GetDependencies([mapper.OutputSchema["Weight"]]).Select(column => column.Name));
        using var engine = _context.Model.CreatePredictionEngine<PairItem, ScoredPair>(chain);
        Assert.Equal("A", engine.Predict(new PairItem { ResponseA = "aaa", ResponseB = "b" }).Verdict);
    }

    [Fact]
    public void Several_threads_read_one_stage()
    {
        var model = Score(new ScriptedJudge(), new ScorePairsOptions { BatchSize = 3, RememberedRows = 16 }).Fit(View());
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 4 }, worker =>
        {
            var rows = _context.Data.CreateEnumerable<ScoredPair>(model.Transform(View(50)), reuseRowObject: false);
            Assert.All(rows, row => Assert.Equal(row.ResponseA.Length - row.ResponseB.Length, row.Score));
        });
    }

    [Fact]
    public void Splits_caches_and_cross_validation_take_a_judge_as_any_stage()
    {
        var judge = new ScriptedJudge();
        var model = Score(judge).Fit(View());
        var split = _context.Data.TrainTestSplit(View(200), 0.3, seed: 1);
        Assert.Equal(200, Rows(model.Transform(split.TrainSet)).Length + Rows(model.Transform(split.TestSet)).Length);

        var before = judge.Calls;
        var cached = _context.Data.Cache(model.Transform(View(32)), "Score", "Verdict", "PredictedLabel");
        for (var pass = 0; pass < 3; pass++) _ = (cached.GetColumn<float>("Score").Sum(), cached.GetColumn<string>("Verdict").Count());
        Assert.InRange(judge.Calls - before, 0, 2);

        var folds = _context.BinaryClassification.CrossValidateNonCalibrated(View(100), Score(judge), numberOfFolds: 4);
        Assert.Equal(4, folds.Count);
        Assert.All(folds, fold => Assert.Equal(1, fold.Metrics.Accuracy, 12));
        Assert.Equal(100, folds.Sum(fold => fold.ScoredHoldOutSet.GetColumn<string>("Verdict").Count()));
    }

    [Fact]
    public void The_columns_fit_the_evaluators_of_binary_classification()
    {
        var scored = Score(new ScriptedJudge()).Fit(View()).Transform(View(100));
        var metrics = _context.BinaryClassification.Evaluate(scored);
        Assert.Equal(1, metrics.Accuracy, 12);
        Assert.Equal(1, metrics.AreaUnderRocCurve, 12);
        Assert.InRange(metrics.LogLoss, 0, 0.5);
    }

    private sealed class Wide
    {
        public string Instruction { get; set; } = "";
        public string ResponseA { get; set; } = "";
        public string ResponseB { get; set; } = "";

        [VectorType(2)]
        public float[] Numbers { get; set; } = [];

        public string[] Words { get; set; } = [];

        [KeyType(3)]
        public uint Key { get; set; }

        public DateTime Time { get; set; }

        public long Long { get; set; }
    }

    private sealed class WideScored
    {
        public string Instruction { get; set; } = "";

        [VectorType(2)]
        public float[] Numbers { get; set; } = [];

        public string[] Words { get; set; } = [];

        [KeyType(3)]
        public uint Key { get; set; }

        public DateTime Time { get; set; }

        public long Long { get; set; }

        public float Score { get; set; }
    }
}
