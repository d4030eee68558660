using J1.Judging;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Tests;

/// <summary>The README's snippet is the code below, word for word, and it runs.</summary>
public sealed class ReadmeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("j1-readme-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_snippet_in_the_README_runs()
    {
        var (model, path) = (Path.Combine(_folder, "model"), Path.Combine(_folder, "judge.zip"));
        using (var engine = TinyJudges.Create()) engine.Export(model);
        Snippet(model, TinyJudges.Format, new MLContext().Data.LoadFromEnumerable(TinyJudges.Items(8)), steps: 2, path);
        Assert.Equal(8, new MLContext().Model.Load(path, out _).Transform(new MLContext().Data.LoadFromEnumerable(TinyJudges.Items(8))).GetColumn<string>("Verdict").Count());

        string[] source = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "ReadmeTests.cs"));
        var (from, to) = (Array.FindIndex(source, line => line.Trim() == "// README"), Array.FindLastIndex(source, line => line.Trim() == "// end"));
        var snippet = string.Join('\n', source[(from + 1)..to].Select(line => line.Length > 8 ? line[8..] : ""));
        Assert.True(snippet.Length > 200);
        Assert.Contains(snippet, File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.md")).ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    private static void Snippet(string model, JudgeFormat format, IDataView data, int steps, string path)
    {
        // README
        var ml = new MLContext(seed: 1);
        var trainer = ml.J1().Trainers.Grpo(new GrpoTrainerOptions { ModelPath = model, Format = format, Grpo = new() { Steps = steps } });
        using var judge = trainer.Fit(data);              // Instruction, ResponseA, ResponseB, Label
        var scored = judge.Transform(data);               // + Verdict, Score, Probability, Flipped, …
        Console.WriteLine(ml.J1().Evaluate(scored));      // accuracy in both orders with its interval, flips, ties, invalid
        ml.Model.Save(judge, data.Schema, path);          // one zip, which ml.Model.Load reads in any process
        // end
    }
}
