using J1.Data;
using J1.Engines.Managed;
using J1.Evaluation;
using J1.Judging;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Tests;

public sealed class TrainerTests
{
    private readonly MLContext _context = new(1);

    private IDataView View(int count = 16) => _context.Data.LoadFromEnumerable(TinyJudges.Items(count));

    private static GrpoTrainerOptions Grpo(int steps = 2) => new()
    {
        CreateModel = () => TinyJudges.Create(),
        Format = TinyJudges.Format,
        Seed = 1,
        Grpo = new() { Steps = steps, PairsPerStep = 2, GroupSize = 4, LearningRate = 1e-3f },
    };

    private static float[] Scores(JudgeTransformer model, IDataView view) => [.. model.Transform(view).GetColumn<float>("Score")];

    [Fact]
    public void A_supervised_start_learns_what_the_labels_say()
    {
        using var untrained = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(0)).Fit(View());
        using var trained = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart()).Fit(View());
        Assert.InRange(_context.J1().Evaluate(untrained.Transform(View(40))).ConsistentAccuracy.Value, 0, 0.6);
        Assert.InRange(_context.J1().Evaluate(trained.Transform(View(40))).ConsistentAccuracy.Value, 0.95, 1);
    }

    [Fact]
    public void Reinforcement_goes_on_from_a_trained_judge_and_leaves_it_alone()
    {
        using var warm = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(15)).Fit(View());
        var before = Scores(warm, View());
        var steps = new List<TrainingProgress>();
        using var trained = _context.J1().Trainers.Grpo(Grpo(20) with { CreateModel = null, Start = warm.Judge, OnProgress = steps.Add }).Fit(View());
        Assert.Equal(Enumerable.Range(1, 20), steps.Select(step => step.Step));
        Assert.All(steps, step => Assert.NotNull(step.Grpo));
        Assert.Equal(before, Scores(warm.With(warm.Options with { RememberedRows = 0 }), View()));
        Assert.NotEqual(before, Scores(trained, View()));
        var (was, now) = (_context.J1().Evaluate(warm.Transform(View(40))), _context.J1().Evaluate(trained.Transform(View(40))));
        Assert.True(now.Brier <= was.Brier, $"{now.Brier} was {was.Brier}");
    }

    [Fact]
    public void Steps_and_measurements_arrive_in_the_log_and_in_the_callback()
    {
        var (log, progress) = (new List<string>(), new List<TrainingProgress>());
        _context.Log += (_, message) =>
        {
            if (message.Source.Contains("J1Judge", StringComparison.Ordinal)) log.Add(message.RawMessage);
        };
        var options = Grpo() with { WarmStart = new() { Steps = 4, PairsPerStep = 2 }, ValidationSet = View(6), ValidateEverySteps = 2, OnProgress = progress.Add };
        using var model = _context.J1().Trainers.Grpo(options).Fit(View());
        Assert.Contains(log, message => message.StartsWith("Warm start, step 3 of 4: loss ", StringComparison.Ordinal));
        Assert.Contains(log, message => message.StartsWith("GRPO, step 2 of 2: reward ", StringComparison.Ordinal));
        Assert.Contains(log, message => message.StartsWith("Validation on 6 rows: consistent accuracy ", StringComparison.Ordinal));
        Assert.Equal((4, 2), (progress.Count(one => one.WarmStart is not null), progress.Count(one => one.Grpo is not null)));
        // After the warm start's second step, and at the end.
        Assert.Equal(2, progress.Count(one => one.Validation is not null));
    }

    [Fact]
    public void The_validation_set_calibrates_the_probabilities()
    {
        using var plain = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart()).Fit(View());
        using var calibrated = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart() with { ValidationSet = View(20) }).Fit(View());
        Assert.Equal(Scores(plain, View()), Scores(calibrated, View()));
        Assert.Null(plain.Judge.Settings.Calibration);
        var scale = calibrated.Judge.Settings.Calibration!.Scale;
        var (margin, probability) = (Scores(calibrated, View()), calibrated.Transform(View()).GetColumn<float>("Probability").ToArray());
        Assert.Equal(new Calibration(scale).Probability(margin[0]), probability[0], 1e-6);
    }

    [Fact]
    public void The_contexts_seed_decides_the_training_where_none_is_given()
    {
        float[] Trained(int seed)
        {
            var context = new MLContext(seed);
            using var model = context.J1().Trainers.Grpo(Grpo(3) with { Seed = null, WarmStart = new() { Steps = 3, PairsPerStep = 2, LearningRate = 1e-2f } }).Fit(View());
            return Scores(model, View());
        }

        var first = Trained(7);
        Assert.Equal(first, Trained(7));
        Assert.NotEqual(first, Trained(8));
    }

    [Fact]
    public void An_adapter_is_trained_where_one_is_asked_for()
    {
        using var model = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(60) with { CreateModel = () => TinyJudges.Create(1, new LoraOptions { Rank = 8, Alpha = 32 }) }).Fit(View());
        Assert.InRange(_context.J1().Evaluate(model.Transform(View(40))).Accuracy.Value, 0.7, 1);
    }

    [Fact]
    public void A_cancelled_token_ends_the_training()
    {
        using var stop = new CancellationTokenSource();
        var steps = 0;
        var options = TinyJudges.WarmStart(1000) with { CancellationToken = stop.Token, OnProgress = _ => { if (++steps == 3) stop.Cancel(); } };
        Assert.ThrowsAny<OperationCanceledException>(() => _context.J1().Trainers.WarmStart(options).Fit(View()));
        Assert.Equal(3, steps);
    }

    [Fact]
    public void A_GPU_that_is_asked_for_is_an_error_unless_the_CPU_may_stand_in()
    {
        var trainer = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(1));
        _context.GpuDeviceId = 0;
        var error = Assert.Throws<InvalidOperationException>(() => trainer.Fit(View()));
        Assert.Contains("MLContext.GpuDeviceId is 0", error.Message, StringComparison.Ordinal);
        Assert.Contains("FallbackToCpu = true", error.Message, StringComparison.Ordinal);
        _context.FallbackToCpu = true;
        var log = new List<string>();
        _context.Log += (_, message) => log.Add(message.RawMessage);
        trainer.Fit(View()).Dispose();
        Assert.Contains(log, message => message.Contains("trains on the CPU", StringComparison.Ordinal));
    }

    [Fact]
    public void A_weight_is_how_often_a_row_is_seen_and_nothing_else_is_asked_of_rows_without()
    {
        var items = TinyJudges.Items(8);
        foreach (var (item, i) in items.Select((item, i) => (item, i))) item.Weight = i < 2 ? 3 : 0;
        (items[7].ResponseA, items[7].ResponseB) = ("", "");
        var log = new List<string>();
        _context.Log += (_, message) => log.Add(message.RawMessage);
        _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(1) with { WeightColumnName = "Weight" }).Fit(_context.Data.LoadFromEnumerable(items)).Dispose();
        Assert.Contains(log, message => message.Contains("6 rows", StringComparison.Ordinal));
    }

    [Fact]
    public void Labels_may_be_text()
    {
        var rows = TinyJudges.Items(16).Select(item => new TextLabelled { Instruction = item.Instruction, ResponseA = item.ResponseA, ResponseB = item.ResponseB, Label = item.Label ? "A" : "B" });
        using var model = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart()).Fit(_context.Data.LoadFromEnumerable(rows));
        Assert.InRange(_context.J1().Evaluate(model.Transform(View(40))).ConsistentAccuracy.Value, 0.95, 1);
    }

    [Fact]
    public void A_trainer_is_a_stage_of_a_chain_and_of_cross_validation()
    {
        var chain = _context.Transforms.CopyColumns("Question", "Instruction")
            .Append(_context.J1().Trainers.WarmStart(TinyJudges.WarmStart(30) with { Columns = new() { InstructionColumnName = "Question" } }));
        var folds = _context.BinaryClassification.CrossValidateNonCalibrated(View(32), chain, numberOfFolds: 2);
        Assert.All(folds, fold => Assert.InRange(fold.Metrics.Accuracy, 0.9, 1));
        foreach (var fold in folds) ((IDisposable)fold.Model).Dispose();
    }

    public static TheoryData<string, string> WrongSchemas => new()
    {
        { "MissingColumn", "Column 'Nope' is missing; expected text. The input has" },
        { "NumberForText", "'Weight': it is Single; expected text" },
        { "NumberForLabel", "'Weight': it is Single; expected Boolean (true: A is better) or text (A or B)" },
        { "KeyForLabel", "expected Boolean (true: A is better) or text (A or B)" },
        { "TextForWeight", "'Instruction': it is String; expected Single" },
    };

    [Theory]
    [MemberData(nameof(WrongSchemas))]
    public void A_column_that_cannot_be_used_is_named_before_any_training(string wrong, string message)
    {
        var started = false;
        var good = TinyJudges.WarmStart(1) with { CreateModel = () => { started = true; return TinyJudges.Create(); } };
        var options = wrong switch
        {
            "MissingColumn" => good with { Columns = new() { ResponseBColumnName = "Nope" } },
            "NumberForText" => good with { Columns = new() { ResponseBColumnName = "Weight" } },
            "NumberForLabel" => good with { LabelColumnName = "Weight" },
            "KeyForLabel" => good with { LabelColumnName = "Key" },
            _ => good with { WeightColumnName = "Instruction" },
        };
        var rows = TinyJudges.Items(4).Select(item => new Keyed { Instruction = item.Instruction, ResponseA = item.ResponseA, ResponseB = item.ResponseB, Label = item.Label, Key = 1 });
        var view = _context.Data.LoadFromEnumerable(rows);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => _context.J1().Trainers.WarmStart(options).Fit(view));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        if (wrong == "KeyForLabel") Assert.Contains("'Key'", error.Message, StringComparison.Ordinal);

        // A chain finds it before its first stage is fitted.
        var fitted = false;
        var first = _context.Transforms.CopyColumns("Copy", "Instruction").WithOnFitDelegate(_ => fitted = true);
        error = Assert.Throws<ArgumentOutOfRangeException>(() => first.Append(_context.J1().Trainers.WarmStart(options)).Fit(view));
        Assert.Contains(wrong == "KeyForLabel" ? "'Key': it is keys of UInt32" : message, error.Message, StringComparison.Ordinal);
        Assert.False(started || fitted);
    }

    public static TheoryData<string, string> WrongValues => new()
    {
        { "BothMissing", "Columns 'ResponseA' and 'ResponseB', row 2: both responses are missing" },
        { "NullResponse", "Column 'ResponseB', row 2: it is null or empty; expected text" },
        { "NullInstruction", "Column 'Instruction', row 2: it is null or empty; expected text" },
        { "Equal", "row 2: the responses are equal" },
        { "NaNWeight", "Column 'Weight', row 2: it is NaN; expected a number from 0 to 100" },
        { "NegativeWeight", "Column 'Weight', row 2: it is -1; expected a number from 0 to 100" },
        { "HugeWeight", "Column 'Weight', row 2: it is 1E+09; expected a number from 0 to 100" },
        { "Nothing", "There is no row to train on" },
    };

    [Theory]
    [MemberData(nameof(WrongValues))]
    public void A_value_that_cannot_be_used_is_named_with_its_row_before_any_training(string wrong, string message)
    {
        var items = TinyJudges.Items(wrong == "Nothing" ? 0 : 4);
        if (items.Length > 0)
        {
            var item = items[2];
            switch (wrong)
            {
                case "BothMissing": (item.ResponseA, item.ResponseB) = (null!, ""); break;
                case "NullResponse": item.ResponseB = null!; break;
                case "NullInstruction": item.Instruction = null!; break;
                case "Equal": item.ResponseA = item.ResponseB; break;
                case "NaNWeight": item.Weight = float.NaN; break;
                case "NegativeWeight": item.Weight = -1; break;
                default: item.Weight = 1e9f; break;
            }
        }
        var started = false;
        var options = TinyJudges.WarmStart(1) with { WeightColumnName = "Weight", CreateModel = () => { started = true; return TinyJudges.Create(); } };
        var error = Assert.Throws<DataException>(() => _context.J1().Trainers.WarmStart(options).Fit(_context.Data.LoadFromEnumerable(items)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.False(started);
    }

    [Fact]
    public void A_label_that_says_neither_A_nor_B_is_named_with_its_row()
    {
        var rows = new[] { "A", "tie" }.Select(label => new TextLabelled { Instruction = "?", ResponseA = "a", ResponseB = "b", Label = label });
        var error = Assert.Throws<DataException>(() => _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(1)).Fit(_context.Data.LoadFromEnumerable(rows)));
        Assert.Contains("Column 'Label', row 1: it is 'tie'; expected A or B", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_out_of_range_are_refused_when_the_trainer_is_made()
    {
        Assert.Contains("1 way", Message(Grpo() with { CreateModel = null }).Replace("one way", "1 way", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("2 are given", Message(Grpo() with { ModelPath = "x" }), StringComparison.Ordinal);
        Assert.Contains("GroupSize is 1", Message(Grpo() with { Grpo = new() { GroupSize = 1 } }), StringComparison.Ordinal);
        Assert.Contains("both 0", Message(Grpo() with { Reward = new() { Correctness = 0 } }), StringComparison.Ordinal);
        Assert.Contains("BatchSize is 0", Message(Grpo() with { Columns = new() { BatchSize = 0 } }), StringComparison.Ordinal);
        Assert.Contains("Votes is 0", Message(Grpo() with { Votes = 0 }), StringComparison.Ordinal);
        Assert.Contains("without weights of ours", Message(Grpo() with { CreateModel = null, Start = Judge.From(new ScriptedJudge()) }), StringComparison.Ordinal);

        string Message(GrpoTrainerOptions options) => Assert.ThrowsAny<ArgumentException>(() => _context.J1().Trainers.Grpo(options)).Message;
    }

    [Fact]
    public void A_path_is_enough_to_train_with_the_papers_settings()
    {
        var folder = Directory.CreateTempSubdirectory("j1-path-").FullName;
        try
        {
            using (var engine = ManagedEngine.Create(TinyJudges.Shape with { ContextLength = 2048 }, TinyJudges.Tokenizer, 1)) engine.Export(folder);
            using var model = _context.J1().Trainers.Grpo(folder, steps: 0).Fit(View(2));
            Assert.Equal((JudgeMode.Verdict, true, 256), (model.Judge.Mode, model.Judge.Settings.Format.Thinking, model.Judge.Settings.Sampling.MaxTokens));
            Assert.Contains("\"group_size\":5", model.Judge.TrainedWith, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_thinking_judge_needs_thoughts_to_imitate()
    {
        var options = TinyJudges.WarmStart(1) with { Format = TinyJudges.Format with { Thinking = true, AssistantPrefix = "<think>" }, MaxCompletionTokens = 40 };
        var error = Assert.Throws<DataException>(() => _context.J1().Trainers.WarmStart(options).Fit(View()));
        Assert.Contains("ThoughtColumnName", error.Message, StringComparison.Ordinal);
        var rows = TinyJudges.Items(8).Select(item => new Thoughtful { Instruction = item.Instruction, ResponseA = item.ResponseA, ResponseB = item.ResponseB, Label = item.Label, Thought = "good", Other = "good" });
        var seen = new List<EvaluationSummary>();
        options = options with { ThoughtColumnName = "Thought", SwappedThoughtColumnName = "Other", Columns = new() { ThoughtColumnName = "Why" }, ValidationSet = _context.Data.LoadFromEnumerable(rows), OnProgress = one => { if (one.Validation is { } measured) seen.Add(measured); } };
        using var model = _context.J1().Trainers.WarmStart(options).Fit(_context.Data.LoadFromEnumerable(rows));
        Assert.Single(seen);
        Assert.Equal(8, model.Transform(_context.Data.LoadFromEnumerable(rows)).GetColumn<string>("Why").Count());
    }

    [Fact]
    public void Rows_that_do_not_fit_are_refused_or_left_out_as_the_options_say()
    {
        var items = TinyJudges.Items(4);
        items[1].ResponseA = string.Concat(Enumerable.Repeat("bad ", 200));
        var view = _context.Data.LoadFromEnumerable(items);
        var error = Assert.Throws<Engines.ContextOverflowException>(() => _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(1)).Fit(view));
        Assert.Contains("'row 1'", error.Message, StringComparison.Ordinal);
        var log = new List<string>();
        _context.Log += (_, message) => log.Add(message.RawMessage);
        using var model = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(1) with { LongPrompts = LongPromptPolicy.Drop }).Fit(view);
        Assert.Contains(log, message => message.StartsWith("1 of 4 training rows are left out", StringComparison.Ordinal));
        // To score them is to be told so, row by row.
        Assert.Equal("Invalid", model.Transform(view).GetColumn<string>("Verdict").ElementAt(1));
    }

    private sealed class TextLabelled
    {
        public string Instruction { get; set; } = "";
        public string ResponseA { get; set; } = "";
        public string ResponseB { get; set; } = "";
        public string Label { get; set; } = "";
    }

    private sealed class Thoughtful
    {
        public string Instruction { get; set; } = "";
        public string ResponseA { get; set; } = "";
        public string ResponseB { get; set; } = "";
        public bool Label { get; set; }
        public string Thought { get; set; } = "";
        public string Other { get; set; } = "";
    }

    private sealed class Keyed
    {
        public string Instruction { get; set; } = "";
        public string ResponseA { get; set; } = "";
        public string ResponseB { get; set; } = "";
        public bool Label { get; set; }
        public float Weight { get; set; } = 1;

        [KeyType(2)]
        public uint Key { get; set; }
    }
}
