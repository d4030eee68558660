using J1.Cli.Configuration;

namespace J1.Tests.Cli;

public sealed class SweepTests : IDisposable
{
    private const string Least = "name: x\nmodel:\n  create: {}\ndata:\n  generate: {}\n";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Grid_paired_and_seeds_are_multiplied()
    {
        var runs = Read("""
            sweep:
              seeds: [3, 0]
              grid:
                grpo.group_size: [4, 8]
                judge.mode: [verdict]
              paired:
                - {label: consistent, reward: {correctness: 0}, reward.consistency: 1}
                - reward.negative: -1
            """).Runs;
        Assert.Equal(
        [
            "consistent,group_size=4,mode=verdict-seed3", "consistent,group_size=4,mode=verdict-seed0", "consistent,group_size=8,mode=verdict-seed3", "consistent,group_size=8,mode=verdict-seed0",
            "negative=-1,group_size=4,mode=verdict-seed3", "negative=-1,group_size=4,mode=verdict-seed0", "negative=-1,group_size=8,mode=verdict-seed3", "negative=-1,group_size=8,mode=verdict-seed0",
        ], runs.Select(run => run.Id));
        Assert.Equal((0UL, 4, 0.0, 1.0, 0.0), (runs[1].Experiment.Seed, runs[1].Experiment.Grpo.GroupSize, runs[1].Experiment.Reward.Correctness, runs[1].Experiment.Reward.Consistency, runs[1].Experiment.Reward.Negative));
        Assert.Equal((3UL, 8, 1.0, 0.0, -1.0), (runs[6].Experiment.Seed, runs[6].Experiment.Grpo.GroupSize, runs[6].Experiment.Reward.Correctness, runs[6].Experiment.Reward.Consistency, runs[6].Experiment.Reward.Negative));
        Assert.Equal(8, runs.DistinctBy(run => run.Hash).Count());
    }

    [Fact]
    public void A_run_keeps_its_name_when_others_come_and_go()
    {
        var before = Read("sweep:\n  grid: {grpo.steps: [1, 2]}\n").Runs;
        var after = Read("sweep:\n  grid: {grpo.steps: [5, 2, 1]}\n  seeds: [7, 0]\n").Runs;
        Assert.All(before, run => Assert.Equal(run.Hash, Assert.Single(after, other => other.Id == run.Id).Hash));
    }

    [Fact]
    public void Names_that_no_folder_may_have_are_made_usable_and_stay_apart()
    {
        var ids = Read("sweep:\n  grid: {judge.prompt: [./a/b.txt, ./a-b.txt, ./a:b.txt]}\n").Runs.Select(run => run.Id!).ToList();
        Assert.Equal(3, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Matches("^[A-Za-z0-9._=,+-]+$", id));
    }

    [Fact]
    public void A_base_may_leave_to_the_sweep_what_it_lacks()
    {
        _folder.Write("base.yaml", "name: x\ndata:\n  generate: {}\n");
        Assert.Equal([32, 64], Read("extends: base.yaml\nsweep:\n  paired:\n    - model: {create: {hidden_size: 32}}\n    - model: {create: {hidden_size: 64}}\n", "").Runs.Select(run => run.Experiment.Model.Create!.HiddenSize));
    }

    [Theory]
    [InlineData("sweep: 3\n", "6:8: sweep: is '3'; expected a section with grid, paired, seeds")]
    [InlineData("sweep: {}\n", "6:8: sweep: is empty; expected grid, paired, seeds")]
    [InlineData("sweep:\n  seed: [1]\n", "7:3: sweep.seed: unknown key; expected grid, paired, seeds; did you mean 'sweep.seeds'?")]
    [InlineData("sweep:\n  seeds: 3\n", "7:10: sweep.seeds: is '3'; expected a list of seeds, such as [0, 1, 2]")]
    [InlineData("sweep:\n  seeds: []\n", "7:10: sweep.seeds: is an empty list; expected a list of seeds, such as [0, 1, 2]")]
    [InlineData("sweep:\n  seeds: [1, 2, 1]\n", "7:17: sweep.seeds: holds 1 twice")]
    [InlineData("sweep:\n  seeds: [1, x]\n", "7:14: seed: is 'x'; expected a whole number of at least 0")]
    [InlineData("sweep:\n  grid: {grpo.stesp: [1]}\n", "7:10: grpo.stesp: unknown key")]
    [InlineData("sweep:\n  grid: {grpo.steps: [1, -2]}\n", "7:26: grpo.steps: is -2; expected at least 0")]
    [InlineData("sweep:\n  grid: {grpo.steps: 1}\n", "7:22: sweep.grid.grpo.steps: is '1'; expected a list of its values")]
    [InlineData("sweep:\n  grid: {grpo.steps: [1, 1]}\n", "7:22: sweep.grid.grpo.steps: holds a value twice: steps=1")]
    [InlineData("sweep:\n  paired: [{grpo.steps: 1}, 4]\n", "7:29: sweep.paired: holds '4'; expected keys and values")]
    [InlineData("sweep:\n  paired: [{label: a, grpo.steps: 1}, {label: a, grpo.steps: 2}]\n", "7:39: sweep.paired: holds 'a' twice; expected every item once, or labels that differ")]
    [InlineData("sweep:\n  seeds: [1]\n  grid: {seed: [2]}\n", "7:11: sweep: sets seed in two of its parts; expected it in one")]
    [InlineData("sweep:\n  grid: {grpo.steps: [1]}\n  paired: [grpo: {steps: 4}]\n", "7:10: sweep: sets grpo.steps in two of its parts; expected it in one")]
    public void Mistakes_in_a_sweep_are_told_with_their_place(string yaml, string expected)
    {
        var file = _folder.Write("c.yaml", Least + yaml);
        Assert.Contains(Assert.Throws<ConfigException>(() => LoadedFile.Read(file, [])).Problems, problem => problem.ToString().StartsWith($"{file}:{expected}", StringComparison.Ordinal));
    }

    [Fact]
    public void A_mistake_outside_the_sweep_is_told_once_and_too_many_runs_are_refused()
    {
        var file = _folder.Write("c.yaml", Least + "grpo:\n  steps: x\nsweep:\n  seeds: [1, 2, 3]\n");
        Assert.Single(Assert.Throws<ConfigException>(() => LoadedFile.Read(file, [])).Problems);
        var list = $"[{string.Join(", ", Enumerable.Range(0, 101))}]";
        file = _folder.Write("c.yaml", Least + $"sweep:\n  seeds: {list}\n  grid: {{grpo.steps: {list}}}\n");
        Assert.Contains("makes 10201 runs; expected at most 1000", Assert.Single(Assert.Throws<ConfigException>(() => LoadedFile.Read(file, [])).Problems).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_one_run_is_meant_a_sweep_is_refused()
    {
        var file = _folder.Write("c.yaml", Least + "sweep:\n  seeds: [1, 2]\n");
        Assert.Contains("makes 2 runs", Assert.Throws<ConfigException>(() => LoadedExperiment.Read(file, [])).Message, StringComparison.Ordinal);
    }

    private LoadedFile Read(string yaml, string above = Least) => LoadedFile.Read(_folder.Write("c.yaml", above + yaml), []);
}
