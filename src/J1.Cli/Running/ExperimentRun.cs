using System.Globalization;
using J1.Cli.Configuration;
using J1.Cli.Reporting;
using J1.Data;
using J1.Engines;
using J1.Engines.Managed;
using J1.Evaluation;
using J1.Grpo;
using J1.Judging;

namespace J1.Cli.Running;

/// <summary>
/// An experiment from its first measurement to its report, stage by stage. What is done is in the folder's state, with a hash of what it was done with: a stage that is done and
/// whose hash is unchanged is skipped, and a run that was killed goes on from its last checkpoint and comes to the same weights, metrics and samples as one that was not.
/// </summary>
internal sealed class ExperimentRun : IDisposable
{
    private const int ShownSamples = 4;

    private readonly LoadedExperiment _loaded;
    private readonly Experiment _experiment;
    private readonly RunFolder _folder;
    private readonly RunDisplay _display;
    private readonly TimeProvider _time;
    private readonly ManagedEngine _engine;
    private readonly IReadOnlyList<JudgeTask> _tasks;
    private readonly MixedJudgeTask _training;
    private readonly UsablePairs _pairs;

    /// <summary>Whether the engine's weights are those that the state tells of.</summary>
    private bool _engineIsAtState;

    /// <summary>Reads data and model; nothing is trained yet.</summary>
    /// <param name="loaded">What runs.</param>
    /// <param name="folder">Where.</param>
    /// <param name="written">Files of pairs that the first stage made.</param>
    /// <param name="display">Told what happens.</param>
    /// <param name="time">For durations and events.</param>
    /// <exception cref="InsufficientMemoryException">It cannot fit; the message holds the numbers.</exception>
    public ExperimentRun(LoadedExperiment loaded, RunFolder folder, IReadOnlyList<string> written, RunDisplay display, TimeProvider time)
    {
        (_loaded, _experiment, _folder, _display, _time) = (loaded, loaded.Experiment, folder, display, time);
        var data = RunData.Load(_experiment.Data, _experiment.Seed, written);
        var model = new RunModel(_experiment, data.Train);
        _tasks = model.Tasks;
        _pairs = data.For(_tasks, _experiment.Evaluate.Pairs, _experiment.Calibrate.Pairs, _experiment.Data.SplitSeed);
        _training = new MixedJudgeTask(_tasks, _pairs.Train);
        CheckTargets();
        var memory = model.Memory(_pairs);
        memory.Check();
        _engine = model.Open();
        Introduce(data, memory);
    }

    /// <summary>How the judge is measured.</summary>
    private JudgeTask Task => _tasks[0];

    private RunState State
    {
        get => _folder.State;
        set => _folder.State = value;
    }

    /// <summary>Goes from where the run is to its end.</summary>
    /// <returns>An exit code: done, failed or interrupted.</returns>
    public int Run(CancellationToken cancellationToken)
    {
        try
        {
            Prepare();
            using var reference = Train(cancellationToken);
            Evaluate(cancellationToken);
            Calibrate(cancellationToken);
            Report(cancellationToken);
            return ExitCode.Done;
        }
        catch (OperationCanceledException)
        {
            // Weights are as after the last whole step, which is what the state says.
            if (_engineIsAtState) _folder.Save(_engine, "interrupted");
            _display.Fail($"Interrupted at {Position()}; saved in {_folder.Checkpoint ?? _folder.Path}. The same command goes on from there.");
            return ExitCode.Interrupted;
        }
        catch (Exception error)
        {
            var last = _folder.Checkpoint is { } checkpoint ? $"The last checkpoint is {checkpoint}; the same command goes on from there." : "There was no checkpoint yet.";
            _display.Fail($"Failed at {Position()}: {error.Message}\n{last}");
            return ExitCode.Failed;
        }
    }

    public void Dispose() => _engine.Dispose();

    private void Prepare()
    {
        if (!File.Exists(_folder.At(RunFolder.Environment))) Files.WriteAtomically(_folder.At(RunFolder.Environment), Environments.Describe(_loaded, _time.GetUtcNow()));
        if (!File.Exists(_folder.At(RunFolder.TestPairs))) PreferencePairs.Write(_folder.At(RunFolder.TestPairs), _pairs.Test);
        State = State with { MeasureInputs = _loaded.Stages.Measure, EvaluateInputs = _loaded.Stages.Evaluate, CalibrateInputs = _loaded.Stages.Calibrate };
    }

    /// <summary>
    /// Everything up to the last step of GRPO. The engine goes through the places that the run has come to, and what is missing at one of them is made there: it begins new,
    /// has taken the warm start, and has taken the steps of GRPO.
    /// </summary>
    /// <returns>The reference of the KL term, where there is one; to be disposed of.</returns>
    private IEngine? Train(CancellationToken cancellationToken)
    {
        var (warm, grpo) = (_experiment.WarmStartOfRun, _experiment.GrpoOfRun with { MaxCompletionTokens = _training.MaxCompletionTokens });
        if (_folder.Checkpoint is { } last) _display.Say($"Goes on from {Position()} ({last}).");

        _engineIsAtState = State is { WarmStartSteps: 0, GrpoSteps: 0 };
        if (warm is not null)
        {
            if (State.Untrained is null)
            {
                State = State with { Untrained = Measure("untrained", Task, 0, cancellationToken) };
                SaveHere("start");
            }
            if (State.WarmStarted && Directory.Exists(_folder.AfterWarmStart)) _engine.Load(_folder.AfterWarmStart);
            else if (State.WarmStartSteps > 0) _engine.Load(_folder.Checkpoint!);
            _engineIsAtState = State.GrpoSteps == 0;
            if (!State.WarmStarted) WarmStart(warm, cancellationToken);
            if (grpo.Steps > 0) _folder.KeepWarmStart(_engine);
        }
        if (State.Before is null)
        {
            State = State with { Before = Measure("before", Task, State.WarmStartSteps, cancellationToken) };
            SaveHere("before");
        }

        var reference = grpo is { Steps: > 0, KlCoefficient: > 0 } ? _engine.Freeze() : null;
        try
        {
            if (State.GrpoSteps > 0) _engine.Load(_folder.Checkpoint!);
            else _engine.RestartOptimizer(); // the moments of the supervised gradients, which are larger, would hold GRPO's steps down
            _engineIsAtState = true;
            if (State.GrpoSteps < grpo.Steps) Reinforce(grpo, reference, cancellationToken);
            return reference;
        }
        catch
        {
            reference?.Dispose();
            throw;
        }
    }

    /// <summary>A measurement that is made again, because its settings changed, is made of older weights than the state's: there is nothing to save yet.</summary>
    private void SaveHere(string name)
    {
        if (_engineIsAtState) _folder.Save(_engine, name);
    }

    private void WarmStart(WarmStartOptions options, CancellationToken cancellationToken)
    {
        var trainer = new WarmStart(_engine, _training, options);
        _display.Begin("warm start", State.WarmStartSteps, options.Steps);
        var begun = _time.GetTimestamp();
        trainer.Run(_training.Pairs, State.WarmStartSteps, step =>
        {
            var seconds = Lap(ref begun);
            var done = step.Step + 1;
            State = State with { WarmStartSteps = done, WarmStartInputs = _loaded.Stages.WarmStart, FirstLoss = State.FirstLoss ?? step.Loss, LastLoss = step.Loss, WarmStartSeconds = State.WarmStartSeconds + seconds };
            _folder.Log(RunFolder.Metrics, new { stage = "warm_start", step = done, step.Loss, step.GradientNorm, step.LearningRate, step.TargetTokens });
            _folder.Log(RunFolder.Timings, new { stage = "warm_start", step = done, seconds, tokens_per_second = step.TargetTokens / seconds });
            _folder.Log("warm_start", done, ("loss", step.Loss), ("gradient_norm", step.GradientNorm), ("learning_rate", step.LearningRate));
            _display.Step(done, string.Create(CultureInfo.InvariantCulture, $"loss {step.Loss:0.000}  {step.TargetTokens / seconds:N0} tokens/s"), new { step.Loss });
            if (done % _experiment.Checkpoint.EverySteps == 0) _folder.Save(_engine, $"warm-start-{done}");
            cancellationToken.ThrowIfCancellationRequested();
        }, cancellationToken);
        if (State.WarmStartSteps < options.Steps) _display.Say(string.Create(CultureInfo.InvariantCulture, $"The warm start ends after {State.WarmStartSteps} steps: {options.UntilConsistent:0.00} of the pairs to come are right in both orders, given their thoughts."));
        State = State with { WarmStarted = true };
        _folder.Save(_engine, "warm-started");
    }

    private void Reinforce(GrpoOptions options, IEngine? reference, CancellationToken cancellationToken)
    {
        var trainer = new GrpoTrainer(_engine, reference, _training, options, _experiment.Reward);
        // Between two updates on the same rollouts the weights belong to no whole step: such a step is not interrupted.
        var withinStep = options.UpdatesPerBatch == 1 ? cancellationToken : CancellationToken.None;
        MeasureOnTheWay(options, cancellationToken);
        _display.Begin("grpo", State.GrpoSteps, options.Steps);
        var begun = _time.GetTimestamp();
        trainer.Run(_training.Pairs, State.GrpoSteps, step =>
        {
            var seconds = Lap(ref begun);
            var done = step.Step + 1;
            State = State with { GrpoSteps = done, GrpoInputs = _loaded.Stages.Grpo, GrpoSeconds = State.GrpoSeconds + seconds, GeneratedTokens = State.GeneratedTokens + step.SampledTokens };
            Log(step, done, seconds, options);
            _display.Step(done, string.Create(CultureInfo.InvariantCulture,
                $"reward {step.Reward:0.00}  consistent {step.ConsistentAccuracy:0.00}  flips {step.Flips:0.00}  invalid {step.Invalid:0.00}  kl {step.Kl:0.000}  entropy {step.Entropy:0.000}  {step.SampledTokens / seconds:N0} tokens/s"),
                new { step.Reward, step.ConsistentAccuracy, step.Flips, step.Invalid, step.Kl, step.Entropy });
            MeasureOnTheWay(options, cancellationToken);
            if (done % _experiment.Checkpoint.EverySteps == 0 || done == options.Steps) _folder.Save(_engine, $"grpo-{done}");
            cancellationToken.ThrowIfCancellationRequested();
            begun = _time.GetTimestamp();
        }, withinStep);
    }

    private void Log(GrpoStep step, int done, double seconds, GrpoOptions options)
    {
        _folder.Log(RunFolder.Metrics, new
        {
            stage = "grpo",
            step = done,
            step.Reward,
            step.ConsistentAccuracy,
            step.Flips,
            step.Ties,
            step.Invalid,
            step.Truncated,
            step.Loss,
            step.Kl,
            step.Entropy,
            step.ClippedLow,
            step.ClippedHigh,
            step.GradientNorm,
            step.LearningRate,
            completion_tokens = step.MeanCompletionTokens,
        });
        _folder.Log(RunFolder.Timings, new { stage = "grpo", step = done, seconds, tokens_per_second = step.SampledTokens / seconds });
        _folder.Log("grpo", done,
            ("reward", step.Reward), ("consistent_accuracy", step.ConsistentAccuracy), ("flips", step.Flips), ("ties", step.Ties), ("invalid", step.Invalid), ("truncated", step.Truncated), ("loss", step.Loss),
            ("kl", step.Kl), ("entropy", step.Entropy), ("gradient_norm", step.GradientNorm), ("learning_rate", step.LearningRate), ("completion_tokens", step.MeanCompletionTokens));
        var pair = _training.Pairs[PairSchedule.At(step.Step, options.PairsPerStep, _training.Pairs.Count, options.Seed)[0]];
        for (var order = 0; order < 2; order++)
            _folder.Log(RunFolder.Samples, new { stage = "grpo", step = done, pair.Id, order = order + 1, grade = step.Grades[0][order][0], text = _training.For(pair).Read(step.Samples[order][0]).Text });
    }

    private void MeasureOnTheWay(GrpoOptions options, CancellationToken cancellationToken)
    {
        var (done, every) = (State.GrpoSteps, _experiment.Evaluate.Every);
        if (every == 0 || done == 0 || done == options.Steps || done % every != 0 || State.MeasuredAt == done) return;
        var measured = Measure("grpo", Task, done, cancellationToken);
        State = State with { MeasuredAt = done };
        _display.Say(string.Create(CultureInfo.InvariantCulture, $"step {done} on unseen pairs: consistent accuracy {measured.ConsistentAccuracy:0.00}, flips {measured.Flips:0.00}, invalid {measured.Invalid:0.00}"));
        _display.Begin("grpo", done, options.Steps);
    }

    private void Evaluate(CancellationToken cancellationToken)
    {
        if (State.After is null)
        {
            var isBefore = _experiment.Grpo.Steps == 0;
            if (isBefore) _folder.WriteJudgements("after", RunFolder.ReadJudgements(_folder.Path, "before")!);
            State = State with { After = isBefore ? State.Before : Measure("after", Task, State.GrpoSteps, cancellationToken) };
            _folder.Save(_engine, "after");
        }
        if (_tasks.Count > 1 && State.AfterPointwise is null)
        {
            State = State with { AfterPointwise = Measure("after-pointwise", _tasks[1], State.GrpoSteps, cancellationToken) };
            _folder.Save(_engine, "after-pointwise");
        }
    }

    /// <summary>Fits the scale to held-out training pairs, and tells what it does to the probabilities of the test pairs.</summary>
    private void Calibrate(CancellationToken cancellationToken)
    {
        if (State.Calibrated is not null || _pairs.Calibration.Count == 0) return;
        _display.Begin("calibrate", 0, _pairs.Calibration.Count);
        var begun = _time.GetTimestamp();
        var judged = RunJudge.Judge(_engine, Task, _experiment, _pairs.Calibration, null, done => _display.Step(done, "held-out training pairs"), cancellationToken);
        var result = new CalibrationResult(null, judged.Count(judgement => judgement.Margin is not null), null, null);
        if (result.Pairs > 0)
        {
            var calibration = Calibration.Fit(_pairs.Calibration, judged);
            var test = RunFolder.ReadJudgements(_folder.Path, "after")!.Select(judgement => judgement.Margin is { } margin ? judgement with { Probability = calibration.Probability(margin) } : judgement);
            var summary = EvaluationSummary.Of(_pairs.Test, [.. test]);
            result = result with { Scale = calibration.Scale, Brier = summary.Brier, CalibrationError = summary.CalibrationError };
        }
        State = State with { Calibrated = result, EvaluationSeconds = State.EvaluationSeconds + Lap(ref begun) };
        _folder.Log(RunFolder.Metrics, new { stage = "calibrate", step = State.GrpoSteps, result.Scale, result.Pairs, result.Brier, result.CalibrationError });
        _folder.Save(_engine, "calibrated");
    }

    private void Report(CancellationToken cancellationToken)
    {
        var model = _folder.At("model");
        _engine.Export(model);
        new JudgeFile
        {
            Mode = Task.Format.Mode,
            Thinking = Task.Format.Thinking,
            Prompt = Task.Format.Prompt.Text,
            MaxCompletionTokens = Task.MaxCompletionTokens,
            CalibrationScale = State.Calibrated?.Scale,
            BaseModel = _experiment.Model is { Lora: not null, Path: { } path } ? Path.GetFileName(path) : null,
        }.Write(model);

        _display.Show(RunReport.Table(_experiment, State));
        PreferencePair[] shown = [.. _pairs.Test.DistinctBy(pair => pair.Source).Concat(_pairs.Test).Distinct().Take(2)];
        var calibration = State.Calibrated?.Scale is { } scale ? new Calibration(scale) : null;
        foreach (var (pair, judgement) in shown.Zip(RunJudge.Judge(_engine, Task, _experiment, shown, calibration, null, cancellationToken))) _display.Say(RunReport.Judgement(pair, judgement) + "\n");
        var summary = RunReport.Summary(_loaded, State, _pairs, _engine.ParameterCount, _engine.TrainableCount);
        Files.WriteAtomically(_folder.At(RunFolder.Summary), summary);
        Files.WriteAtomically(_folder.At(RunFolder.Report), HtmlReport.Write([RunRecord.Read(_folder.Path)]));
        _display.Finish(RunReport.Lesson(_experiment, State, _pairs.Train.Count, _folder.Path), _folder.Path, summary);
    }

    /// <summary>Judges the test pairs in both orders, keeps the judgements and logs what came of it.</summary>
    private EvaluationSummary Measure(string when, JudgeTask task, int step, CancellationToken cancellationToken)
    {
        var begun = _time.GetTimestamp();
        _display.Begin("evaluate", 0, _pairs.Test.Count);
        var judgements = RunJudge.Judge(_engine, task, _experiment, _pairs.Test, null, done => _display.Step(done, when), cancellationToken);
        var summary = EvaluationSummary.Of(_pairs.Test, judgements);
        var seconds = Lap(ref begun);
        State = State with { EvaluationSeconds = State.EvaluationSeconds + seconds };
        // On the way only the numbers are kept.
        if (when != "grpo") _folder.WriteJudgements(when, judgements);
        _folder.Log(RunFolder.Metrics, new { stage = "evaluate", at = when, step, summary });
        _folder.Log(RunFolder.Timings, new { stage = "evaluate", at = when, step, seconds });
        _folder.Log(when == "after-pointwise" ? "evaluate_pointwise" : "evaluate", State.WarmStartSteps + (when is "untrained" or "before" ? 0 : State.GrpoSteps),
            ("consistent_accuracy", summary.ConsistentAccuracy), ("flips", summary.Flips), ("ties", summary.Ties), ("invalid", summary.Invalid), ("accuracy_both_orders", summary.AccuracyBothOrders));
        for (var i = 0; i < Math.Min(ShownSamples, judgements.Count); i++)
            for (var order = 0; order < 2; order++)
            {
                var said = order == 0 ? judgements[i].First[0] : judgements[i].Second[0];
                _folder.Log(RunFolder.Samples, new { stage = "evaluate", at = when, step, judgements[i].Id, order = order + 1, outcome = said.Outcome, said.LogOdds, text = said.Text });
            }
        return summary;
    }

    private void CheckTargets()
    {
        if (_experiment.WarmStartOfRun is null) return;
        var without = _training.Pairs.Count(pair => _training.Targets(pair) is null);
        if (without > 0)
            throw new DataException($"A warm start has nothing to imitate in {without} of {_training.Pairs.Count} training pairs: a score mode needs judge.target_scores, and a thinking judge pairs with a thought for both orders. Leave out warm_start, or set judge.thinking: false.");
    }

    private void Introduce(RunData data, MemoryEstimate memory)
    {
        var (e, c) = (_experiment, _engine.Config);
        var grpo = e.Grpo;
        _display.Say(string.Create(CultureInfo.InvariantCulture, $"""
            {e.Name}, seed {e.Seed}, in {_folder.Path}
            model       {(e.Model.Create is null ? Path.GetFileName(e.Model.Path) : "new")} ({c.Architecture.ToString().ToLowerInvariant()}): {c.LayerCount} layers, width {c.HiddenSize}, vocabulary {c.VocabularySize}, context {_engine.ContextLength}; {_engine.ParameterCount:N0} parameters, {_engine.TrainableCount:N0} trained
            data        {_pairs.Train.Count:N0} pairs to train on, {_pairs.Calibration.Count:N0} more to calibrate on, {_pairs.Test.Count:N0} unseen to test{LeftOut(data)}
            judge       {Names.Snake(e.Judge.Mode.ToString())}, {(e.Judge.Thinking ? "after a thought" : "instant")}, both orders{(e.Judge.Multitask ? ", and pointwise" : "")}; prompt {e.Judge.Prompt ?? "of the mode"}
            """));
        if (e.WarmStartOfRun is { } warm)
            _display.Say(string.Create(CultureInfo.InvariantCulture, $"warm start  {(warm.UntilConsistent is null ? "" : "at most ")}{warm.Steps} steps of {warm.PairsPerStep} pairs, learning rate {warm.LearningRate} {Names.Snake(warm.Schedule.ToString())}"));
        if (grpo.Steps > 0)
            _display.Say(string.Create(CultureInfo.InvariantCulture, $"grpo        {grpo.Steps} steps of {grpo.PairsPerStep} pairs × 2 orders × {grpo.GroupSize} samples, loss {Names.Snake(grpo.Loss.ToString())}, KL {grpo.KlCoefficient}, advantage by {Names.Snake(grpo.AdvantageScaling.ToString())}, learning rate {grpo.LearningRate} {Names.Snake(grpo.Schedule.ToString())}; reward: correctness {e.Reward.Correctness}, consistency {e.Reward.Consistency}"));
        _display.Say($"memory      about {memory}");
    }

    private string LeftOut(RunData data)
    {
        var tooLong = _pairs.TrainDropped + _pairs.TestDropped;
        return (tooLong > 0 ? $"; {tooLong} too long" : "") + (data.Unlabelled > 0 ? $"; {data.Unlabelled} without a label A or B" : "");
    }

    private string Position() => State switch
    {
        { After: not null } => "the report",
        { GrpoSteps: > 0 } => $"grpo step {State.GrpoSteps} of {_experiment.Grpo.Steps}",
        { WarmStartSteps: > 0 } => $"warm-start step {State.WarmStartSteps} of {_experiment.WarmStart!.Steps}",
        _ => "the start",
    };

    private double Lap(ref long begun)
    {
        var now = _time.GetTimestamp();
        var seconds = Math.Max(1e-9, _time.GetElapsedTime(begun, now).TotalSeconds);
        begun = now;
        return seconds;
    }
}
