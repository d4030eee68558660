// Loads a saved judge and scores a file of pairs: CSV with a header, or JSON lines as J1 writes them.
//   dotnet run -c Release --project examples/ScoreFile -- [judge.zip] [pairs.csv | pairs.jsonl]
using J1.Data;
using Microsoft.ML;
using Microsoft.ML.Data;

var ml = new MLContext();
using var judge = Echo.Judge(ml, args.ElementAtOrDefault(0) ?? "judge.zip");

var file = args.ElementAtOrDefault(1) ?? Path.Combine(AppContext.BaseDirectory, "pairs.csv");
var pairs = file.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)
    ? ml.Data.LoadFromEnumerable(PreferencePairs.Read(file).Select(pair => new Row { Instruction = pair.Instruction, ResponseA = pair.ResponseA, ResponseB = pair.ResponseB }))
    : ml.Data.LoadFromTextFile<Row>(file, separatorChar: ',', hasHeader: true, allowQuoting: true);

// Nothing is held but a batch of rows, however long the file is.
foreach (var row in ml.Data.CreateEnumerable<Scored>(judge.Transform(pairs), reuseRowObject: true))
    Console.WriteLine(FormattableString.Invariant($"{row.Verdict}  {row.Probability:0.00}{(row.Flipped ? " flipped" : "")}  {row.Instruction} | {row.ResponseA} | {row.ResponseB}"));

internal class Row
{
    [LoadColumn(0)]
    public string Instruction { get; set; } = "";

    [LoadColumn(1)]
    public string ResponseA { get; set; } = "";

    [LoadColumn(2)]
    public string ResponseB { get; set; } = "";
}

internal sealed class Scored : Row
{
    public string Verdict { get; set; } = "";
    public float Probability { get; set; }
    public bool Flipped { get; set; }
}
