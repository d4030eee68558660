using Microsoft.ML.Data;

namespace J1.MLNet.Stages;

internal sealed class RatingStage(Judge judge, RateResponseOptions options) : JudgeStage(Pointwise(judge, "RateResponse"), Checked(options),
    [new(options.InstructionColumnName), new(options.ResponseColumnName)],
    StageOutput.Given(
        StageOutput.Single<RatingResult>(options.RatingColumnName, result => result.Rating),
        StageOutput.Boolean<RatingResult>(options.PredictedLabelColumnName, result => result.PredictedLabel),
        StageOutput.Single<RatingResult>(options.ScoreColumnName, result => result.Score),
        StageOutput.Text<RatingResult>(options.OutcomeColumnName, result => result.Outcome),
        options.ThoughtColumnName is null ? null : StageOutput.Text<RatingResult>(options.ThoughtColumnName, result => result.Thought)))
{
    private readonly float _minimum = options.MinimumRating;

    protected override IReadOnlyList<object> Compute(IReadOnlyList<string[]> rows) => [.. Read([.. rows.Select(row => (row[0], row[1]))]).Select(read =>
    {
        var isGood = read.Score >= _minimum;
        return new RatingResult
        {
            Rating = read.Score,
            PredictedLabel = isGood,
            Score = read.Score - _minimum,
            Outcome = read.Invalid is { } reason ? $"{reason}" : isGood ? "Accepted" : "Rejected",
            Thought = read.Thought,
        };
    })];

    private static RateResponseOptions Checked(RateResponseOptions options) => options.MinimumRating is >= 0 and <= 10 ? options
        : throw new ArgumentException($"MinimumRating is {options.MinimumRating}; it must be from 0 to 10.", nameof(options));
}

/// <summary>How a response is rated; in saved models a mapping's output under names of its own.</summary>
public sealed class RatingResult
{
    [ColumnName("__J1_Rating")]
    public float Rating { get; set; } = float.NaN;

    [ColumnName("__J1_PredictedLabel")]
    public bool PredictedLabel { get; set; }

    [ColumnName("__J1_Score")]
    public float Score { get; set; } = float.NaN;

    [ColumnName("__J1_Outcome")]
    public string Outcome { get; set; } = "";

    [ColumnName("__J1_Thought")]
    public string Thought { get; set; } = "";
}
