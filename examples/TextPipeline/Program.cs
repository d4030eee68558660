// A judge after ML.NET's own text stages: messy text is normalised, judged, and the verdict feeds the stages that follow; all of it is one model, saved as one zip.
//   dotnet run -c Release --project examples/TextPipeline -- [judge.zip]
using J1.MLNet;
using Microsoft.ML;
using Microsoft.ML.Transforms.Text;

var ml = new MLContext(seed: 1);
using var judge = Echo.Judge(ml, args.ElementAtOrDefault(0) ?? "judge.zip");

Pair[] messy =
[
    new() { Instruction = "Say the word OWL!", ResponseA = "It is OWL!!", ResponseB = "it is... cat?" },
    new() { Instruction = "SAY THE WORD HEN", ResponseA = "It is fox.", ResponseB = "It is: Hen" },
    new() { Instruction = "say, the word dog", ResponseA = "It is \"dog\".", ResponseB = "It is Bee" },
];
var data = ml.Data.LoadFromEnumerable(messy);

var pipeline = Normalise("Instruction").Append(Normalise("ResponseA")).Append(Normalise("ResponseB"))
    .Append(ml.J1().Transforms.ScorePairs(judge.Judge))
    .Append(ml.Transforms.Conversion.MapValueToKey("Winner", "Verdict"))
    .Append(ml.Transforms.Concatenate("Features", "Score", "Probability"))
    .Append(ml.Transforms.NormalizeMinMax("Features"));
var model = pipeline.Fit(data);

// One pair at a time goes through the same stages.
using var engine = ml.Model.CreatePredictionEngine<Pair, Judged>(model, new PredictionEngineOptions { OwnsTransformer = false });
foreach (var pair in messy)
{
    var judged = engine.Predict(pair);
    Console.WriteLine(FormattableString.Invariant($"{judged.Verdict} {judged.Probability:0.00}  {pair.Instruction} -> {judged.Instruction}"));
}

using var file = new MemoryStream();
ml.Model.Save(model, data.Schema, file);
Console.WriteLine($"One model of {model.Count()} stages, saved in {file.Length:N0} bytes.");

TextNormalizingEstimator Normalise(string column) => ml.Transforms.Text.NormalizeText(column, keepPunctuations: false);

internal sealed class Judged
{
    public string Instruction { get; set; } = "";
    public string Verdict { get; set; } = "";
    public float Probability { get; set; }
}
