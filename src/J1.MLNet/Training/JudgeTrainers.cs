using J1.MLNet.Stages;
using J1.MLNet.Training;
using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace J1.MLNet;

/// <summary>Trains a judge by GRPO on preference pairs: instruction, two responses, and which is better. Fit gives a stage that scores pairs.</summary>
public sealed class GrpoJudgeTrainer : IEstimator<JudgeTransformer>
{
    private readonly JudgeTrainer _trainer;
    private readonly GrpoTrainerOptions _options;

    internal GrpoJudgeTrainer(MLContext context, GrpoTrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_trainer, _options) = (new JudgeTrainer(context, options), options);
    }

    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="Data.DataException">A value of the data cannot be used.</exception>
    /// <exception cref="InvalidOperationException">A GPU is asked for, and the CPU may not stand in for it.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public JudgeTransformer Fit(IDataView input) => _trainer.Fit(input, session =>
    {
        if (_options.WarmStart is { } warm) session.WarmStart(warm with { Seed = _trainer.Seed });
        session.Reinforce(_options.Grpo with { Seed = _trainer.Seed }, _options.Reward);
        return new { _trainer.Seed, _options.WarmStart, _options.Grpo, _options.Reward, _options.Engine };
    });

    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _trainer.GetOutputSchema(inputSchema);
}

/// <summary>Trains a judge by imitation: an instant judge to write the right letter, a thinking one to write given thoughts. For models too small to follow the protocol unaided.</summary>
public sealed class WarmStartJudgeTrainer : IEstimator<JudgeTransformer>
{
    private readonly JudgeTrainer _trainer;
    private readonly WarmStartTrainerOptions _options;

    internal WarmStartJudgeTrainer(MLContext context, WarmStartTrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_trainer, _options) = (new JudgeTrainer(context, options), options);
    }

    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="Data.DataException">A value of the data cannot be used, or there is nothing to imitate.</exception>
    /// <exception cref="InvalidOperationException">A GPU is asked for, and the CPU may not stand in for it.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public JudgeTransformer Fit(IDataView input) => _trainer.Fit(input, session =>
    {
        session.WarmStart(_options.WarmStart with { Seed = _trainer.Seed });
        return new { _trainer.Seed, _options.WarmStart, _options.Engine };
    });

    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _trainer.GetOutputSchema(inputSchema);
}

/// <summary>What the trainers share.</summary>
internal sealed class JudgeTrainer
{
    private readonly MLContext _context;
    private readonly IHost _host;
    private readonly JudgeTrainerOptions _options;

    public JudgeTrainer(MLContext context, JudgeTrainerOptions options)
    {
        (_context, _options, _host) = (context, options, ((IHostEnvironment)context).Register("J1Judge"));
        Seed = options.Seed ?? (ulong)_host.Rand.NextInt64();
    }

    public ulong Seed { get; }

    /// <param name="input">Rows.</param>
    /// <param name="train">Trains, and returns the settings it trained with.</param>
    public JudgeTransformer Fit(IDataView input, Func<TrainingSession, object> train)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var channel = _host.Start("Training");
        using var session = new TrainingSession(_context, _options, channel, input, Seed);
        return session.Finish(train(session));
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        new TrainingColumns(_options).Check(inputSchema);
        return Columns.Add(inputSchema, PairStage.OutputsOf(_options.Columns).Select(output => (output.Column, output.Type)));
    }
}
