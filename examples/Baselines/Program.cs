// What a judge adds: beside it, the classical classifier (bags of words and logistic regression) and, where it is built, ML.NET's own transformer trainer on TorchSharp.
//   dotnet run -c Release --project examples/Baselines -- [judge.zip] [--torchsharp]
using J1.MLNet;
using Microsoft.ML;

var ml = new MLContext(seed: 1);
using var judge = Echo.Judge(ml, args.FirstOrDefault(argument => !argument.StartsWith('-')) ?? "judge.zip");
var train = ml.Data.LoadFromEnumerable(Echo.Pairs(500, seed: 2));
var test = ml.Data.LoadFromEnumerable(Echo.Pairs(200, seed: 3));

// Bags of words and letters, which a linear model weighs: it can learn which words are good, but not which word was asked for.
var classical = ml.Transforms.Text.FeaturizeText("Q", "Instruction")
    .Append(ml.Transforms.Text.FeaturizeText("A", "ResponseA"))
    .Append(ml.Transforms.Text.FeaturizeText("B", "ResponseB"))
    .Append(ml.Transforms.Concatenate("Features", "Q", "A", "B"))
    .Append(ml.BinaryClassification.Trainers.LbfgsLogisticRegression());
Report("bags of words, logistic regression", ml.BinaryClassification.Evaluate(classical.Fit(train).Transform(test)).Accuracy);
Report("the judge, both orders together", ml.J1().Evaluate(judge.Transform(test)).Accuracy.Value);

#if TORCHSHARP
if (args.Contains("--torchsharp")) Report("TorchSharp's text classification", TorchSharpBaseline.Accuracy(ml, train, test));
else Console.WriteLine("TorchSharp's text classification: add --torchsharp; it downloads a pre-trained model first.");
#else
Console.WriteLine("TorchSharp's text classification is left out: this build is without Microsoft.ML.TorchSharp.");
#endif

static void Report(string name, double accuracy) => Console.WriteLine(FormattableString.Invariant($"{name,-36} {accuracy:0.00}"));
