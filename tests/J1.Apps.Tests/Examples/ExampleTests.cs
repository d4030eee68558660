using System.Diagnostics;
using System.Text.Json;
using J1.Engines.Managed;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;
using J1.Judging;
using J1.Tests;

namespace J1.Apps.Tests.Examples;

/// <summary>Every example is run as a reader runs it, in a process of its own.</summary>
public sealed class ExampleTests
{
    [Fact]
    public async Task A_trace_is_printed()
    {
        var (code, output, error) = await RunAsync("PrintATrace");
        Assert.Equal((0, ""), (code, error));
        Assert.StartsWith("Paris is the capital of France.\njudge_answer ", output, StringComparison.Ordinal);
        Assert.Contains("\n  evaluate length ", output, StringComparison.Ordinal);
        Assert.Contains("\n    * gen_ai.evaluation.result gen_ai.evaluation.name=length gen_ai.evaluation.score.label=fail gen_ai.evaluation.score.value=5 ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_best_of_three_is_chosen_by_a_local_model()
    {
        var folder = Directory.CreateTempSubdirectory("j1-judge-").FullName;
        try
        {
            var prompt = JudgePrompt.BuiltIn("compact");
            var tokenizer = BpeTrainer.Train(["How many coins are left when I have 1, get 2, lose 3?", "How many of these are animals: cat, cup, hen?", "It is 3. I say 4. That makes 5.", prompt.Text], 300, ["<think>", "</think>", "<answer>", "</answer>"]);
            using (var engine = ManagedEngine.Create(new ModelConfig
            {
                Architecture = Architecture.Llama,
                VocabularySize = tokenizer.VocabularySize,
                HiddenSize = 32,
                IntermediateSize = 48,
                LayerCount = 1,
                HeadCount = 2,
                KeyValueHeadCount = 2,
                HeadSize = 16,
                ContextLength = 512,
                TieEmbeddings = true,
                EndTokens = tokenizer.EndTokens,
            }, tokenizer, 5))
                engine.Export(folder);
            if (!TokenizerReader.HasTokenizer(folder)) TokenizerWriter.Save(tokenizer, folder);
            await File.WriteAllTextAsync(Path.Combine(folder, "j1_judge.json"), JsonSerializer.Serialize(new { mode = "verdict", thinking = false, prompt = prompt.Text, max_completion_tokens = 8 }));
            var (code, output, error) = await RunAsync("BestOfThree", [folder, "3"]);
            Assert.Equal((0, ""), (code, error));
            Assert.Contains("of 3; Chosen from 3 answers by ", output, StringComparison.Ordinal);
            Assert.Matches(@"Right with the first answer: [0-3] of 3\. Right with the best of three: [0-3] of 3\.\n$", output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        Assert.Equal(2, (await RunAsync("BestOfThree", ["nowhere"])).Code);
    }

    [QuickstartJudgeFact]
    public async Task The_trained_judge_that_comes_with_the_repository_makes_the_best_of_three_better()
    {
        var (code, output, _) = await RunAsync("BestOfThree", [QuickstartJudgeFactAttribute.Folder, "20"]);
        Assert.Equal(0, code);
        var numbers = System.Text.RegularExpressions.Regex.Matches(output.Split('\n')[^2], "[0-9]+").Select(match => int.Parse(match.Value, System.Globalization.CultureInfo.InvariantCulture)).ToArray();
        Assert.True(numbers[2] > numbers[0], output.Split('\n')[^2]);
    }

    internal static async Task<(int Code, string Output, string Error)> RunAsync(string example, string[]? arguments = null, string input = "")
    {
        var program = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", example, Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), example + ".dll"));
        var start = new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet", [program, .. arguments ?? []])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Shared.RepositoryRoot,
            StandardOutputEncoding = System.Text.Encoding.UTF8,
        };
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        return (process.ExitCode, (await output).ReplaceLineEndings("\n"), await error);
    }
}

/// <summary>Skipped, with a message, where the trained judge is not in the repository.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class QuickstartJudgeFactAttribute : FactAttribute
{
    public QuickstartJudgeFactAttribute()
    {
        if (!File.Exists(Path.Combine(Folder, "j1_judge.json"))) Skip = "needs the trained judge in experiments/quickstart/judge";
    }

    public static string Folder => Path.Combine(Shared.RepositoryRoot, "experiments", "quickstart", "judge");
}
