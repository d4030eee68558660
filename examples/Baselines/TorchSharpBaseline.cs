#if TORCHSHARP
using Microsoft.ML;
using Microsoft.ML.TorchSharp;

/// <summary>ML.NET's own: a pre-trained RoBERTa that reads the question as one sentence and both answers as the other, fine-tuned to say which is better.</summary>
internal static class TorchSharpBaseline
{
    public static double Accuracy(MLContext ml, IDataView train, IDataView test)
    {
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.Transforms.CustomMapping<Pair, Joined>((pair, joined) => joined.Answers = $"A: {pair.ResponseA} B: {pair.ResponseB}", null))
            .Append(ml.MulticlassClassification.Trainers.TextClassification(sentence1ColumnName: "Instruction", sentence2ColumnName: nameof(Joined.Answers), maxEpochs: 3));
        return ml.MulticlassClassification.Evaluate(pipeline.Fit(train).Transform(test)).MicroAccuracy;
    }

    private sealed class Joined
    {
        public string Answers { get; set; } = "";
    }
}
#endif
