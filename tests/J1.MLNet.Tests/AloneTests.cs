using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Tests;

/// <summary>Tests of what a process has one of; no other test runs beside them.</summary>
[CollectionDefinition("Alone", DisableParallelization = true)]
public sealed class Alone;

[Collection("Alone")]
public sealed class AloneTests : IDisposable
{
    private readonly MLContext _context = new(1);
    private readonly string _folder = Directory.CreateTempSubdirectory("j1-alone-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Ten_thousand_rows_stream_through_with_flat_memory()
    {
        const int Rows = 10_000;
        IEnumerable<PairItem> Long()
        {
            for (var i = 0; i < Rows; i++) yield return new PairItem { Instruction = $"Row {i}", ResponseA = new string((char)('a' + i % 20), 2000 + i % 7), ResponseB = new string('z', 2003) };
        }

        var judge = new ScriptedJudge();
        var rows = _context.Data.LoadFromEnumerable(Long());
        var view = _context.J1().Transforms.ScorePairs(Judge.From(judge), new ScorePairsOptions { ThoughtColumnName = "Why" }).Fit(rows).Transform(rows);
        var (at, half) = (0, 0L);
        foreach (var row in _context.Data.CreateEnumerable<ScoredPair>(view, reuseRowObject: true))
            if (++at == Rows / 2) half = GC.GetTotalMemory(forceFullCollection: true);
        var grown = GC.GetTotalMemory(forceFullCollection: true) - half;
        Assert.Equal(Rows, at);
        Assert.Equal((Rows + 31) / 32 * 2, judge.Calls);
        // The other half alone would be 40 MB of text.
        Assert.InRange(grown, long.MinValue, 4_000_000);
    }

    [Fact]
    public void Judges_that_ML_NET_loaded_are_one_a_file_and_freed_on_demand()
    {
        var rows = _context.Data.LoadFromEnumerable(TinyJudges.Items(4));
        var path = Path.Combine(_folder, "judge.zip");
        using (var trained = _context.J1().Trainers.WarmStart(TinyJudges.WarmStart(1)).Fit(rows)) _context.Model.Save(trained, rows.Schema, path);
        LoadedJudges.Clear();
        ITransformer[] loaded = [.. Enumerable.Range(0, 4).Select(_ => new MLContext().Model.Load(path, out var _))];
        Parallel.ForEach(loaded, model => Assert.Equal(4, model.Transform(rows).GetColumn<float>("Score").Count()));
        Assert.Equal(1, LoadedJudges.Count);
        LoadedJudges.Clear();
        Assert.Equal(0, LoadedJudges.Count);
        Assert.Equal(4, new MLContext().Model.Load(path, out _).Transform(rows).GetColumn<float>("Score").Count());
        Assert.Equal(1, LoadedJudges.Count);
        LoadedJudges.Clear();
    }

    [Fact]
    public void A_base_model_that_has_moved_is_found_in_the_folders_of_J1_MODEL_PATH()
    {
        using (var engine = TinyJudges.Create()) engine.Export(Path.Combine(_folder, "here", "base"));
        var rows = _context.Data.LoadFromEnumerable(TinyJudges.Items(4));
        var path = Path.Combine(_folder, "judge.zip");
        using (var judge = Judge.Open(Path.Combine(_folder, "here", "base"), new JudgeSettings { Format = TinyJudges.Format, MaxEmbeddedBytes = 0 }))
            _context.Model.Save(_context.J1().Transforms.ScorePairs(judge).Fit(rows), rows.Schema, path);
        Directory.Move(Path.Combine(_folder, "here"), Path.Combine(_folder, "there"));
        try
        {
            Environment.SetEnvironmentVariable("J1_MODEL_PATH", $"{Path.Combine(_folder, "nowhere")}{Path.PathSeparator}{Path.Combine(_folder, "there")}");
            using var found = _context.J1().LoadJudge(path);
            Assert.Equal(4, found.Transform(rows).GetColumn<float>("Score").Count());
        }
        finally
        {
            Environment.SetEnvironmentVariable("J1_MODEL_PATH", null);
        }
    }
}
