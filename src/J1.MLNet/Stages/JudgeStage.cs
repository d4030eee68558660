using J1.Judging;

namespace J1.MLNet.Stages;

/// <summary>A stage that asks a judge.</summary>
internal abstract class JudgeStage : Stage
{
    protected JudgeStage(Judge judge, StageOptions options, IReadOnlyList<StageInput> inputs, IReadOnlyList<StageOutput> outputs)
        : base(inputs, outputs, options.BatchSize, options.RememberedRows) => (Judge, Options) = (judge, options);

    public Judge Judge { get; }

    public StageOptions Options { get; }

    /// <summary>The same for another judge.</summary>
    public static JudgeStage Of(Judge judge, StageOptions options) => options switch
    {
        ScorePairsOptions pairs => new PairStage(judge, pairs),
        ScoreResponsesOptions responses => new ResponseStage(judge, responses),
        RateResponseOptions rating => new RatingStage(judge, rating),
        ChooseBestOptions best => new BestStage(judge, best),
        _ => throw new ArgumentException($"There is no stage with {options.GetType().Name}.", nameof(options)),
    };

    protected sealed override string Identity => Judge.Identity;

    /// <summary>What single responses are read as: the mean of the valid votes, or a reason.</summary>
    protected (float Score, InvalidReason? Invalid, string Thought)[] Read(IReadOnlyList<(string Instruction, string Response)> responses) =>
        [.. Judge.Read([.. responses.Select((one, i) => new ShownPair($"row {i}", one.Instruction, one.Response, null))]).Select(votes =>
        {
            var valid = votes.Where(vote => vote.Outcome != Outcome.Invalid).ToArray();
            var thought = votes.Select(vote => vote.Thought).OfType<string>().FirstOrDefault() ?? "";
            return valid.Length > 0 && 2 * valid.Length >= votes.Length ? ((float)valid.Average(vote => vote.ScoreA!.Value), (InvalidReason?)null, thought)
                : (float.NaN, votes.First(vote => vote.Outcome == Outcome.Invalid).Invalid ?? InvalidReason.Unparsed, thought);
        })];

    protected static Judge Pointwise(Judge judge, string stage) => judge.Mode == JudgeMode.Pointwise ? judge
        : throw new ArgumentException($"{stage} needs a pointwise judge; this one {(judge.Mode is { } mode ? $"is asked for {mode}" : "compares pairs")}. Give a judge whose format has Mode = JudgeMode.Pointwise.", nameof(judge));
}
