using J1.Data;
using J1.Judging;
using Microsoft.ML.Data;

namespace J1.MLNet.Stages;

internal sealed class PairStage(Judge judge, ScorePairsOptions options) : JudgeStage(judge, options,
    InputsOf(options), OutputsOf(options))
{
    public static StageInput[] InputsOf(ScorePairsOptions options) => [new(options.InstructionColumnName), new(options.ResponseAColumnName), new(options.ResponseBColumnName)];

    public static StageOutput[] OutputsOf(ScorePairsOptions options) => StageOutput.Given(
        StageOutput.Boolean<PairResult>(options.PredictedLabelColumnName, result => result.PredictedLabel),
        StageOutput.Single<PairResult>(options.ProbabilityColumnName, result => result.Probability),
        StageOutput.Single<PairResult>(options.ScoreColumnName, result => result.Score),
        StageOutput.Text<PairResult>(options.VerdictColumnName, result => result.Verdict),
        StageOutput.Boolean<PairResult>(options.FlippedColumnName, result => result.Flipped),
        StageOutput.Text<PairResult>(options.FirstOrderColumnName, result => result.FirstOrder),
        StageOutput.Text<PairResult>(options.SecondOrderColumnName, result => result.SecondOrder),
        options.ThoughtColumnName is null ? null : StageOutput.Text<PairResult>(options.ThoughtColumnName, result => result.Thought));

    protected override IReadOnlyList<object> Compute(IReadOnlyList<string[]> rows) =>
        [.. Judge.Compare([.. rows.Select((row, i) => new PreferencePair { Id = $"row {i}", Instruction = row[0], ResponseA = row[1], ResponseB = row[2] })]).Select(PairResult.Of)];
}

/// <summary>What is said of a pair; in saved models a mapping's output under names of its own.</summary>
public sealed class PairResult
{
    [ColumnName("__J1_PredictedLabel")]
    public bool PredictedLabel { get; set; }

    [ColumnName("__J1_Probability")]
    public float Probability { get; set; } = float.NaN;

    [ColumnName("__J1_Score")]
    public float Score { get; set; } = float.NaN;

    [ColumnName("__J1_Verdict")]
    public string Verdict { get; set; } = "";

    [ColumnName("__J1_Flipped")]
    public bool Flipped { get; set; }

    [ColumnName("__J1_FirstOrder")]
    public string FirstOrder { get; set; } = "";

    [ColumnName("__J1_SecondOrder")]
    public string SecondOrder { get; set; } = "";

    [ColumnName("__J1_Thought")]
    public string Thought { get; set; } = "";

    internal static PairResult Of(PairJudgement judgement) => new()
    {
        PredictedLabel = judgement.Outcome == Outcome.A,
        Probability = (float?)judgement.Probability ?? float.NaN,
        Score = (float?)judgement.Margin ?? float.NaN,
        Verdict = $"{judgement.Outcome}",
        Flipped = judgement.Flipped,
        FirstOrder = $"{judgement.FirstOrder}",
        SecondOrder = $"{judgement.SecondOrder}",
        Thought = judgement.First.Concat(judgement.Second).Select(said => said.Thought).OfType<string>().FirstOrDefault() ?? "",
    };
}
