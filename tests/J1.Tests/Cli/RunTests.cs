using System.Text.Json;
using J1.Cli;

namespace J1.Tests.Cli;

/// <summary>A run at toy size, from the command line: a model of one layer, eight steps in all.</summary>
public sealed class RunTests : IDisposable
{
    private const string Toy = """
        name: toy
        seed: 3
        model:
          create: {hidden_size: 16, intermediate_size: 24, layers: 1, heads: 2, kv_heads: 1, context_length: 128, vocabulary_size: 320}
        data:
          generate: {kinds: [count], train_pairs: 40, test_pairs: 6}
        judge: {prompt: compact, max_completion_tokens: 40}
        warm_start: {steps: 4, pairs_per_step: 3, learning_rate: 0.01}
        grpo: {steps: 4, pairs_per_step: 2, group_size: 2, learning_rate: 0.01, kl_coefficient: 0.05}
        evaluate: {every: 3}
        checkpoint: {every_steps: 2}

        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_run_leaves_its_measurements_metrics_samples_checkpoints_and_model()
    {
        var run = CommandLine.Run("run", Config(), "--output", _folder.At("out"));
        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
        foreach (var words in (string[])["toy, seed 3", "memory      about", "warm start", "reward ", "entropy ", "tokens/s", "consistent accuracy", "after the warm start", "after GRPO", "Question  How many", "A first", "B first", "Supervised: 4 steps of 3 pairs", "Reinforced: 4 steps of GRPO"])
            Assert.Contains(words, run.Output, StringComparison.Ordinal);

        var metrics = Rows("out/metrics.jsonl");
        Assert.Equal(
            ["evaluate 0", "warm_start 1", "warm_start 2", "warm_start 3", "warm_start 4", "evaluate 4", "grpo 1", "grpo 2", "grpo 3", "evaluate 3", "grpo 4", "evaluate 4", "calibrate 4"],
            metrics.Select(row => $"{row.GetProperty("stage").GetString()} {row.GetProperty("step").GetInt32()}"));
        Assert.All(metrics.Where(row => row.GetProperty("stage").GetString() == "grpo"), row =>
        {
            foreach (var name in (string[])["reward", "consistent_accuracy", "flips", "invalid", "kl", "entropy", "loss", "gradient_norm", "learning_rate"])
                Assert.Equal(JsonValueKind.Number, row.GetProperty(name).ValueKind);
        });
        Assert.NotEmpty(Rows("out/samples.jsonl"));
        Assert.Equal(6, Rows("out/test_pairs.jsonl").Count);
        Assert.Equal(2, Directory.GetDirectories(_folder.At("out/checkpoints"), "0*").Length);

        using var summary = JsonDocument.Parse(File.ReadAllText(_folder.At("out/summary.json")));
        foreach (var when in (string[])["untrained", "before", "after"])
        {
            var measured = summary.RootElement.GetProperty(when);
            Assert.Equal(6, measured.GetProperty("n").GetInt32());
            foreach (var name in (string[])["accuracy_first_order", "accuracy_second_order", "consistent_accuracy", "flips", "ties", "invalid"])
                Assert.InRange(measured.GetProperty(name).GetDouble(), 0, 1);
            Assert.True(measured.TryGetProperty("a_rate", out _));
            Assert.Equal(2, measured.GetProperty("interval_95").GetArrayLength());
        }
        Assert.Equal(3, summary.RootElement.GetProperty("seed").GetInt32());

        foreach (var name in (string[])["config.json", "model.safetensors", "tokenizer.json", "j1_judge.json"])
            Assert.True(File.Exists(_folder.At($"out/model/{name}")), name);

        // The resolved configuration is the same experiment: its run in another folder gives the same model.
        Assert.Equal(ExitCode.Done, CommandLine.Run("run", _folder.At("out/config.resolved.yaml"), "--output", _folder.At("again"), "--quiet").ExitCode);
        AssertSameRun("out", "again");
    }

    [Theory]
    [InlineData("warm start     3/4")]
    [InlineData("before")]
    [InlineData("grpo           1/4")]
    [InlineData("grpo           3/4")]
    [InlineData("after")]
    public void An_interrupted_run_goes_on_to_the_same_bits(string line)
    {
        Undisturbed();
        using var stop = new CancellationTokenSource();
        using var output = new CountingWriter((_, text) =>
        {
            if (text.Contains(line, StringComparison.Ordinal)) stop.Cancel();
        });
        var interrupted = CommandLine.Run(output, new HastyTime(), stop.Token, "run", Config(), "--output", _folder.At("out"));
        Assert.Equal(ExitCode.Interrupted, interrupted.ExitCode);
        Assert.Contains("saved in", interrupted.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.At("out/summary.json")));

        Assert.Equal(ExitCode.Done, CommandLine.Run("run", Config(), "--output", _folder.At("out"), "--resume").ExitCode);
        AssertSameRun("undisturbed", "out");
    }

    [Fact]
    public void A_run_that_dies_anywhere_goes_on_from_its_last_checkpoint_to_the_same_bits()
    {
        var lines = Undisturbed();
        for (var last = 7; last <= lines; last += 3)
        {
            var folder = _folder.At($"dies-{last}");
            using var output = new CountingWriter((count, _) =>
            {
                if (count == last) throw new IOException("No space left on device");
            });
            var dead = CommandLine.Run(output, new HastyTime(), default, "run", Config(), "--output", folder);
            Assert.Equal(ExitCode.Failed, dead.ExitCode);
            Assert.Contains("No space left on device", dead.Error, StringComparison.Ordinal);
            Assert.Equal(ExitCode.Done, CommandLine.Run("run", Config(), "--output", folder, "--quiet").ExitCode);
            AssertSameRun("undisturbed", $"dies-{last}");
        }
    }

    [Fact]
    public void What_a_kill_leaves_half_written_is_not_believed()
    {
        Undisturbed();
        using var stop = new CancellationTokenSource();
        using var output = new CountingWriter((_, text) =>
        {
            if (text.Contains("grpo           2/4", StringComparison.Ordinal)) stop.Cancel();
        });
        CommandLine.Run(output, new HastyTime(), stop.Token, "run", Config(), "--output", _folder.At("out"));
        _folder.Write("out/checkpoints/000099-grpo-4.tmp/state.json", "{");
        File.AppendAllText(_folder.At("out/metrics.jsonl"), "{\"stage\":\"grpo\",\"st");
        Assert.Equal(ExitCode.Done, CommandLine.Run("run", Config(), "--output", _folder.At("out")).ExitCode);
        AssertSameRun("undisturbed", "out");
    }

    [Fact]
    public void A_folder_is_continued_or_refused_and_never_overwritten()
    {
        _folder.Write("full/letter.txt", "dear");
        var refused = CommandLine.Run("run", Config(), "--output", _folder.At("full"));
        Assert.Equal((ExitCode.WrongInput, $"'{_folder.At("full")}' is not empty and holds no run. Choose another folder with --output.\n"), (refused.ExitCode, refused.Error));

        var absent = CommandLine.Run("run", Config(), "--output", _folder.At("none"), "--resume");
        Assert.Equal(ExitCode.Done, absent.ExitCode);
        Assert.Contains($"There is no checkpoint in {_folder.At("none")} to go on from; the run starts from the beginning.", absent.Output, StringComparison.Ordinal);

        Undisturbed();
        var summary = File.ReadAllText(_folder.At("undisturbed/summary.json"));
        var other = CommandLine.Run("run", Config(), "--output", _folder.At("undisturbed"), "--set", "seed=4");
        Assert.Equal(ExitCode.WrongInput, other.ExitCode);
        Assert.Contains("it has 'seed: 3' where yours has 'seed: 4'", other.Error, StringComparison.Ordinal);

        var finished = CommandLine.Run("run", Config(), "--output", _folder.At("undisturbed"));
        Assert.Equal(ExitCode.Done, finished.ExitCode);
        Assert.Contains("This run is finished", finished.Output, StringComparison.Ordinal);
        Assert.Equal(summary, File.ReadAllText(_folder.At("undisturbed/summary.json")));
    }

    [Fact]
    public void Another_seed_is_another_run()
    {
        Undisturbed();
        Assert.Equal(ExitCode.Done, CommandLine.Run("run", Config(), "--output", _folder.At("other"), "--set", "seed=4", "--quiet").ExitCode);
        Assert.NotEqual(File.ReadAllBytes(_folder.At("undisturbed/model/model.safetensors")), File.ReadAllBytes(_folder.At("other/model/model.safetensors")));
        Assert.NotEqual(File.ReadAllText(_folder.At("undisturbed/test_pairs.jsonl")), File.ReadAllText(_folder.At("other/test_pairs.jsonl")));
    }

    [Fact]
    public void An_instant_judge_is_trained_from_files_with_an_adapter()
    {
        Undisturbed();
        var pairs = File.ReadAllLines(_folder.At("undisturbed/test_pairs.jsonl")).Take(5);
        _folder.Write("pairs.jsonl", string.Join('\n', pairs) + "\n");
        var config = _folder.Write("adapter.yaml", """
            name: adapter
            model: {path: undisturbed/model, lora: {rank: 2, targets: [q_proj, v_proj]}}
            data: {files: [pairs.jsonl], test_files: [pairs.jsonl], test_share: 0}
            judge: {thinking: false, prompt: compact}
            warm_start: {steps: 1, pairs_per_step: 2}
            grpo: {steps: 1, pairs_per_step: 2, group_size: 2, kl_coefficient: 0}
            """);
        var run = CommandLine.Run("run", config, "--output", _folder.At("lora"));
        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
        Assert.True(File.Exists(_folder.At("lora/model/adapter_model.safetensors")));

        var judged = CommandLine.Run("judge", "--model", _folder.At("undisturbed/model"), "--adapter", _folder.At("lora/model"), "--jsonl", _folder.At("pairs.jsonl"));
        Assert.Equal(ExitCode.Done, judged.ExitCode);
        var rows = judged.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(5, rows.Count);
        Assert.All(rows, row => Assert.InRange(row.GetProperty("probability").GetDouble(), 0, 1));
        Assert.Contains("is a LoRA adapter", CommandLine.Run("judge", "--model", _folder.At("lora/model"), "--jsonl", _folder.At("pairs.jsonl")).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("leaves no room for a prompt in a context of 30", "model.create.context_length=30")]
    [InlineData("tokens; at most 20 fit a context of 60", "model.create.context_length=60")]
    [InlineData("a score mode needs judge.target_scores", "judge.mode=scores")]
    [InlineData("data.generate: There are not enough different problems", "data.generate.kinds=[ring]", "data.generate.train_pairs=20000")]
    [InlineData("and the machine has", "model.create.hidden_size=2000000")]
    [InlineData("expected at least 0", "grpo.steps=-1")]
    public void A_run_that_cannot_be_is_refused_before_it_begins_and_its_folder_stays_usable(string expected, params string[] sets)
    {
        var refused = CommandLine.Run(["run", Config(), "--output", _folder.At("out"), .. sets.SelectMany(set => (string[])["--set", set])]);
        Assert.Equal(ExitCode.WrongInput, refused.ExitCode);
        Assert.Contains(expected, refused.Error, StringComparison.Ordinal);
        Assert.Equal("", refused.Output);
        Assert.Equal(ExitCode.Done, CommandLine.Run("run", Config(), "--output", _folder.At("out"), "--quiet", "--set", "grpo.steps=0", "--set", "warm_start.steps=1").ExitCode);
    }

    private string Config() => _folder.Write("toy.yaml", Toy);

    /// <summary>Runs the toy without a break into "undisturbed"; the number of lines it wrote.</summary>
    private int Undisturbed()
    {
        var lines = 0;
        using var output = new CountingWriter((count, _) => lines = count);
        Assert.Equal(ExitCode.Done, CommandLine.Run(output, new HastyTime(), default, "run", Config(), "--output", _folder.At("undisturbed")).ExitCode);
        return lines;
    }

    private void AssertSameRun(string expected, string actual)
    {
        foreach (var name in (string[])["metrics.jsonl", "samples.jsonl", "test_pairs.jsonl", "model/j1_judge.json"])
            Assert.Equal(File.ReadAllText(_folder.At($"{expected}/{name}")), File.ReadAllText(_folder.At($"{actual}/{name}")));
        Assert.Equal(File.ReadAllBytes(_folder.At($"{expected}/model/model.safetensors")), File.ReadAllBytes(_folder.At($"{actual}/model/model.safetensors")));
    }

    private List<JsonElement> Rows(string name) => [.. File.ReadAllLines(_folder.At(name)).Select(line => JsonDocument.Parse(line).RootElement)];
}
