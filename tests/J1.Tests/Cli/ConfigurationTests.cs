using J1.Cli.Configuration;
using J1.Data;
using J1.Grpo;

namespace J1.Tests.Cli;

public sealed class ConfigurationTests : IDisposable
{
    private const string Least = """
        name: small
        model:
          create: {}
        data:
          generate: {}

        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_least_configuration_has_the_records_defaults()
    {
        var experiment = Read(Least);
        Assert.Equal("small", experiment.Name);
        Assert.Equal(new GrpoOptions(), experiment.Grpo);
        Assert.Equal(new RewardOptions(), experiment.Reward);
        Assert.Null(experiment.WarmStart);
        Assert.Equal(128, experiment.Model.Create!.HiddenSize);
    }

    [Fact]
    public void Values_of_every_type_are_read()
    {
        var experiment = Read(Least + """
            seed: 18446744073709551615
            grpo:
              loss: dr_grpo
              learning_rate: 3e-4
              clip_high: 0.28
              clip_low: null
              mask_truncated: true
              schedule: cosine
            warm_start:
              steps: 7
            """);
        Assert.Equal(ulong.MaxValue, experiment.Seed);
        Assert.Equal(LossProfile.DrGrpo, experiment.Grpo.Loss);
        Assert.Equal(3e-4f, experiment.Grpo.LearningRate);
        Assert.Equal(0.28, experiment.Grpo.ClipHigh);
        Assert.Null(experiment.Grpo.ClipLow);
        Assert.True(experiment.Grpo.MaskTruncated);
        Assert.Equal(LearningRateSchedule.Cosine, experiment.Grpo.Schedule);
        Assert.Equal(7, experiment.WarmStart!.Steps);
        Assert.Equal(ulong.MaxValue, experiment.GrpoOfRun.Seed);
        Assert.Equal(ulong.MaxValue, experiment.WarmStartOfRun!.Seed);
    }

    [Fact]
    public void Ten_mistakes_give_ten_errors_each_in_its_place()
    {
        var file = _folder.Write("wrong.yaml", """
            nmae: small
            seed: -1
            model:
              create:
                heads: 4
                kv_heads: 3
            data:
              generate:
                kinds: [coins, cuont]
                train_pairs: many
            judge:
              thinking: yes
              prompt: compakt
            grpo:
              group_sise: 8
              steps: -5
              seed: 3
            reward: 1
            """);
        Assert.Equal([
            $"{file}:1:1: nmae: unknown key; expected name, seed, model, data, judge, synthesize, warm_start, grpo, reward, evaluate, calibrate, report, checkpoint, output, extends or sweep; did you mean 'name'?",
            $"{file}:1:1: name: is missing; expected a text",
            $"{file}:2:7: seed: is '-1'; expected a whole number of at least 0",
            $"{file}:5:5: model.create.heads: heads is not a multiple of kv_heads: 4 and 3",
            $"{file}:9:20: data.generate.kinds[1]: is 'cuont'; expected coins, count, lift or ring; did you mean 'count'?",
            $"{file}:10:18: data.generate.train_pairs: is 'many'; expected a whole number",
            $"{file}:12:13: judge.thinking: is 'yes'; expected true or false",
            $"{file}:13:11: judge.prompt: is 'compakt'; expected compact, compact_pointwise, compact_scores, compact_scores_and_verdict, pointwise, pointwise_instant, scores, scores_and_verdict, scores_and_verdict_instant, scores_instant, short, short_instant, verdict, verdict_instant, or a file such as ./prompt.txt",
            $"{file}:15:3: grpo.group_sise: unknown key; expected steps, pairs_per_step, group_size, temperature, loss, clip_low, clip_high, delta, kl_coefficient, importance_weighted_kl, entropy_coefficient, advantage_scaling, share_baseline_over_orders, single_order, mask_truncated, updates_per_batch, learning_rate, schedule, warmup_steps, weight_decay or max_gradient_norm; did you mean 'grpo.group_size'?",
            $"{file}:16:10: grpo.steps: is -5; expected at least 0",
            $"{file}:17:3: grpo.seed: is not set here; 'seed' sets it",
            $"{file}:18:9: reward: is '1'; expected a section with correctness, consistency, matching, negative or format",
        ], Problems(file));
    }

    [Fact]
    public void A_key_in_the_wrong_section_is_told_its_place()
    {
        var file = _folder.Write("wrong.yaml", Least + "group_size: 8\n");
        Assert.EndsWith("did you mean 'grpo.group_size'?", Assert.Single(Problems(file)));
    }

    [Fact]
    public void Values_that_do_not_fit_each_other_are_one_error_at_one_of_them()
    {
        var file = _folder.Write("wrong.yaml", Least + "reward:\n  correctness: 0\n");
        Assert.Equal($"{file}:7:3: reward.correctness: correctness and consistency are both 0: no verdict would be rewarded", Assert.Single(Problems(file)));
        _folder.Write("wrong.yaml", Least + "reward:\n  correctness: 0\n  consistency: 1\n");
        Assert.Equal(0, LoadedExperiment.Read(file, []).Experiment.Reward.Correctness);
    }

    [Fact]
    public void Exactly_one_model_and_one_source_of_pairs_are_asked_for()
    {
        var file = _folder.Write("wrong.yaml", "name: x\nmodel:\n  path: ./m\n  create: {}\ndata: {}\n");
        Assert.Equal($"{file}:3:3: model.path: path and create are both given; expected one of them", Assert.Single(Problems(file)));
        _folder.Write("wrong.yaml", "name: x\nmodel:\n  path: ./m\ndata: {}\n");
        Assert.Equal($"{file}:4:1: data: data names no pairs to train on; expected generate or files in it, or a section synthesize", Assert.Single(Problems(file)));
    }

    [Theory]
    [InlineData("grpo:\n  steps: 3\n  steps: 4\n", "3:3: grpo.steps: is given twice, first in line 2; expected every key once")]
    [InlineData("grpo:\n  steps: !!int 3\n", "2:10: grpo.steps: has the tag tag:yaml.org,2002:int; expected a plain value, since configurations hold no type names")]
    [InlineData("grpo: {steps: 3\n", "is not YAML here")]
    [InlineData("name: x\n---\nname: y\n", "a second document starts here")]
    [InlineData("- a\n- b\n", "1:1: is a list; expected keys and values")]
    [InlineData("grpo:\n  ? [a, b]\n  : 3\n", "has a key that is not text")]
    [InlineData("grpo:\n  steps: *nothing\n", "the alias *nothing has no anchor before it")]
    [InlineData("grpo:\n  learning_rate: .inf\n", "2:18: grpo.learning_rate: is '.inf'; expected a number")]
    [InlineData("grpo:\n  learning_rate: 1e50\n", "2:18: grpo.learning_rate: is '1e50'; expected a number")]
    [InlineData("grpo:\n  steps: 12.5\n", "2:10: grpo.steps: is '12.5'; expected a whole number")]
    [InlineData("grpo:\n  steps:\n", "2:9: grpo.steps: is empty; expected a whole number")]
    [InlineData("grpo: [1]\n", "1:7: grpo: is a list; expected a section")]
    [InlineData("", "name: is missing")]
    [InlineData("name: a/b\n", "1:7: name: is 'a/b'; expected usable as a folder's name")]
    public void What_cannot_be_read_is_said_with_its_place(string yaml, string expected)
    {
        var file = _folder.Write("wrong.yaml", yaml);
        Assert.Contains(Problems(file), problem => problem.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void Nesting_without_end_is_refused()
    {
        var file = _folder.Write("deep.yaml", $"name: {new string('[', 100_000)}");
        Assert.Contains("more than 32 levels of nesting", Assert.Single(Problems(file)));
    }

    [Fact]
    public void Overrides_win_and_their_errors_name_them()
    {
        var file = _folder.Write("c.yaml", Least);
        var experiment = LoadedExperiment.Read(file, ["grpo.steps=3", "grpo.steps=4", "data.generate.kinds=[coins]", "seed=9", "warm_start.learning_rate=1e-3"]).Experiment;
        Assert.Equal(4, experiment.Grpo.Steps);
        Assert.Equal([ProblemKind.Coins], experiment.Data.Generate!.Kinds);
        Assert.Equal(9UL, experiment.Seed);
        Assert.Equal(1e-3f, experiment.WarmStart!.LearningRate);
        Assert.Equal([
            "--set grpo.stesp=1: grpo.stesp: unknown key",
            "--set seed: expected a key and a value, as in --set grpo.steps=40",
        ], Problems(file, "grpo.stesp=1", "seed").Select(problem => problem.Split("; expected steps")[0]));
    }

    [Fact]
    public void A_base_is_merged_under_what_extends_it()
    {
        _folder.Write("bases/base.yaml", Least + "grpo:\n  steps: 3\n  group_size: 4\njudge:\n  prompt: ./own.txt\n");
        _folder.Write("bases/own.txt", "{instruction} {response_a} {response_b}");
        _folder.Write("more.yaml", "grpo:\n  group_size: 6\n");
        var file = _folder.Write("c.yaml", "extends: [bases/base.yaml, more.yaml]\nname: mine\ngrpo:\n  loss: dapo\n");
        var experiment = LoadedExperiment.Read(file, []).Experiment;
        Assert.Equal(("mine", 3, 6, LossProfile.Dapo), (experiment.Name, experiment.Grpo.Steps, experiment.Grpo.GroupSize, experiment.Grpo.Loss));
        Assert.Equal(_folder.At(Path.Combine("bases", "own.txt")), experiment.Judge.Prompt);
    }

    [Fact]
    public void A_mistake_in_a_base_is_placed_in_the_base_and_a_circle_is_seen()
    {
        var file = _folder.Write("c.yaml", "extends: base.yaml\n");
        _folder.Write("base.yaml", Least + "grpo:\n  steps: x\n");
        Assert.Equal($"{_folder.At("base.yaml")}:7:10: grpo.steps: is 'x'; expected a whole number", Assert.Single(Problems(file)));
        _folder.Write("base.yaml", "extends: c.yaml\n" + Least);
        Assert.Equal($"{_folder.At("base.yaml")}:1:10: extends: goes round in a circle: c.yaml → base.yaml → c.yaml", Assert.Single(Problems(file)));
        _folder.Write("c.yaml", "extends: nowhere.yaml\n" + Least);
        Assert.Equal($"{file}:1:10: extends: '{_folder.At("nowhere.yaml")}': there is no such file", Assert.Single(Problems(file)));
    }

    [Fact]
    public void Environment_variables_are_put_in_and_missing_ones_reported()
    {
        var file = _folder.Write("c.yaml", Least + "seed: ${env:SEED}\ngrpo:\n  steps: ${env:STEPS:-12}\noutput: ${env:ROOT:-.}/out\n");
        var experiment = LoadedExperiment.Read(file, [], name => name == "SEED" ? "5" : null).Experiment;
        Assert.Equal((5UL, 12, _folder.At("out")), (experiment.Seed, experiment.Grpo.Steps, experiment.Output));
        var problem = Assert.Throws<ConfigException>(() => LoadedExperiment.Read(file, [], _ => null)).Problems[0];
        Assert.Equal($"{file}:6:7: seed: the environment variable SEED is not set; expected it to be, or a default as in ${{env:SEED:-value}}", problem.ToString());
    }

    [Fact]
    public void The_resolved_configuration_reads_back_to_the_same_experiment()
    {
        var loaded = LoadedExperiment.Read(_folder.Write("in/c.yaml", """
            name: "a: b"
            seed: 3
            model: {path: ../models/small, lora: {rank: 4, targets: [q_proj, v_proj]}, context_length: 64}
            data: {files: [a.jsonl, "b c.jsonl"], max_prompt_tokens: 30, long_prompts: drop, test_share: 0.25}
            judge: {thinking: false, prompt: ./p.txt}
            warm_start: {learning_rate: 0.00012345}
            grpo: {delta: 1.5}
            """), []);
        var again = LoadedExperiment.Read(_folder.Write("out/deep/r.yaml", ConfigWriter.Write(loaded.Experiment, _folder.At("out/deep"))), []);
        Assert.Equal(ConfigWriter.Write(loaded.Experiment, "/"), ConfigWriter.Write(again.Experiment, "/"));
        Assert.Equal(loaded.Experiment.Data.Files, again.Experiment.Data.Files);
        Assert.Equal(_folder.At(Path.Combine("in", "p.txt")), again.Experiment.Judge.Prompt);
        Assert.Equal(["q_proj", "v_proj"], again.Experiment.Model.Lora!.Targets);
    }

    [Fact]
    public void The_hash_follows_values_and_data_but_not_the_output_folder()
    {
        var file = _folder.Write("c.yaml", "name: x\nmodel:\n  path: ./m\ndata:\n  files: [d.jsonl]\n");
        _folder.Write("d.jsonl", "one");
        var hash = Hash();
        Assert.Equal(hash, Hash("output=elsewhere"));
        Assert.Equal(hash, Hash("grpo.group_size=5"));
        Assert.NotEqual(hash, Hash("seed=1"));
        _folder.Write("d.jsonl", "two");
        Assert.NotEqual(hash, Hash());

        string Hash(params string[] sets) => LoadedExperiment.Read(file, sets).Hash;
    }

    [Theory]
    [InlineData("GroupSize", "group_size")]
    [InlineData("Beta1", "beta1")]
    [InlineData("KlCoefficient", "kl_coefficient")]
    public void Keys_are_snake_case(string name, string key) => Assert.Equal(key, Names.Snake(name));

    [Theory]
    [InlineData("stesp", "steps")]
    [InlineData("group-size", "group_size")]
    [InlineData("completely_else", null)]
    public void Near_names_are_suggested_and_far_ones_not(string written, string? expected) => Assert.Equal(expected, Names.Nearest(written, ["steps", "group_size", "loss"]));

    private Experiment Read(string yaml) => LoadedExperiment.Read(_folder.Write("c.yaml", yaml), []).Experiment;

    private static IEnumerable<string> Problems(string file, params string[] sets) =>
        Assert.Throws<ConfigException>(() => LoadedExperiment.Read(file, sets)).Problems.Select(problem => problem.ToString());
}
