using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using J1.Data;
using J1.Engines.Managed;
using J1.Judging;
using J1.MLNet.Saving;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Tests;

public sealed class SavingTests : IDisposable
{
    private readonly MLContext _context = new(1);
    private readonly string _folder = Directory.CreateTempSubdirectory("j1-mlnet-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    private IDataView View(int count = 12) => _context.Data.LoadFromEnumerable(TinyJudges.Items(count));

    private ScoredPair[] Rows(ITransformer model, int count = 12) => [.. _context.Data.CreateEnumerable<ScoredPair>(model.Transform(View(count)), reuseRowObject: false)];

    private float[] Scores(ITransformer model) => [.. model.Transform(View()).GetColumn<float>("Score")];

    private static (string, float, float, bool, bool, string, string)[] Said(IEnumerable<ScoredPair> rows) =>
        [.. rows.Select(row => (row.Verdict, row.Score, row.Probability, row.Flipped, row.PredictedLabel, row.FirstOrder, row.SecondOrder))];

    /// <summary>A model folder of random weights, and a judge of them.</summary>
    private Judge Opened(string name = "model", ulong seed = 1, long most = 64_000_000)
    {
        using (var engine = TinyJudges.Create(seed)) engine.Export(At(name));
        return Judge.Open(At(name), new JudgeSettings { Format = TinyJudges.Format, Calibration = new Calibration(0.5), MaxEmbeddedBytes = most });
    }

    private string Save(ITransformer model, string name = "judge.zip")
    {
        _context.Model.Save(model, View().Schema, At(name));
        return At(name);
    }

    [Fact]
    public void A_saved_judge_says_the_same_under_ML_NETs_own_load()
    {
        using var judge = Opened();
        var model = _context.J1().Transforms.ScorePairs(judge, new ScorePairsOptions { ThoughtColumnName = "Why" }).Fit(View());
        var path = Save(model);
        Directory.Delete(At("model"), recursive: true);
        var loaded = new MLContext(2).Model.Load(path, out var schema);
        Assert.Equal(View().Schema.Select(column => column.Name), schema.Select(column => column.Name));
        Assert.Equal(Said(Rows(model)), Said(Rows(loaded)));
        Assert.Equal(model.GetOutputSchema(schema).Select(column => (column.Name, $"{column.Type}")), loaded.GetOutputSchema(schema).Where(column => !column.IsHidden && !column.Name.StartsWith("__J1", StringComparison.Ordinal)).Select(column => (column.Name, $"{column.Type}")));
        using var engine = _context.Model.CreatePredictionEngine<PairItem, ScoredPair>(loaded);
        Assert.Equal(Rows(model)[0].Score, engine.Predict(TinyJudges.Items(1)[0]).Score);
    }

    [Fact]
    public void A_judge_inside_a_longer_pipeline_is_saved_with_it()
    {
        using var judge = Opened();
        var chain = _context.Transforms.CopyColumns("Question", "Instruction")
            .Append(_context.J1().Transforms.ScorePairs(judge, new ScorePairsOptions { InstructionColumnName = "Question" }))
            .Append(_context.Transforms.Concatenate("Features", "Score", "Probability")).Fit(View());
        var loaded = new MLContext(2).Model.Load(Save(chain), out _);
        Assert.Equal(Said(Rows(chain)), Said(Rows(loaded)));
        Assert.Equal(chain.Transform(View()).GetColumn<float[]>("Features").SelectMany(x => x), loaded.Transform(View()).GetColumn<float[]>("Features").SelectMany(x => x));
    }

    [Fact]
    public void A_fresh_process_loads_and_scores_without_a_word_about_judges()
    {
        using var trained = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(20) with { ValidationSet = View() }).Fit(View());
        var path = Save(trained);
        var rows = TinyJudges.Items(6);
        File.WriteAllLines(At("rows.tsv"), rows.Select(row => $"{row.Instruction}\t{row.ResponseA}\t{row.ResponseB}"));
        string[] said = Run("J1.MLNet.Fresh", path, At("rows.tsv")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("Instruction ResponseA ResponseB PredictedLabel Probability Score Verdict Flipped FirstOrder SecondOrder", said[0]);
        Assert.Equal(Rows(trained, 6).Select(row => string.Create(CultureInfo.InvariantCulture, $"{row.Verdict} {row.Score:R} {row.Probability:R} {row.Flipped}")), said[1..7]);
        Assert.Equal(Rows(trained, 1)[0].Verdict, said[7]);
    }

    [Fact]
    public void The_types_come_back_with_batches_and_can_be_saved_again()
    {
        using var judge = Opened();
        var options = new ScorePairsOptions { BatchSize = 5, RememberedRows = 3, VerdictColumnName = "V" };
        var chain = _context.Transforms.CopyColumns("Copy", "Instruction").Append(_context.J1().Transforms.ScorePairs(judge, options)).Fit(View());
        var path = Save(chain);
        using var loaded = (TransformerChain<ITransformer>)_context.J1().LoadModel(path, out _);
        var typed = Assert.IsType<JudgeTransformer>(loaded.LastTransformer);
        Assert.Equal(options, typed.Options);
        Assert.Equal(judge.Settings.Calibration, typed.Judge.Settings.Calibration);
        Assert.Equal(judge.Identity, typed.Judge.Identity);
        Assert.Equal(Scores(chain), Scores(loaded));

        using var again = (IDisposable)_context.J1().LoadModel(Save(loaded, "again.zip"), out _);
        Assert.Equal(Scores(chain), Scores((ITransformer)again));
        using var stream = File.OpenRead(path);
        using var streamed = (IDisposable)_context.J1().LoadModel(stream, out _);
        using var alone = _context.J1().LoadJudge(path);
        Assert.Equal(judge.Identity, alone.Judge.Identity);
        Assert.Throws<DataException>(() => _context.J1().LoadJudge(Save(_context.Transforms.CopyColumns("X", "Instruction").Fit(View()), "none.zip")));
    }

    [Fact]
    public void Scopes_of_a_chain_survive_the_typed_load()
    {
        using var judge = Opened();
        var chain = new EstimatorChain<ITransformer>().Append(_context.Transforms.CopyColumns("Copy", "Instruction"), TransformerScope.TrainTest)
            .Append(_context.J1().Transforms.ScorePairs(judge)).Fit(View());
        using var loaded = (TransformerChain<ITransformer>)_context.J1().LoadModel(Save(chain), out _);
        Assert.Equal(2, loaded.Count());
        Assert.Single(loaded.GetModelFor(TransformerScope.Scoring));
        Assert.Equal(2, loaded.GetModelFor(TransformerScope.Testing).Count());
    }

    [Fact]
    public void Every_scoring_stage_is_saved_and_loaded()
    {
        using var engine = TinyJudges.Create();
        engine.Export(At("model"));
        var pointwise = new JudgeSettings { Format = new JudgeFormat { Mode = JudgeMode.Pointwise, Thinking = false, Prompt = JudgePrompt.Parse("{instruction}\n{response}") }, Sampling = Engines.SamplingOptions.Greedy(8) };
        using var points = Judge.Open(At("model"), pointwise);
        using var pairs = Judge.Open(At("model"), new JudgeSettings { Format = TinyJudges.Format });
        var several = _context.Data.LoadFromEnumerable(TinyJudges.Items(5).Select(item => new Several { Instruction = item.Instruction, Response = item.ResponseA, Responses = [item.ResponseA, item.ResponseB, "neither"] }));
        var t = _context.J1().Transforms;
        Check(t.ScoreResponses(points), "Outcome", "Score");
        Check(t.RateResponse(points, new RateResponseOptions { MinimumRating = 3 }), "Outcome", "Rating");
        Check(t.ChooseBest(pairs), "Best", null);

        void Check(JudgeEstimator stage, string text, string? number)
        {
            var model = stage.Fit(several);
            _context.Model.Save(model, several.Schema, At("stage.zip"));
            var plain = new MLContext().Model.Load(At("stage.zip"), out _);
            using var typed = (IDisposable)_context.J1().LoadModel(At("stage.zip"), out _);
            foreach (var loaded in new[] { plain, (ITransformer)typed })
            {
                Assert.Equal(model.Transform(several).GetColumn<string>(text), loaded.Transform(several).GetColumn<string>(text));
                if (number is not null) Assert.Equal(model.Transform(several).GetColumn<float>(number), loaded.Transform(several).GetColumn<float>(number));
                else Assert.Equal(model.Transform(several).GetColumn<float[]>("Scores").SelectMany(x => x), loaded.Transform(several).GetColumn<float[]>("Scores").SelectMany(x => x));
            }
        }
    }

    [Fact]
    public void A_trained_adapter_is_saved_with_a_reference_to_its_base_and_goes_on_learning()
    {
        using (var engine = TinyJudges.Create()) engine.Export(At("base"));
        var options = TinyJudges.WarmStart(30) with { CreateModel = null, ModelPath = At("base"), Engine = new EngineOptions { Lora = new LoraOptions { Rank = 2 } }, MaxEmbeddedBytes = 40_000 };
        using var trained = _context.J1().Trainers.WarmStart(options).Fit(View());
        var path = Save(trained);
        Assert.True(new FileInfo(path).Length < 60_000);
        using (var loaded = _context.J1().LoadJudge(path))
        {
            Assert.Equal(Said(Rows(trained)), Said(Rows(loaded)));
            using var further = _context.J1().Trainers.WarmStart(options with { ModelPath = null, Start = loaded.Judge, WarmStart = options.WarmStart with { Steps = 1 } }).Fit(View());
            Assert.NotEqual(Rows(trained).Select(row => row.Score), Rows(further).Select(row => row.Score));
            using var again = _context.J1().LoadJudge(Save(further, "further.zip"));
            Assert.Equal(Said(Rows(further)), Said(Rows(again)));
            // And from the trained one itself, whose adapter is still one of the base.
            using var direct = _context.J1().Trainers.WarmStart(options with { ModelPath = null, Start = trained.Judge, WarmStart = options.WarmStart with { Steps = 1 } }).Fit(View());
            Assert.Equal(Rows(further).Select(row => row.Score), Rows(direct).Select(row => row.Score));
            using var once = _context.J1().LoadJudge(Save(direct, "direct.zip"));
            Assert.Equal(Said(Rows(direct)), Said(Rows(once)));
            Assert.Contains("\"rank\":2", once.Judge.TrainedWith, StringComparison.Ordinal);
            Assert.Contains("\"seed\":1", loaded.Judge.TrainedWith, StringComparison.Ordinal);
        }

        using (var other = TinyJudges.Create(seed: 2)) other.Export(At("base"));
        var error = Assert.Throws<DataException>(() => _context.J1().LoadJudge(path));
        Assert.Contains("is not the base model the judge was saved with", error.Message, StringComparison.Ordinal);
        Directory.Delete(At("base"), recursive: true);
        error = Assert.Throws<DataException>(() => _context.J1().LoadJudge(path));
        Assert.Contains("base model 'base' is missing", error.Message, StringComparison.Ordinal);
        Assert.Contains("J1_MODEL_PATH", error.Message, StringComparison.Ordinal);
        // ML.NET's own load says so when the first row is asked for.
        var plain = _context.Model.Load(path, out _);
        Assert.Contains("base model 'base' is missing", Flatten(Assert.ThrowsAny<Exception>(() => Rows(plain, 1))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_too_large_for_the_file_is_saved_by_path_and_hash()
    {
        using var judge = Opened(most: 1000);
        var path = Save(_context.J1().Transforms.ScorePairs(judge).Fit(View()));
        Assert.True(new FileInfo(path).Length < 10_000);
        using (var loaded = _context.J1().LoadJudge(path)) Assert.Equal(judge.Identity, loaded.Judge.Identity);
        using var trained = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(1) with { MaxEmbeddedBytes = 1000 }).Fit(View());
        // Weights that were all trained are no adapter of the model that they came from.
        using var whole = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(1) with { CreateModel = null, ModelPath = At("model"), MaxEmbeddedBytes = 1000 }).Fit(View());
        Assert.Throws<NotSupportedException>(() => Save(whole, "whole.zip"));
        using var adapted = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(1) with { CreateModel = null, Start = whole.Judge, Engine = new() { Lora = new() { Rank = 1 } }, MaxEmbeddedBytes = 1000 }).Fit(View());
        Assert.Throws<NotSupportedException>(() => Save(adapted, "adapted.zip"));
        Assert.Contains("at most 1,000 may lie in the file", Assert.Throws<NotSupportedException>(() => Save(trained, "large.zip")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_judge_that_lives_in_this_process_alone_is_not_saved()
    {
        var error = Assert.Throws<NotSupportedException>(() => Save(_context.J1().Transforms.ScorePairs(Judge.From(new ScriptedJudge())).Fit(View())));
        Assert.Contains("lives in this process alone", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_part_that_was_changed_is_refused_and_named()
    {
        using var judge = Opened();
        var stage = ((JudgeTransformer)_context.J1().Transforms.ScorePairs(judge).Fit(View())).Stage;
        var text = JudgeState.Of(stage).Write();
        Assert.Equal(stage.Options, JudgeState.Read(text.AsMemory()).Stage);

        var weights = text.IndexOf("\"model.safetensors\"", StringComparison.Ordinal);
        var data = text.IndexOf("\"data\":\"", weights, StringComparison.Ordinal) + 1000;
        Assert.Contains("The part 'model.safetensors' of the saved judge is not what was saved", Refused(Changed(text, data)), StringComparison.Ordinal);
        Assert.Contains("its hash differs", Refused(text.Replace("\"votes\":1", "\"votes\":2", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("its hash differs", Refused(text[..^100]), StringComparison.Ordinal);
        Assert.Contains("no saved judge", Refused("Something else"), StringComparison.Ordinal);

        static string Refused(string text) => Assert.Throws<DataException>(() => JudgeState.Read(text.AsMemory())).Message;
        static string Changed(string text, int at) => $"{text[..at]}{(text[at] == 'A' ? 'B' : 'A')}{text[(at + 1)..]}";
    }

    [Fact]
    public void A_file_that_was_changed_anywhere_in_the_state_is_refused()
    {
        using var judge = Opened();
        var path = Save(_context.J1().Transforms.ScorePairs(judge).Fit(View()));
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Update))
        {
            // The state is by far the largest entry.
            var entry = zip.Entries.MaxBy(one => one.Length)!;
            using var stream = entry.Open();
            stream.Position = stream.Length / 2;
            var value = stream.ReadByte();
            stream.Position--;
            stream.WriteByte((byte)(value == 'A' ? 'B' : 'A'));
        }
        Assert.ThrowsAny<Exception>(() => _context.J1().LoadModel(path, out _));
        Assert.ThrowsAny<Exception>(() => Rows(_context.Model.Load(path, out _), 1));
    }

    [Fact]
    public void A_state_of_an_older_layout_takes_defaults_for_what_it_does_not_have()
    {
        using var judge = Opened();
        var weights = judge.Model!.Write(long.MaxValue);
        // As the first version would have written it: what judges, and no word of votes, orders, batches or long prompts.
        var json = $$$"""{"layout":1,"score_pairs":{"instruction_column_name":"Instruction"},"thinking":false,"prompt":"{instruction}\nA: {response_a}\nB: {response_b}","parts":[{{{string.Join(',', weights.Parts.Select(part => $$"""{"name":"{{part.Name}}","sha256":"{{part.Sha256}}","data":"{{Convert.ToBase64String(part.Data)}}"}"""))}}}]}""".Replace("\n", "\\n", StringComparison.Ordinal);
        var state = JudgeState.Read($"J1.MLNet judge\n{Sha(json)}\n{json}".AsMemory());
        Assert.Equal(new ScorePairsOptions(), state.Stage);
        var old = LoadedJudges.Open(state);
        using var model = new JudgeTransformer(old, ownsJudge: true);
        Assert.Equal((1, true, LongPromptPolicy.Drop), (model.Judge.Settings.Votes, model.Judge.Settings.BothOrders, model.Judge.Settings.LongPrompts));
        Assert.Equal(Rows(_context.J1().Transforms.ScorePairs(judge).Fit(View())).Select(row => row.Score), Rows(model).Select(row => row.Score));

        var newer = json.Replace("\"layout\":1", "\"layout\":2", StringComparison.Ordinal);
        var error = Assert.Throws<DataException>(() => JudgeState.Read($"J1.MLNet judge\n{Sha(newer)}\n{newer}".AsMemory()));
        Assert.Contains("saved by a newer J1.MLNet (layout 2", error.Message, StringComparison.Ordinal);

        static string Sha(string text) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }

    [Fact]
    public void A_file_that_the_first_version_saved_still_loads()
    {
        var text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "judge-layout-1.txt"));
        using var model = new JudgeTransformer(LoadedJudges.Open(JudgeState.Read(text.AsMemory())), ownsJudge: true);
        Assert.Equal(new ScorePairsOptions { InstructionColumnName = "Instruction", BatchSize = 7, ThoughtColumnName = "Why" }, model.Options);
        Assert.Equal((0.5, 3UL), (model.Judge.Settings.Calibration!.Scale, model.Judge.Settings.Seed));
        // What it said when it was saved.
        Assert.Equal([-0.0036725998f, 0.0035030842f, -0.0036129951f, 0.0041201115f], Scores(model).Take(4), (one, other) => Math.Abs(one - other) < 1e-5);
    }

    [Fact]
    public void The_assembly_that_saved_files_name_has_one_version_for_ever() =>
        Assert.Equal("J1.MLNet, Version=1.0.0.0, Culture=neutral, PublicKeyToken=null", typeof(JudgeTransformer).Assembly.FullName);

    [Fact]
    public void An_opened_adapter_is_saved_beside_the_reference_to_its_base()
    {
        using (var engine = TinyJudges.Create()) engine.Export(At("base"));
        using (var engine = ManagedEngine.Open(At("base"), new EngineOptions { Lora = new LoraOptions { Rank = 2 } }))
        {
            engine.Accumulate([new Engines.TokenSequence([1, 2, 3, 4], 1)], 1, (_, scores) => new Engines.TokenGradients([.. scores.LogProbs.Select(_ => -1f)]));
            engine.Step(new Engines.OptimizerOptions { LearningRate = 0.05f });
            engine.Export(At("adapter"));
        }
        using var judge = Judge.Open(At("base"), new JudgeSettings { Format = TinyJudges.Format }, At("adapter"));
        using var plain = Judge.Open(At("base"), new JudgeSettings { Format = TinyJudges.Format });
        Assert.NotEqual(plain.Identity, judge.Identity);
        using var loaded = _context.J1().LoadJudge(Save(_context.J1().Transforms.ScorePairs(judge).Fit(View())));
        Assert.Equal(judge.Identity, loaded.Judge.Identity);
    }

    /// <summary>A program that is built with the tests; fails with what it wrote where it fails.</summary>
    internal static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Beside(program, $"{program}.dll"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}:\n{output}\n{error.Result}");
        return output.ReplaceLineEndings("\n");
    }

    /// <summary>A file in another program's output.</summary>
    internal static string Beside(string program, string file) =>
        Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", program, new DirectoryInfo(AppContext.BaseDirectory).Name, file));

    private static string Flatten(Exception error) => error.InnerException is null ? error.Message : $"{error.Message} {Flatten(error.InnerException)}";


    private sealed class Several
    {
        public string Instruction { get; set; } = "";
        public string Response { get; set; } = "";
        public string[] Responses { get; set; } = [];
    }
}
