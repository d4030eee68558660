using J1.Data;
using J1.Engines;
using J1.Engines.Managed;
using J1.Judging;
using J1.MLNet.Saving;

namespace J1.MLNet;

/// <summary>
/// What the stages ask. One judge may serve any number of stages and threads: calls to its engine wait for each other.
/// Dispose of it when no stage needs it any more.
/// </summary>
public sealed class Judge : IDisposable
{
    private readonly IJudge _pairs;
    private readonly IOrderedJudge? _ordered;
    private readonly IEngine? _engine;
    private readonly bool _ownsEngine;

    private Judge(IJudge? pairs, IOrderedJudge? ordered, JudgeSettings settings, IEngine? engine = null, JudgeModel? model = null)
    {
        _pairs = ordered is null ? pairs! : new OrderByOrder(ordered, settings.Votes, settings.Calibration, settings.BothOrders);
        (_ordered, Settings, _engine, _ownsEngine, Model) = (ordered, settings, engine, model is not null, model);
    }

    /// <summary>How the model is asked; of a judge that is no model of ours, votes, orders and calibration alone count.</summary>
    public JudgeSettings Settings { get; }

    /// <summary>What it is asked for; null for a judge that compares pairs in a way of its own.</summary>
    public JudgeMode? Mode => _ordered?.Mode;

    /// <summary>A hash over all that its judgements depend on.</summary>
    public string Identity => _pairs.Identity;

    /// <summary>The settings it was trained with, as JSON; null where it was not trained by J1.MLNet's trainers.</summary>
    public string? TrainedWith => Model?.TrainedWith;

    /// <summary>Where the weights are, for whoever saves them; null for a judge that lives in this process alone.</summary>
    internal JudgeModel? Model { get; }

    /// <summary>Opens a model: a Hugging Face folder or a .gguf file, with an adapter in PEFT's layout where one is given.</summary>
    /// <param name="path">The model.</param>
    /// <param name="settings">How to ask it. Null: as <c>j1_judge.json</c> in the adapter's or the model's folder says, which a run of <c>j1</c> writes.</param>
    /// <param name="adapter">A folder.</param>
    /// <exception cref="J1.Engines.Managed.Files.ModelFileException">There is no model or adapter, or it cannot be used.</exception>
    /// <exception cref="DataException">No settings are given and there is no <c>j1_judge.json</c>.</exception>
    public static Judge Open(string path, JudgeSettings? settings = null, string? adapter = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        settings ??= Described(path, adapter);
        settings.Validate();
        return Of(new FileModel(Path.GetFullPath(path), adapter is null ? null : Path.GetFullPath(adapter)), settings);
    }

    /// <summary>An engine as a judge. The engine stays the caller's, and such a judge is not saved.</summary>
    public static Judge From(IEngine engine, JudgeSettings settings)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(settings);
        settings.Validate();
        return new Judge(null, Ask(engine, settings), settings, engine);
    }

    /// <summary>Whatever reads one order at a time as a judge, asked in both. Such a judge is not saved.</summary>
    public static Judge From(IOrderedJudge judge, int votes = 1, bool bothOrders = true, Calibration? calibration = null)
    {
        ArgumentNullException.ThrowIfNull(judge);
        ArgumentOutOfRangeException.ThrowIfLessThan(votes, 1);
        return new Judge(null, judge, new JudgeSettings { Votes = votes, BothOrders = bothOrders, Calibration = calibration });
    }

    /// <summary>Whatever compares pairs (a jury, a cached judge, a chat client's) as a judge. Such a judge is not saved, and scores no single response.</summary>
    public static Judge From(IJudge judge)
    {
        ArgumentNullException.ThrowIfNull(judge);
        return new Judge(judge, null, new JudgeSettings());
    }

    /// <summary>Opens a model and owns its engine.</summary>
    internal static Judge Of(JudgeModel model, JudgeSettings settings)
    {
        var engine = model.Open(settings.Engine with { Lora = null });
        try
        {
            return new Judge(null, Ask(engine, settings), settings, engine, model);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    /// <summary>An engine that was trained, which the judge owns from now on.</summary>
    internal static Judge Of(ManagedEngine engine, TrainedModel model, JudgeSettings settings) => new(null, Ask(engine, settings), settings, engine, model);

    internal IReadOnlyList<PairJudgement> Compare(IReadOnlyList<PreferencePair> pairs) => _pairs.JudgeAsync(pairs).AsTask().GetAwaiter().GetResult();

    internal IReadOnlyList<Judgement[]> Read(IReadOnlyList<ShownPair> shown) => _ordered!.ReadAsync(shown, Settings.Votes).AsTask().GetAwaiter().GetResult();

    /// <summary>The judge's model as one that writes, for the builders of pairs.</summary>
    /// <param name="sampling">Null: <see cref="EngineTextModel"/>'s.</param>
    /// <exception cref="InvalidOperationException">The judge is no language model of ours.</exception>
    public ITextModel TextModel(SamplingOptions? sampling = null) => new EngineTextModel(
        _engine ?? throw new InvalidOperationException("This judge has no engine that could write; give the builder an EngineTextModel or a DelegateTextModel."), sampling);

    public void Dispose()
    {
        if (_ownsEngine) _engine?.Dispose();
    }

    // The stages decide how many prompts make a call.
    private static EngineJudge Ask(IEngine engine, JudgeSettings settings) =>
        new(engine, settings.Format, new EngineJudgeOptions { Sampling = settings.Sampling, Seed = settings.Seed, LongPrompts = settings.LongPrompts, PromptsPerCall = int.MaxValue });

    private static JudgeSettings Described(string path, string? adapter)
    {
        var file = JudgeFile.Find(adapter, path)
            ?? throw new DataException($"'{adapter ?? path}' has no {JudgeFile.Name} that tells how it was trained to judge. Give settings: at least a format.");
        return new JudgeSettings
        {
            Format = file.Format,
            Sampling = SamplingOptions.Greedy(file.MaxCompletionTokens),
            Calibration = file.CalibrationScale is { } scale ? new Calibration(scale) : null,
        };
    }
}
