using System.Diagnostics;
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
    public async Task The_trained_judge_that_comes_with_the_repository_makes_the_best_of_three_better()
    {
        var (code, output, error) = await RunAsync("BestOfThree");
        Assert.Equal((0, ""), (code, error));
        var numbers = System.Text.RegularExpressions.Regex.Matches(output.Split('\n')[^2], "[0-9]+").Select(match => int.Parse(match.Value, System.Globalization.CultureInfo.InvariantCulture)).ToArray();
        Assert.True(numbers[2] > numbers[0], output.Split('\n')[^2]);
        Assert.Equal(2, (await RunAsync("BestOfThree", ["nowhere"])).Code);
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
