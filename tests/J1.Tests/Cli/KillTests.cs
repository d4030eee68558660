using System.Diagnostics;
using J1.Cli;
using J1.Engines;

namespace J1.Tests.Cli;

/// <summary>Runs in processes of their own that are killed as <c>kill -9</c> does, at moments that no one chose.</summary>
public sealed class KillTests : IDisposable
{
    private const int Kills = 50;

    private const string Toy = """
        name: toy
        seed: 3
        model:
          create: {hidden_size: 8, intermediate_size: 8, layers: 1, heads: 2, kv_heads: 1, context_length: 128, vocabulary_size: 300}
        data:
          generate: {kinds: [count], train_pairs: 24, test_pairs: 3}
        judge: {prompt: compact, max_completion_tokens: 32}
        warm_start: {steps: 6, pairs_per_step: 2, learning_rate: 0.01}
        grpo: {steps: 6, pairs_per_step: 2, group_size: 2, learning_rate: 0.01, kl_coefficient: 0.05}
        evaluate: {every: 3}
        calibrate: {pairs: 4}
        checkpoint: {every_steps: 1}
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Killed_at_50_moments_and_started_again_a_run_comes_to_the_same_weights_and_metrics()
    {
        var config = _folder.Write("toy.yaml", Toy);
        Assert.Equal(ExitCode.Done, CommandLine.Run("run", config, "--output", _folder.At("undisturbed"), "--quiet").ExitCode);

        // A first run tells how long things take here: up to its first word, and from there to its end.
        var begun = Stopwatch.GetTimestamp();
        using (var measured = Start(config, "measured", out var firstWord))
        {
            firstWord.Wait();
            var starting = Stopwatch.GetElapsedTime(begun);
            measured.WaitForExit();
            Assert.Equal(ExitCode.Done, measured.ExitCode);
            var working = Stopwatch.GetElapsedTime(begun) - starting;
            KillAndCompare(config, starting, working);
        }
    }

    private void KillAndCompare(string config, TimeSpan starting, TimeSpan working)
    {
        // Two runs at a time, each killed and started again until all kills are spent; one that comes to its end is compared, and the next begins.
        // Of five kills one falls before the first word, where the folder is made and read; the others anywhere in the work.
        var (kills, finished) = (0, 0);
        Parallel.For(0, 2, worker =>
        {
            var random = new SplitMix(0x1411 + (ulong)worker);
            for (var run = 0; Volatile.Read(ref kills) < Kills; run++)
            {
                var name = $"run-{worker}-{run}";
                while (true)
                {
                    using var process = Start(config, name, out var firstWord);
                    var (isEarly, moment) = (random.NextInt(5) == 0, random.NextDouble());
                    if (!isEarly) firstWord.Wait();
                    if (Volatile.Read(ref kills) >= Kills || process.WaitForExit(isEarly ? starting * moment : working * (0.8 * moment)))
                    {
                        process.WaitForExit();
                        Assert.Equal(ExitCode.Done, process.ExitCode);
                        break;
                    }
                    process.Kill();
                    process.WaitForExit();
                    Interlocked.Increment(ref kills);
                }
                foreach (var file in (string[])["metrics.jsonl", "samples.jsonl", "test_pairs.jsonl", "judgements/after.jsonl", "model/model.safetensors", "model/j1_judge.json"])
                    Assert.True(File.ReadAllBytes(_folder.At($"undisturbed/{file}")).AsSpan().SequenceEqual(File.ReadAllBytes(_folder.At($"{name}/{file}"))), $"{file} of {name} differs.");
                EventFileTests.Read(File.ReadAllBytes(_folder.At($"{name}/events.out.tfevents.j1")));
                Interlocked.Increment(ref finished);
            }
        });
        Assert.InRange(kills, Kills, Kills + 1);
        Assert.True(finished >= 2);
    }

    /// <summary>Starts a run; <paramref name="firstWord"/> is set when it says something, or ends.</summary>
    private Process Start(string config, string name, out ManualResetEventSlim firstWord)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { "exec", Path.Combine(AppContext.BaseDirectory, "J1.Cli.dll"), "run", config, "--output", _folder.At(name), "--json" },
            // A process that lives for a second gains nothing by being watched for what to compile better.
            Environment = { ["DOTNET_TieredPGO"] = "0" },
        };
        var said = new ManualResetEventSlim();
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => said.Set();
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        firstWord = said;
        return process;
    }
}
