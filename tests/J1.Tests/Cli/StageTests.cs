using System.Net;
using System.Text.Json;
using J1.Cli;

namespace J1.Tests.Cli;

/// <summary>Stages at toy size: which run again when the configuration changes, and what each leaves.</summary>
public sealed class StageTests : IDisposable
{
    private const string Toy = """
        name: toy
        seed: 3
        model:
          create: {hidden_size: 8, intermediate_size: 8, layers: 1, heads: 2, kv_heads: 1, context_length: 160, vocabulary_size: 320}
        data:
          generate: {kinds: [count], train_pairs: 24, test_pairs: 4}
        judge: {prompt: compact, max_completion_tokens: 40}
        warm_start: {steps: 3, pairs_per_step: 2, learning_rate: 0.01}
        grpo: {steps: 3, pairs_per_step: 2, group_size: 2, learning_rate: 0.01}
        calibrate: {pairs: 6}
        checkpoint: {every_steps: 2}

        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Only_what_a_change_touches_is_run_again()
    {
        Run("out");
        var (model, before) = (Bytes("out/model/model.safetensors"), Stages("out"));

        // Measured otherwise: all three measurements are made anew, of the weights they belong to, and no step is taken.
        Run("out", "evaluate.pairs=3");
        Assert.Equal([.. before, "evaluate 0", "evaluate 3", "evaluate 3", "calibrate 3"], Stages("out"));
        Assert.Equal(model, Bytes("out/model/model.safetensors"));
        Run("fresh", "evaluate.pairs=3");
        Assert.Equal(Summary("fresh", "untrained", "before", "after", "calibration"), Summary("out", "untrained", "before", "after", "calibration"));

        // Reported otherwise: nothing is run.
        var rows = File.ReadAllText(_folder.At("out/metrics.jsonl"));
        Run("out", "evaluate.pairs=3", "report.judgements=1");
        Assert.Equal(rows, File.ReadAllText(_folder.At("out/metrics.jsonl")));
        Assert.Contains("The first 1 of 3", File.ReadAllText(_folder.At("out/report.html")), StringComparison.Ordinal);
    }

    [Fact]
    public void Steps_of_another_configuration_are_thrown_away_only_when_asked_and_a_warm_start_that_holds_is_kept()
    {
        Run("out");
        var refused = CommandLine.Run("run", Config(), "--output", _folder.At("out"), "--set", "grpo.learning_rate=0.02");
        Assert.Equal(ExitCode.WrongInput, refused.ExitCode);
        Assert.Contains("with --redo", refused.Error, StringComparison.Ordinal);

        var again = CommandLine.Run("run", Config(), "--output", _folder.At("out"), "--set", "grpo.learning_rate=0.02", "--redo");
        Assert.Equal((ExitCode.Done, ""), (again.ExitCode, again.Error));
        Assert.Contains("Goes on from warm-start step 3 of 3", again.Output, StringComparison.Ordinal);
        Run("fresh", "grpo.learning_rate=0.02");
        Assert.Equal(Bytes("fresh/model/model.safetensors"), Bytes("out/model/model.safetensors"));
        Assert.Equal(Stages("fresh"), Stages("out"));

        Run("out", "--redo", "warm_start.steps=2", "grpo.learning_rate=0.02");
        Run("other", "warm_start.steps=2", "grpo.learning_rate=0.02");
        Assert.Equal(Bytes("other/model/model.safetensors"), Bytes("out/model/model.safetensors"));
    }

    [Fact]
    public void Calibration_is_fitted_on_training_pairs_that_nothing_else_sees()
    {
        Run("out", "judge.thinking=false");
        var summary = Json("out/summary.json");
        var pairs = summary.GetProperty("pairs");
        Assert.Equal(24, pairs.GetProperty("train").GetInt32() + pairs.GetProperty("calibration").GetInt32());
        Assert.InRange(pairs.GetProperty("calibration").GetInt32(), 1, 12);
        Assert.Equal(pairs.GetProperty("calibration").GetInt32(), summary.GetProperty("calibration").GetProperty("pairs").GetInt32());
        var scale = summary.GetProperty("calibration").GetProperty("scale").GetDouble();
        Assert.Equal(scale, Json("out/model/j1_judge.json").GetProperty("calibration_scale").GetDouble());

        Run("none", "calibrate.pairs=0");
        Assert.Equal(24, Json("none/summary.json").GetProperty("pairs").GetProperty("train").GetInt32());
        Assert.Equal(JsonValueKind.Null, Json("none/summary.json").GetProperty("calibration").ValueKind);
    }

    [Fact]
    public void A_multitask_judge_trains_on_both_tasks_and_is_measured_both_ways()
    {
        Run("out", "judge.mode=scores", "judge.prompt=compact_scores", "judge.pointwise_prompt=compact_pointwise", "judge.multitask=true", "judge.target_scores=[8, 2]", "calibrate.pairs=0");
        var ids = File.ReadAllLines(_folder.At("out/samples.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).Where(row => row.GetProperty("stage").GetString() == "grpo").Select(row => row.GetProperty("id").GetString()!).ToList();
        Assert.All(ids, id => Assert.Matches(@"\((Scores|Pointwise)\)$", id));
        Assert.Equal(4, Json("out/summary.json").GetProperty("after_pointwise").GetProperty("n").GetInt32());
        Assert.True(File.Exists(_folder.At("out/judgements/after-pointwise.jsonl")));
    }

    [Fact]
    public async Task Pairs_are_written_by_a_chat_server_first_and_not_again()
    {
        _folder.Write("wild.jsonl", string.Concat(Enumerable.Range(0, 8).Select(i => $$"""{"id":"w{{i}}","instruction":"Name {{i}} cats.","response":"Here are {{i}} cats."}""" + "\n")));
        _folder.Write("math.jsonl", string.Concat(Enumerable.Range(0, 8).Select(i => $$"""{"id":"m{{i}}","instruction":"What is {{i}} + 1?","answer":"{{i + 1}}"}""" + "\n")));
        var asked = new List<string>();
        using var server = new LocalServer(request =>
        {
            var text = JsonDocument.Parse(request.Body).RootElement.GetProperty("messages")[0].GetProperty("content").GetString()!;
            lock (asked) asked.Add(request.Path);
            if (asked.Count == 2) return LocalServer.Status(HttpStatusCode.ServiceUnavailable);
            var reply = text.Contains("Name", StringComparison.Ordinal)
                ? "[User Question Modified]\nName dogs.\n[The start of Assistant's answer to the modified instruction]\nHere are dogs.\n[The end of Assistant's answer to the modified instruction]"
                : $"I think. The answer is \\boxed{{{(JsonDocument.Parse(request.Body).RootElement.GetProperty("seed").GetInt32() % 9) + 1}}}";
            return LocalServer.Json(new { choices = new[] { new { finish_reason = "stop", message = new { content = reply } } } });
        });
        string[] sets =
        [
            "data.generate=null", "data.test_share=0.4", "judge.thinking=false", "calibrate.pairs=0", "model.create.context_length=400", "grpo.steps=1", "warm_start.steps=1",
            $"synthesize={{noisy_instruction: {_folder.At("wild.jsonl")}, wrong_answer: {_folder.At("math.jsonl")}, samples: 8, at_once: 2, endpoint: {{url: '{server.Address}v1', model: writer}}}}",
        ];
        await Task.Run(() => Run("out", sets));
        Assert.All(asked, path => Assert.Equal("/v1/chat/completions", path));
        var count = asked.Count;
        Assert.Equal(8 + 8 * 8 + 1, count);
        Assert.Equal(8, File.ReadAllLines(_folder.At("out/synthetic/noisy_instruction.jsonl")).Length);
        Assert.InRange(File.ReadAllLines(_folder.At("out/synthetic/wrong_answer.jsonl")).Length, 1, 8);
        var pairs = Json("out/summary.json").GetProperty("pairs");
        Assert.InRange(pairs.GetProperty("train").GetInt32() + pairs.GetProperty("test").GetInt32(), 9, 16);

        await Task.Run(() => Run("out", [.. sets, "evaluate.pairs=2"]));
        Assert.Equal(count, asked.Count);
    }

    [Fact]
    public void A_sweep_runs_all_its_points_and_skips_those_that_are_done()
    {
        var config = _folder.Write("sweep.yaml", Toy.Replace("warm_start: {steps: 3", "warm_start: {steps: 1", StringComparison.Ordinal).Replace("grpo: {steps: 3", "grpo: {steps: 1", StringComparison.Ordinal)
            + "sweep:\n  seeds: [0, 1]\n  paired:\n    - {label: first, grpo.single_order: true}\n    - {label: second, reward: {correctness: 0, consistency: 1}}\n");
        var run = CommandLine.Run("run", config, "--output", _folder.At("sweep"), "--quiet");
        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
        Assert.Equal(["first-seed0", "first-seed1", "second-seed0", "second-seed1"], Directory.GetDirectories(_folder.At("sweep")).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        var table = File.ReadAllText(_folder.At("sweep/table.md"));
        Assert.Matches(@"\| first \| 2 \| \d\.\d{3} ± \d\.\d{3} \|", table);
        Assert.Matches(@"\| second \| 2 \|", table);
        Assert.Contains("href=\"second-seed1/report.html\"", File.ReadAllText(_folder.At("sweep/report.html")), StringComparison.Ordinal);

        // Both runs of a seed have one warm start, done once: the times it took are the same to the last digit. Each comes to what it comes to alone.
        string[] Times(string run) => [.. File.ReadAllLines(_folder.At($"{run}/timings.jsonl")).Where(line => line.Contains("warm_start", StringComparison.Ordinal))];
        Run("alone", "seed=1", "warm_start.steps=1", "grpo.steps=1", "reward.correctness=0", "reward.consistency=1");
        Assert.Equal(Times("sweep/first-seed1"), Times("sweep/second-seed1"));
        Assert.NotEqual(Times("alone"), Times("sweep/second-seed1"));
        foreach (var file in (string[])["metrics.jsonl", "samples.jsonl", "model/model.safetensors", "judgements/untrained.jsonl"])
            Assert.Equal(Bytes($"alone/{file}"), Bytes($"sweep/second-seed1/{file}"));

        var again = CommandLine.Run("run", config, "--output", _folder.At("sweep"));
        Assert.Equal(4, again.Output.Split("This run is finished").Length - 1);
    }

    [Fact]
    public void Json_is_an_object_a_line_and_its_last_is_the_result()
    {
        var run = CommandLine.Run("run", Config(), "--output", _folder.At("out"), "--json");
        var lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(3, lines.Count(line => line.GetProperty("event").GetString() == "step" && line.GetProperty("stage").GetString() == "grpo"));
        Assert.True(lines.First(line => line.GetProperty("event").GetString() == "step" && line.GetProperty("stage").GetString() == "grpo").GetProperty("values").TryGetProperty("reward", out _));
        Assert.Equal("result", lines[^1].GetProperty("event").GetString());
        Assert.Equal("toy", lines[^1].GetProperty("summary").GetProperty("name").GetString());
        Assert.Single(CommandLine.Run("run", Config(), "--output", _folder.At("quiet"), "--json", "--quiet").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void Events_hold_the_steps_of_every_stage()
    {
        Run("out");
        var events = EventFileTests.Read(File.ReadAllBytes(_folder.At("out/events.out.tfevents.j1")));
        Assert.Equal([1L, 2, 3], events.Where(one => one.Tag == "warm_start/loss").Select(one => one.Step));
        Assert.Equal([1L, 2, 3], events.Where(one => one.Tag == "grpo/reward").Select(one => one.Step));
        Assert.Equal([0L, 3, 6], events.Where(one => one.Tag == "evaluate/consistent_accuracy").Select(one => one.Step));
    }

    [Fact]
    public void A_dry_run_tells_all_and_writes_nothing()
    {
        var run = CommandLine.Run("run", Config(), "--output", _folder.At("out"), "--dry-run");
        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
        foreach (var words in (string[])["grpo:\n  steps: 3", "pairs to train on", "prompts     ", "memory      about", "time        at most about", "Q: How many of these are animals", "<think>"])
            Assert.Contains(words, run.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.At("out")));
    }

    private string Config() => _folder.Write("toy.yaml", Toy);

    private void Run(string output, params string[] sets)
    {
        var run = CommandLine.Run(["run", Config(), "--output", _folder.At(output), "--quiet", .. sets.Where(set => set == "--redo"), .. sets.Where(set => set != "--redo").SelectMany(set => (string[])["--set", set])]);
        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
    }

    private List<string> Stages(string run) => [.. File.ReadAllLines(_folder.At($"{run}/metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).Select(row => $"{row.GetProperty("stage").GetString()} {row.GetProperty("step").GetInt32()}")];

    private JsonElement Json(string file) => JsonDocument.Parse(File.ReadAllText(_folder.At(file))).RootElement;

    private string Summary(string run, params string[] parts) => string.Join('\n', parts.Select(part => Json($"{run}/summary.json").GetProperty(part).GetRawText()));

    private byte[] Bytes(string file) => File.ReadAllBytes(_folder.At(file));
}
