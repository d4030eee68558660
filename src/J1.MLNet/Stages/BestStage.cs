using J1.Data;
using J1.Judging;
using Microsoft.ML.Data;

namespace J1.MLNet.Stages;

internal sealed class BestStage(Judge judge, ChooseBestOptions options) : JudgeStage(judge, options,
    [new(options.InstructionColumnName), new(options.ResponsesColumnName, IsVector: true)],
    StageOutput.Given(
        StageOutput.Text<BestResult>(options.BestColumnName, result => result.Best),
        StageOutput.Integer<BestResult>(options.BestIndexColumnName, result => result.BestIndex),
        StageOutput.Singles<BestResult>(options.ScoresColumnName, result => result.Scores),
        StageOutput.Text<BestResult>(options.OutcomeColumnName, result => result.Outcome),
        options.ThoughtColumnName is null ? null : StageOutput.Text<BestResult>(options.ThoughtColumnName, result => result.Thought)))
{
    protected override IReadOnlyList<object> Compute(IReadOnlyList<string[]> rows)
    {
        var results = rows.Select(row => new BestResult { Scores = [.. row.Skip(1).Select(_ => float.NaN)] }).ToArray();
        if (Judge.Mode == JudgeMode.Pointwise) Score(rows, results);
        else Compare(rows, results);
        foreach (var (row, result) in rows.Zip(results)) Choose(row, result);
        return results;
    }

    private void Score(IReadOnlyList<string[]> rows, BestResult[] results)
    {
        (int Row, int At)[] all = [.. Enumerable.Range(0, rows.Count).SelectMany(row => Competing(rows[row]).Select(at => (row, at)))];
        foreach (var some in all.Chunk(BatchSize))
            foreach (var ((row, at), read) in some.Zip(Read([.. some.Select(one => (rows[one.Row][0], rows[one.Row][1 + one.At]))])))
            {
                results[row].Scores[at] = read.Score;
                if (results[row].Thought.Length == 0) results[row].Thought = read.Thought;
            }
    }

    private void Compare(IReadOnlyList<string[]> rows, BestResult[] results)
    {
        (int Row, int A, int B)[] all = [.. Enumerable.Range(0, rows.Count).SelectMany(row => from a in Competing(rows[row]) from b in Competing(rows[row]) where a < b select (row, a, b))];
        var (sums, counts) = (results.Select(result => new double[result.Scores.Length]).ToArray(), results.Select(result => new int[result.Scores.Length]).ToArray());
        foreach (var some in all.Chunk(BatchSize))
        {
            var said = Judge.Compare([.. some.Select((one, i) => new PreferencePair { Id = $"comparison {i}", Instruction = rows[one.Row][0], ResponseA = rows[one.Row][1 + one.A], ResponseB = rows[one.Row][1 + one.B] })]);
            foreach (var ((row, a, b), judgement) in some.Zip(said))
            {
                if (results[row].Thought.Length == 0) results[row].Thought = PairResult.Of(judgement).Thought;
                if (judgement.Comparison is not { } comparison) continue;
                sums[row][a] += comparison;
                sums[row][b] -= comparison;
                counts[row][a]++;
                counts[row][b]++;
            }
        }
        for (var row = 0; row < results.Length; row++)
            for (var at = 0; at < counts[row].Length; at++)
                if (counts[row][at] > 0) results[row].Scores[at] = (float)(sums[row][at] / counts[row][at]);
    }

    private static void Choose(string[] row, BestResult result)
    {
        int[] competing = [.. Competing(row)];
        if (competing is [var only] && float.IsNaN(result.Scores[only])) (result.BestIndex, result.Outcome) = (only, "Only");
        else if (competing.Where(at => !float.IsNaN(result.Scores[at])).OrderByDescending(at => result.Scores[at]).Cast<int?>().FirstOrDefault() is { } best) (result.BestIndex, result.Outcome) = (best, "Chosen");
        if (result.BestIndex >= 0) result.Best = row[1 + result.BestIndex];
    }

    private static IEnumerable<int> Competing(string[] row) => Enumerable.Range(0, row.Length - 1).Where(at => row[1 + at].Length > 0);
}

/// <summary>Which response is chosen; in saved models a mapping's output under names of its own.</summary>
public sealed class BestResult
{
    [ColumnName("__J1_Best")]
    public string Best { get; set; } = "";

    [ColumnName("__J1_BestIndex")]
    public int BestIndex { get; set; } = -1;

    [ColumnName("__J1_Scores")]
    public float[] Scores { get; set; } = [];

    [ColumnName("__J1_Outcome")]
    public string Outcome { get; set; } = "Invalid";

    [ColumnName("__J1_Thought")]
    public string Thought { get; set; } = "";
}
