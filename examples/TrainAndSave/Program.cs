// Trains a judge with Fit, measures it on rows it has not seen, and saves it as one zip.
//   dotnet run -c Release --project examples/TrainAndSave -- [judge.zip]
using J1.Grpo;
using J1.MLNet;
using Microsoft.ML;

var path = args.FirstOrDefault() ?? "judge.zip";
var ml = new MLContext(seed: 1);
var data = ml.Data.LoadFromEnumerable(Echo.Pairs(600, seed: 2));
var split = ml.Data.TrainTestSplit(data, testFraction: 0.2);

var trainer = ml.J1().Trainers.Grpo(new GrpoTrainerOptions
{
    CreateModel = Echo.NewModel, // or ModelPath: a Hugging Face folder, a .gguf file
    Format = Echo.Format,
    WarmStart = new() { Steps = 160, PairsPerStep = 16, LearningRate = 3e-3f, Schedule = LearningRateSchedule.Cosine },
    Grpo = new() { Steps = 40, PairsPerStep = 16, GroupSize = 4, LearningRate = 3e-4f },
    ValidationSet = split.TestSet,
    OnProgress = progress =>
    {
        if (progress.Step % 20 != 0) return;
        if (progress.WarmStart is { } warm) Console.WriteLine($"warm start {progress.Step,3}/{progress.Steps}: loss {warm.Loss:0.000}");
        if (progress.Grpo is { } grpo) Console.WriteLine($"GRPO       {progress.Step,3}/{progress.Steps}: reward {grpo.Reward:0.00}, right in both orders {grpo.ConsistentAccuracy:0.00}");
    },
});
using var model = trainer.Fit(split.TrainSet);
Console.WriteLine($"On unseen rows, {ml.J1().Evaluate(model.Transform(split.TestSet))}");

ml.Model.Save(model, data.Schema, path);
Console.WriteLine($"Saved {path}, {new FileInfo(path).Length:N0} bytes.");
