using J1.Data;
using J1.MLNet.Saving;
using J1.MLNet.Stages;
using Microsoft.ML;
using Microsoft.ML.Data;

#pragma warning disable CA1822 // What a catalog offers is reached through it, whether or not it needs the context.

namespace J1.MLNet;

/// <summary>Where ML.NET users find the judges.</summary>
public static class MLContextExtensions
{
    /// <summary>Judges as ML.NET stages.</summary>
    public static J1Catalog J1(this MLContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return new J1Catalog(context);
    }
}

/// <summary>Judges as ML.NET stages: trainers, transforms, evaluation, and models with their types put back.</summary>
public sealed class J1Catalog
{
    private readonly MLContext _context;

    internal J1Catalog(MLContext context) => (_context, Trainers) = (context, new JudgeTrainers(context));

    /// <summary>Estimators that train a judge.</summary>
    public JudgeTrainers Trainers { get; }

    /// <summary>Stages that ask a judge, and stages that build pairs to train on.</summary>
    public JudgeTransforms Transforms { get; } = new();

    /// <summary>Holds the verdicts of <see cref="JudgeTransforms.ScorePairs(Judge, ScorePairsOptions)"/> against labels: accuracy in each order and in both, flips, ties, invalid verdicts, calibration. Asks the judge where the columns are not cached.</summary>
    /// <param name="data">Rows with the stage's output columns and a label; rows whose text label is neither A nor B do not count.</param>
    /// <param name="labelColumnName">Boolean (true: A is better) or text (A or B).</param>
    /// <param name="columns">The stage's options where it has other column names.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="DataException">No row has a label.</exception>
    public JudgeMetrics Evaluate(IDataView data, string labelColumnName = "Label", ScorePairsOptions? columns = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentException.ThrowIfNullOrEmpty(labelColumnName);
        return JudgeMetrics.Of(data, labelColumnName, columns ?? new());
    }

    /// <summary>
    /// Loads what <c>mlContext.Model.Save</c> wrote, with every judge in it as a <see cref="JudgeTransformer"/> again, which asks in batches, frees its model when it is disposed of, and can be saved once more.
    /// <c>mlContext.Model.Load</c> loads the same file without a word about judges, and asks row by row.
    /// </summary>
    /// <exception cref="DataException">A judge was changed, or its base model is missing or another.</exception>
    public ITransformer LoadModel(string path, out DataViewSchema inputSchema)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Restore(_context.Model.Load(path, out inputSchema));
    }

    /// <inheritdoc cref="LoadModel(string, out DataViewSchema)"/>
    public ITransformer LoadModel(Stream stream, out DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return Restore(_context.Model.Load(stream, out inputSchema));
    }

    /// <summary>Loads the one judge of a saved model; it is the caller's to dispose of.</summary>
    /// <exception cref="DataException">There is none, or several; or it was changed, or its base model is missing or another.</exception>
    public JudgeTransformer LoadJudge(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        JudgeState[] found = [.. Flat(_context.Model.Load(path, out _)).Select(SavedStages.Find).OfType<JudgeState>()];
        return found.Length == 1 ? new JudgeTransformer(LoadedJudges.Open(found[0]), ownsJudge: true)
            : throw new DataException($"'{path}' holds {(found.Length == 0 ? "no judge" : $"{found.Length} judges")}; LoadJudge takes a model with one. Use LoadModel.");
    }

    /// <summary>The same chain with its judges typed; scopes are kept.</summary>
    private static ITransformer Restore(ITransformer loaded)
    {
        if (SavedStages.Find(loaded) is { } state) return new JudgeTransformer(LoadedJudges.Open(state), ownsJudge: true);
        if (loaded is not TransformerChain<ITransformer> chain) return loaded;
        var opened = new List<ITransformer>();
        try
        {
            foreach (var transformer in chain) opened.Add(Restore(transformer));
        }
        catch
        {
            foreach (var transformer in opened.OfType<IDisposable>()) transformer.Dispose();
            throw;
        }
        return new TransformerChain<ITransformer>(opened, chain.Select(transformer => ScopeOf(chain, transformer)));
    }

    // A chain does not tell its scopes, but what it leaves out for each.
    private static TransformerScope ScopeOf(TransformerChain<ITransformer> chain, ITransformer transformer) =>
        new[] { TransformerScope.Training, TransformerScope.Testing, TransformerScope.Scoring }
            .Where(scope => chain.GetModelFor(scope).Any(kept => ReferenceEquals(kept, transformer)))
            .Aggregate(TransformerScope.None, (all, scope) => all | scope);

    private static IEnumerable<ITransformer> Flat(ITransformer transformer) =>
        transformer is IEnumerable<ITransformer> chain ? chain.SelectMany(Flat).Prepend(transformer) : [transformer];
}

/// <summary>Estimators that train a judge.</summary>
public sealed class JudgeTrainers
{
    private readonly MLContext _context;

    internal JudgeTrainers(MLContext context) => _context = context;

    /// <summary>GRPO on preference pairs.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public GrpoJudgeTrainer Grpo(GrpoTrainerOptions options) => new(_context, options);

    /// <summary>GRPO on preference pairs with the paper's settings.</summary>
    /// <param name="modelPath">The model to start from: a Hugging Face folder or a .gguf file.</param>
    /// <param name="labelColumnName">Boolean (true: A is better) or text (A or B).</param>
    /// <param name="steps">Optimizer steps.</param>
    /// <param name="validationSet">Rows to measure and calibrate on.</param>
    public GrpoJudgeTrainer Grpo(string modelPath, string labelColumnName = "Label", int steps = 100, IDataView? validationSet = null) =>
        Grpo(new GrpoTrainerOptions { ModelPath = modelPath, LabelColumnName = labelColumnName, ValidationSet = validationSet, Grpo = new() { Steps = steps } });

    /// <summary>Supervised imitation of labels and given thoughts.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public WarmStartJudgeTrainer WarmStart(WarmStartTrainerOptions options) => new(_context, options);
}

/// <summary>Stages that ask a judge, and stages that build pairs to train on.</summary>
public sealed class JudgeTransforms
{
    internal JudgeTransforms() { }

    /// <summary>Which of two responses is better.</summary>
    public JudgeEstimator ScorePairs(Judge judge, ScorePairsOptions? options = null) => Stage(judge, options ?? new());

    /// <inheritdoc cref="ScorePairs(Judge, ScorePairsOptions)"/>
    public JudgeEstimator ScorePairs(Judge judge, string instructionColumnName, string responseAColumnName, string responseBColumnName) =>
        Stage(judge, new ScorePairsOptions { InstructionColumnName = instructionColumnName, ResponseAColumnName = responseAColumnName, ResponseBColumnName = responseBColumnName });

    /// <summary>A score from 0 to 10 of each response alone.</summary>
    /// <exception cref="ArgumentException">The judge is not pointwise.</exception>
    public JudgeEstimator ScoreResponses(Judge judge, ScoreResponsesOptions? options = null) => Stage(judge, options ?? new());

    /// <summary>Whether a response is good enough.</summary>
    /// <exception cref="ArgumentException">The judge is not pointwise.</exception>
    public JudgeEstimator RateResponse(Judge judge, RateResponseOptions? options = null) => Stage(judge, options ?? new());

    /// <summary>The best of several responses.</summary>
    public JudgeEstimator ChooseBest(Judge judge, ChooseBestOptions? options = null) => Stage(judge, options ?? new());

    /// <summary>Pairs whose rejected response answers a modified instruction; the model writes both.</summary>
    /// <param name="model">An engine (<see cref="EngineTextModel"/>) or any function, a chat client among them (<see cref="DelegateTextModel"/>).</param>
    /// <param name="options">Columns.</param>
    /// <param name="seed">Decides what is sampled, and the better response's side.</param>
    public PairBuilderEstimator NoisyInstruction(ITextModel model, PairBuilderOptions? options = null, ulong seed = 0)
    {
        options ??= new();
        if (options.ResponseColumnName is null) throw new ArgumentException("A noisy instruction needs a good response to reject another against; name ResponseColumnName.", nameof(options));
        return new(new BuilderStage(new NoisyInstructionPairs(model, seed), options with { AnswerColumnName = null }));
    }

    /// <summary>Pairs whose rejected response is a sampled solution that does not reach the key.</summary>
    /// <param name="model">Writes the solutions; at a temperature above 0.</param>
    /// <param name="options">Columns; the key's is <c>Answer</c> where none is named.</param>
    /// <param name="samples">Solutions a problem.</param>
    /// <param name="seed">Decides what is sampled, and the better response's side.</param>
    public PairBuilderEstimator WrongAnswer(ITextModel model, PairBuilderOptions? options = null, int samples = 8, ulong seed = 0)
    {
        options ??= new() { ResponseColumnName = null };
        return new(new BuilderStage(new WrongAnswerPairs(model, samples, seed), options with { AnswerColumnName = options.AnswerColumnName ?? "Answer" }));
    }

    private static JudgeEstimator Stage(Judge judge, StageOptions options)
    {
        ArgumentNullException.ThrowIfNull(judge);
        return new(JudgeStage.Of(judge, options));
    }
}
