using System.Globalization;
using J1.Cli.Configuration;
using J1.Data;
using J1.Engines;
using J1.Engines.Managed;
using J1.Evaluation;
using J1.Grpo;
using J1.Judging;

namespace J1.Cli.Running;

/// <summary>
/// An experiment from its first measurement to its report: measure, warm start, measure, GRPO, measure, export. What is done is in the folder's state, so a run that
/// was killed goes on from its last checkpoint, and comes to the same weights, metrics and samples as one that was not.
/// </summary>
internal sealed class ExperimentRun : IDisposable
{
    /// <summary>Pairs judged in one call.</summary>
    public const int PairsPerCall = 32;

    private const int ShownSamples = 4;

    private readonly LoadedExperiment _loaded;
    private readonly Experiment _experiment;
    private readonly RunFolder _folder;
    private readonly RunDisplay _display;
    private readonly TimeProvider _time;
    private readonly ManagedEngine _engine;
    private readonly JudgeTask _task;
    private readonly UsablePairs _pairs;

    /// <summary>Reads data and model; nothing is trained yet.</summary>
    /// <exception cref="InsufficientMemoryException">It cannot fit; the message holds the numbers.</exception>
    public ExperimentRun(LoadedExperiment loaded, RunFolder folder, RunDisplay display, TimeProvider time)
    {
        (_loaded, _experiment, _folder, _display, _time) = (loaded, loaded.Experiment, folder, display, time);
        var data = RunData.Load(_experiment.Data, _experiment.Seed);
        var model = new RunModel(_experiment, data.Train);
        _task = model.Task;
        _pairs = data.For(_task, _experiment.Evaluate.Pairs);
        CheckTargets();
        var memory = model.Memory(_pairs);
        memory.Check();
        _engine = model.Open();
        Introduce(data, memory);
    }

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
            Finish(cancellationToken);
            return ExitCode.Done;
        }
        catch (OperationCanceledException)
        {
            // Weights are as after the last whole step, which is what the state says.
            _folder.Save(_engine, "interrupted");
            _display.Fail($"Interrupted at {Position()}; saved in {_folder.Checkpoint}. The same command goes on from there.");
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
    }

    /// <summary>Everything up to the last step of GRPO.</summary>
    /// <returns>The reference of the KL term, where there is one; to be disposed of.</returns>
    private IEngine? Train(CancellationToken cancellationToken)
    {
        var (warm, grpo) = (_experiment.WarmStartOfRun, _experiment.GrpoOfRun with { MaxCompletionTokens = _task.MaxCompletionTokens });
        var needsReference = grpo is { Steps: > 0, KlCoefficient: > 0 };
        IEngine? reference = null;
        if (_folder.Checkpoint is { } checkpoint)
        {
            if (needsReference && State.GrpoSteps > 0)
            {
                // The reference is the policy before the first step of GRPO: a new engine's weights, or those kept after the warm start.
                if (warm is not null) _engine.Load(_folder.Reference);
                reference = _engine.Freeze();
            }
            _engine.Load(checkpoint);
            _display.Say($"Goes on from {Position()} ({checkpoint}).");
        }

        if (warm is not null)
        {
            if (State.Untrained is null)
            {
                State = State with { Untrained = Evaluate("untrained", 0, cancellationToken).Summary };
                _folder.Save(_engine, "start");
            }
            if (State.WarmStartSteps < warm.Steps) WarmStart(warm, cancellationToken);
        }
        if (State.Before is null)
        {
            State = State with { Before = Evaluate("before", State.WarmStartSteps, cancellationToken).Summary };
            _engine.RestartOptimizer();   // the moments of the supervised gradients, which are larger, would hold GRPO's steps down
            _folder.Save(_engine, "before");
        }
        if (needsReference && reference is null)
        {
            if (warm is not null) _folder.SaveReference(_engine);
            reference = _engine.Freeze();
        }
        if (State.GrpoSteps < grpo.Steps) Reinforce(grpo, reference, cancellationToken);
        return reference;
    }

    private void WarmStart(WarmStartOptions options, CancellationToken cancellationToken)
    {
        var trainer = new WarmStart(_engine, _task, options);
        _display.Begin("warm start", State.WarmStartSteps, options.Steps);
        var begun = _time.GetTimestamp();
        trainer.Run(_pairs.Train, State.WarmStartSteps, step =>
        {
            var seconds = Lap(ref begun);
            var done = step.Step + 1;
            State = State with { WarmStartSteps = done, FirstLoss = State.FirstLoss ?? step.Loss, LastLoss = step.Loss, WarmStartSeconds = State.WarmStartSeconds + seconds };
            _folder.Log(RunFolder.Metrics, new { stage = "warm_start", step = done, step.Loss, step.GradientNorm, step.LearningRate, step.TargetTokens });
            _folder.Log(RunFolder.Timings, new { stage = "warm_start", step = done, seconds, tokens_per_second = step.TargetTokens / seconds });
            _display.Step(done, string.Create(CultureInfo.InvariantCulture, $"loss {step.Loss:0.000}  {step.TargetTokens / seconds:N0} tokens/s"));
            if (done % _experiment.Checkpoint.EverySteps == 0 || done == options.Steps) _folder.Save(_engine, $"warm-start-{done}");
            cancellationToken.ThrowIfCancellationRequested();
        }, cancellationToken);
    }

    private void Reinforce(GrpoOptions options, IEngine? reference, CancellationToken cancellationToken)
    {
        var trainer = new GrpoTrainer(_engine, reference, _task, options, _experiment.Reward);
        // Between two updates on the same rollouts the weights belong to no whole step: such a step is not interrupted.
        var withinStep = options.UpdatesPerBatch == 1 ? cancellationToken : CancellationToken.None;
        MeasureOnTheWay(options, cancellationToken);
        _display.Begin("grpo", State.GrpoSteps, options.Steps);
        var begun = _time.GetTimestamp();
        trainer.Run(_pairs.Train, State.GrpoSteps, step =>
        {
            var seconds = Lap(ref begun);
            var done = step.Step + 1;
            State = State with { GrpoSteps = done, GrpoSeconds = State.GrpoSeconds + seconds, GeneratedTokens = State.GeneratedTokens + step.SampledTokens };
            Log(step, done, seconds, options);
            _display.Step(done, string.Create(CultureInfo.InvariantCulture,
                $"reward {step.Reward:0.00}  consistent {step.ConsistentAccuracy:0.00}  flips {step.Flips:0.00}  invalid {step.Invalid:0.00}  kl {step.Kl:0.000}  entropy {step.Entropy:0.000}  {step.SampledTokens / seconds:N0} tokens/s"));
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
        var pair = _pairs.Train[PairSchedule.At(step.Step, options.PairsPerStep, _pairs.Train.Count, options.Seed)[0]];
        for (var order = 0; order < 2; order++)
            _folder.Log(RunFolder.Samples, new { stage = "grpo", step = done, pair.Id, order = order + 1, grade = step.Grades[0][order][0], text = _task.Read(step.Samples[order][0]).Text });
    }

    private void MeasureOnTheWay(GrpoOptions options, CancellationToken cancellationToken)
    {
        var (done, every) = (State.GrpoSteps, _experiment.Evaluate.Every);
        if (every == 0 || done == 0 || done == options.Steps || done % every != 0 || State.MeasuredAt == done) return;
        var measured = Evaluate("grpo", done, cancellationToken).Summary;
        State = State with { MeasuredAt = done };
        _display.Say(string.Create(CultureInfo.InvariantCulture, $"step {done} on unseen pairs: consistent accuracy {measured.ConsistentAccuracy:0.00}, flips {measured.Flips:0.00}, invalid {measured.Invalid:0.00}"));
        _display.Begin("grpo", done, options.Steps);
    }

    private void Finish(CancellationToken cancellationToken)
    {
        if (State.After is null)
        {
            var (after, judgements) = _experiment.Grpo.Steps == 0 ? (State.Before!, null) : Evaluate("after", State.GrpoSteps, cancellationToken);
            judgements ??= Judge(_pairs.Test, null, cancellationToken);
            var canCalibrate = judgements.Any(judgement => judgement.Margin is not null);
            State = State with { After = after, CalibrationScale = canCalibrate ? Calibration.Fit(_pairs.Test, judgements).Scale : null };
            _folder.Save(_engine, "after");
        }

        var model = _folder.At("model");
        _engine.Export(model);
        new JudgeFile
        {
            Mode = _task.Format.Mode,
            Thinking = _task.Format.Thinking,
            Prompt = _task.Format.Prompt.Text,
            MaxCompletionTokens = _task.MaxCompletionTokens,
            CalibrationScale = State.CalibrationScale,
            BaseModel = _experiment.Model is { Lora: not null, Path: { } path } ? Path.GetFileName(path) : null,
        }.Write(model);

        _display.Show(RunReport.Table(_experiment, State));
        PreferencePair[] shown = [.. _pairs.Test.DistinctBy(pair => pair.Source).Concat(_pairs.Test).Distinct().Take(2)];
        foreach (var (pair, judgement) in shown.Zip(Judge(shown, null, cancellationToken))) _display.Say(RunReport.Judgement(pair, judgement) + "\n");
        _display.Tell(RunReport.Lesson(_experiment, State, _pairs.Train.Count, _folder.Path));
        Files.WriteAtomically(_folder.At("summary.json"), RunReport.Summary(_loaded, State, _pairs, _engine.ParameterCount, _engine.TrainableCount));
    }

    /// <summary>Judges the test pairs in both orders and logs what came of it.</summary>
    private (EvaluationSummary Summary, IReadOnlyList<PairJudgement> Judgements) Evaluate(string when, int step, CancellationToken cancellationToken)
    {
        var begun = _time.GetTimestamp();
        _display.Begin("evaluate", 0, _pairs.Test.Count);
        var judgements = Judge(_pairs.Test, done => _display.Step(done, when), cancellationToken);
        var summary = EvaluationSummary.Of(_pairs.Test, judgements);
        var seconds = Lap(ref begun);
        State = State with { EvaluationSeconds = State.EvaluationSeconds + seconds };
        _folder.Log(RunFolder.Metrics, new { stage = "evaluate", at = when, step, summary });
        _folder.Log(RunFolder.Timings, new { stage = "evaluate", at = when, step, seconds });
        for (var i = 0; i < Math.Min(ShownSamples, judgements.Count); i++)
            for (var order = 0; order < 2; order++)
            {
                var said = order == 0 ? judgements[i].First[0] : judgements[i].Second[0];
                _folder.Log(RunFolder.Samples, new { stage = "evaluate", at = when, step, judgements[i].Id, order = order + 1, outcome = said.Outcome, said.LogOdds, text = said.Text });
            }
        return (summary, judgements);
    }

    private List<PairJudgement> Judge(IReadOnlyList<PreferencePair> pairs, Action<int>? onDone, CancellationToken cancellationToken)
    {
        var sampling = new SamplingOptions { MaxTokens = _task.MaxCompletionTokens, Temperature = _experiment.Evaluate.Temperature };
        var calibration = State.CalibrationScale is { } scale ? new Calibration(scale) : null;
        var judge = new TwoOrderJudge(new EngineJudge(_engine, _task.Format, new EngineJudgeOptions { Sampling = sampling, Seed = _experiment.Seed }), 1, calibration);
        var judgements = new List<PairJudgement>(pairs.Count);
        foreach (var some in pairs.Chunk(PairsPerCall))
        {
            cancellationToken.ThrowIfCancellationRequested();
            judgements.AddRange(judge.JudgeAsync(some, cancellationToken).AsTask().GetAwaiter().GetResult());
            onDone?.Invoke(judgements.Count);
        }
        return judgements;
    }

    private void CheckTargets()
    {
        if (_experiment.WarmStartOfRun is null) return;
        var without = _pairs.Train.Count(pair => _task.Targets(pair) is null);
        if (without > 0)
            throw new DataException($"A warm start has nothing to imitate in {without} of {_pairs.Train.Count} training pairs: it needs mode verdict, and for a thinking judge pairs with a thought for both orders. Leave out warm_start, or set judge.thinking: false.");
    }

    private void Introduce(RunData data, MemoryEstimate memory)
    {
        var (e, c) = (_experiment, _engine.Config);
        var grpo = e.Grpo;
        _display.Say(string.Create(CultureInfo.InvariantCulture, $"""
            {e.Name}, seed {e.Seed}, in {_folder.Path}
            model       {(e.Model.Create is null ? Path.GetFileName(e.Model.Path) : "new")} ({c.Architecture.ToString().ToLowerInvariant()}): {c.LayerCount} layers, width {c.HiddenSize}, vocabulary {c.VocabularySize}, context {_engine.ContextLength}; {_engine.ParameterCount:N0} parameters, {_engine.TrainableCount:N0} trained
            data        {_pairs.Train.Count:N0} pairs to train on, {_pairs.Test.Count:N0} unseen to test{LeftOut(data)}
            judge       {Names.Snake(e.Judge.Mode.ToString())}, {(e.Judge.Thinking ? "after a thought" : "instant")}, both orders; prompt {e.Judge.Prompt ?? "of the mode"}
            """));
        if (e.WarmStartOfRun is { } warm)
            _display.Say(string.Create(CultureInfo.InvariantCulture, $"warm start  {warm.Steps} steps of {warm.PairsPerStep} pairs, learning rate {warm.LearningRate} {Names.Snake(warm.Schedule.ToString())}"));
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
