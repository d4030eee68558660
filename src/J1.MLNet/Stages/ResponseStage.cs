using Microsoft.ML.Data;

namespace J1.MLNet.Stages;

internal sealed class ResponseStage(Judge judge, ScoreResponsesOptions options) : JudgeStage(Pointwise(judge, "ScoreResponses"), options,
    [new(options.InstructionColumnName), new(options.ResponseColumnName)],
    StageOutput.Given(
        StageOutput.Single<ResponseResult>(options.ScoreColumnName, result => result.Score),
        StageOutput.Text<ResponseResult>(options.OutcomeColumnName, result => result.Outcome),
        options.ThoughtColumnName is null ? null : StageOutput.Text<ResponseResult>(options.ThoughtColumnName, result => result.Thought)))
{
    protected override IReadOnlyList<object> Compute(IReadOnlyList<string[]> rows) =>
        [.. Read([.. rows.Select(row => (row[0], row[1]))]).Select(read => new ResponseResult { Score = read.Score, Outcome = read.Invalid is { } reason ? $"{reason}" : "Scored", Thought = read.Thought })];
}

/// <summary>What is said of a response; in saved models a mapping's output under names of its own.</summary>
public sealed class ResponseResult
{
    [ColumnName("__J1_Score")]
    public float Score { get; set; } = float.NaN;

    [ColumnName("__J1_Outcome")]
    public string Outcome { get; set; } = "";

    [ColumnName("__J1_Thought")]
    public string Thought { get; set; } = "";
}
