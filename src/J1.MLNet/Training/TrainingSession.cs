using System.Globalization;
using System.Text.Json;
using J1.Data;
using J1.Engines.Managed;
using J1.Evaluation;
using J1.Grpo;
using J1.Judging;
using J1.MLNet.Saving;
using J1.MLNet.Stages;
using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace J1.MLNet.Training;

/// <summary>One Fit: reads and checks all there is, opens the model, trains, measures, and hands the judge over.</summary>
internal sealed class TrainingSession : IDisposable
{
    private const int PairsPerCall = 32;

    private readonly JudgeTrainerOptions _options;
    private readonly IChannel _channel;
    private readonly ManagedEngine _engine;
    private readonly JudgeTask _task;
    private readonly IReadOnlyList<PreferencePair> _train, _validation;
    private bool _handedOver;

    /// <exception cref="DataException">A value of the data cannot be used; nothing was trained.</exception>
    public TrainingSession(MLContext context, JudgeTrainerOptions options, IChannel channel, IDataView input, ulong seed)
    {
        (_options, _channel) = (options, channel);
        Device(context);
        var columns = new TrainingColumns(options);
        var train = columns.Read(input, seed);
        if (train.Count == 0) throw new DataException("There is no row to train on. Give at least one row with a weight above 0.");
        var validation = options.ValidationSet is null ? [] : columns.Read(options.ValidationSet, seed);
        _engine = Open();
        try
        {
            _task = new JudgeTask(_engine.Tokenizer, options.Format, _engine.ContextLength, options.MaxCompletionTokens, options.LongPrompts);
            _train = Fitting("training", train);
            _validation = validation.Count == 0 ? [] : Fitting("validation", validation);
        }
        catch
        {
            _engine.Dispose();
            throw;
        }
    }

    public void WarmStart(WarmStartOptions options)
    {
        var without = _train.Count(pair => _task.Targets(pair) is null);
        if (without > 0)
            throw new DataException($"A warm start has nothing to imitate in {without} of {_train.Count} rows: it needs a format of mode Verdict, and for a thinking judge {nameof(JudgeTrainerOptions.ThoughtColumnName)} and {nameof(JudgeTrainerOptions.SwappedThoughtColumnName)}.");
        Say($"Warm start: {options.Steps} steps of {options.PairsPerStep} pairs, {_train.Count} rows.");
        new WarmStart(_engine, _task, options).Run(_train, 0, step =>
        {
            var done = step.Step + 1;
            Say(Invariant($"Warm start, step {done} of {options.Steps}: loss {step.Loss:0.0000}, gradient norm {step.GradientNorm:0.000}."));
            Tell(new TrainingProgress(done, options.Steps, step, null, null));
            ValidateOnTheWay(done, options.Steps);
        }, _options.CancellationToken);
    }

    public void Reinforce(GrpoOptions options, RewardOptions rewards)
    {
        if (options.Steps == 0) return;
        options = options with { MaxCompletionTokens = _task.MaxCompletionTokens };
        Say($"GRPO: {options.Steps} steps of {options.PairsPerStep} pairs × 2 orders × {options.GroupSize} samples, {_train.Count} rows.");
        // Moments of supervised gradients, which are larger, would hold these steps down.
        _engine.RestartOptimizer();
        using var reference = options.KlCoefficient > 0 ? _engine.Freeze() : null;
        new GrpoTrainer(_engine, reference, _task, options, rewards).Run(_train, 0, step =>
        {
            var done = step.Step + 1;
            Say(Invariant($"GRPO, step {done} of {options.Steps}: reward {step.Reward:0.000}, consistent {step.ConsistentAccuracy:0.000}, flips {step.Flips:0.000}, invalid {step.Invalid:0.000}, KL {step.Kl:0.0000}, gradient norm {step.GradientNorm:0.000}."));
            Tell(new TrainingProgress(done, options.Steps, null, step, null));
            ValidateOnTheWay(done, options.Steps);
        }, _options.CancellationToken);
    }

    /// <summary>Measures and calibrates where there is something to do it on.</summary>
    /// <param name="trainedWith">The training's settings, to be kept with the judge.</param>
    public JudgeTransformer Finish(object trainedWith)
    {
        Calibration? calibration = null;
        if (_validation.Count > 0)
        {
            var (judgements, _) = Validate(1, 1);
            if (judgements.Any(judgement => judgement.Margin is not null)) calibration = Calibration.Fit(_validation, judgements);
        }
        var judge = Judge.Of(_engine, new TrainedModel(_engine, _options.ModelPath is { } path ? Path.GetFullPath(path) : _options.Start?.Model?.BasePath, JsonSerializer.Serialize(trainedWith, JudgeState.Json)), _options.Settings(_task.MaxCompletionTokens, calibration));
        _handedOver = true;
        return new JudgeTransformer((JudgeStage)new PairStage(judge, _options.Columns), ownsJudge: true);
    }

    public void Dispose()
    {
        if (!_handedOver) _engine.Dispose();
    }

    private void ValidateOnTheWay(int done, int steps)
    {
        _options.CancellationToken.ThrowIfCancellationRequested();
        if (_validation.Count > 0 && _options.ValidateEverySteps > 0 && done % _options.ValidateEverySteps == 0 && done < steps) Validate(done, steps);
    }

    private (IReadOnlyList<PairJudgement> Judgements, EvaluationSummary Summary) Validate(int done, int steps)
    {
        var settings = _options.Settings(_task.MaxCompletionTokens, null);
        var judge = new OrderByOrder(new EngineJudge(_engine, settings.Format, new EngineJudgeOptions { Sampling = settings.Sampling, LongPrompts = LongPromptPolicy.Drop }), settings.Votes, null, settings.BothOrders);
        var judgements = new List<PairJudgement>(_validation.Count);
        foreach (var some in _validation.Chunk(PairsPerCall)) judgements.AddRange(judge.JudgeAsync(some, _options.CancellationToken).AsTask().GetAwaiter().GetResult());
        var summary = EvaluationSummary.Of(_validation, judgements);
        Say(Invariant($"Validation on {summary.N} rows: consistent accuracy {summary.ConsistentAccuracy:0.000} [{summary.Interval95[0]:0.000}, {summary.Interval95[1]:0.000}], flips {summary.Flips:0.000}, ties {summary.Ties:0.000}, invalid {summary.Invalid:0.000}."));
        Tell(new TrainingProgress(done, steps, null, null, summary));
        return (judgements, summary);
    }

    private IReadOnlyList<PreferencePair> Fitting(string what, List<PreferencePair> pairs)
    {
        var (kept, dropped) = _task.Filter(pairs);
        if (dropped.Count > 0) _channel.Warning(MessageSensitivity.None, "{0}", $"{dropped.Count} of {pairs.Count} {what} rows are left out: their prompts are longer than {_task.MaxPromptTokens} tokens.");
        return kept.Count > 0 ? kept
            : throw new DataException($"No {what} row fits: all {pairs.Count} prompts are longer than {_task.MaxPromptTokens} tokens. Lower {nameof(JudgeTrainerOptions.MaxCompletionTokens)}, or use a model with a longer context.");
    }

    private ManagedEngine Open() =>
        _options.CreateModel is { } create ? create() ?? throw new InvalidOperationException($"{nameof(JudgeTrainerOptions.CreateModel)} returned null; it is to make a model.")
        : _options.ModelPath is { } path ? ManagedEngine.Open(path, _options.Engine)
        : _options.Start!.Model!.Open(_options.Engine);

    /// <exception cref="InvalidOperationException">A GPU is asked for, and the CPU may not stand in for it.</exception>
    private void Device(MLContext context)
    {
        if (context.GpuDeviceId is not { } device) return;
        if (!context.FallbackToCpu)
            throw new InvalidOperationException($"MLContext.GpuDeviceId is {device}, but J1.MLNet's engine trains on the CPU alone. Set MLContext.FallbackToCpu = true, or GpuDeviceId = null.");
        _channel.Warning(MessageSensitivity.None, "{0}", $"MLContext.GpuDeviceId is {device}; J1.MLNet's engine trains on the CPU, which MLContext.FallbackToCpu allows.");
    }

    private void Tell(TrainingProgress progress) => _options.OnProgress?.Invoke(progress);

    private void Say(string message) => _channel.Info(MessageSensitivity.None, "{0}", message);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
