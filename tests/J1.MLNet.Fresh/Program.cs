using System.Globalization;
using Microsoft.ML;

// Loads a saved model and scores the pairs of a file with it, in a process that has never heard of J1: this program names no type of J1.MLNet.
var context = new MLContext();
var model = context.Model.Load(args[0], out _);
var rows = File.ReadAllLines(args[1]).Select(line => line.Split('\t')).Select(fields => new Row { Instruction = fields[0], ResponseA = fields[1], ResponseB = fields[2] });
var scored = model.Transform(context.Data.LoadFromEnumerable(rows));
Console.WriteLine(string.Join(' ', scored.Schema.Where(column => !column.IsHidden).Select(column => column.Name)));
foreach (var row in context.Data.CreateEnumerable<Scored>(scored, reuseRowObject: false))
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Verdict} {row.Score:R} {row.Probability:R} {row.Flipped}"));

using var engine = context.Model.CreatePredictionEngine<Row, Scored>(model);
Console.WriteLine(engine.Predict(rows.First()).Verdict);

internal sealed class Row
{
    public string Instruction { get; set; } = "";
    public string ResponseA { get; set; } = "";
    public string ResponseB { get; set; } = "";
}

internal sealed class Scored
{
    public string Verdict { get; set; } = "";
    public float Score { get; set; }
    public float Probability { get; set; }
    public bool Flipped { get; set; }
}
