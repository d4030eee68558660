using System.Diagnostics;
using Microsoft.ML;

namespace J1.MLNet.Tests;

/// <summary>Every example runs, and shows what it is there to show. The judge of the first is what the others load.</summary>
public sealed class ExampleTests(ExampleTests.SavedJudge saved) : IClassFixture<ExampleTests.SavedJudge>
{
    private static bool IsStandIn => typeof(MLContext).Assembly == typeof(IDataView).Assembly;

    [Fact]
    public void TrainAndSave_trains_a_judge_that_is_right_on_unseen_rows_and_saves_it()
    {
        Assert.Contains("GRPO        40/40: reward ", saved.Output, StringComparison.Ordinal);
        Assert.Matches(@"On unseen rows, \d+ rows: consistent accuracy (0\.[89]|1\.)", saved.Output);
        Assert.Contains($"Saved {saved.Path}, ", saved.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pairs.csv", new[] { "A", "B", "A", "B" })]
    [InlineData("pairs.jsonl", new[] { "A", "B" })]
    public void ScoreFile_scores_CSV_and_JSON_lines(string file, string[] verdicts)
    {
        var lines = SavingTests.Run("ScoreFile", saved.Path, SavingTests.Beside("ScoreFile", file)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(verdicts, lines.Select(line => line[..1]));
        Assert.EndsWith("say the word owl | it is owl | it is cat", lines[0], StringComparison.Ordinal);
    }

    [Fact]
    public void TextPipeline_judges_what_text_stages_made()
    {
        if (IsLeftOut("TextPipeline")) return;
        var output = SavingTests.Run("TextPipeline", saved.Path);
        Assert.Matches("(?m)^A .*Say the word OWL! -> say the word owl$", output);
        Assert.Matches("(?m)^B .*SAY THE WORD HEN -> say the word hen$", output);
        Assert.Contains("One model of 7 stages, saved in ", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Baselines_puts_the_judge_beside_the_classical_classifier()
    {
        if (IsLeftOut("Baselines")) return;
        var lines = SavingTests.Run("Baselines", saved.Path).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        double[] accuracy = [.. lines.Take(2).Select(line => double.Parse(line[^4..], System.Globalization.CultureInfo.InvariantCulture))];
        Assert.InRange(accuracy[0], 0.3, 0.7);
        Assert.InRange(accuracy[1], 0.8, 1);
        Assert.StartsWith("TorchSharp's text classification", lines[2], StringComparison.Ordinal);
    }

    /// <summary>Without text transforms an example compiles to one line that says so.</summary>
    private static bool IsLeftOut(string example)
    {
        if (!IsStandIn) return false;
        using var process = Process.Start(new ProcessStartInfo("dotnet", [SavingTests.Beside(example, $"{example}.dll")]) { RedirectStandardError = true })!;
        Assert.Equal($"{example} is left out: this build is without Microsoft.ML.", process.StandardError.ReadToEnd().Trim());
        process.WaitForExit();
        Assert.Equal(3, process.ExitCode);
        return true;
    }

    public sealed class SavedJudge : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("j1-examples-").FullName;

        public SavedJudge() => Output = SavingTests.Run("TrainAndSave", Path);

        public string Path => System.IO.Path.Combine(_folder, "judge.zip");

        public string Output { get; }

        public void Dispose() => Directory.Delete(_folder, recursive: true);
    }
}
