namespace J1.MLNet;

/// <summary>
/// Columns of a stage that builds preference pairs. A row of which no pair can be made has the weight 0, with which a trainer leaves it out; <c>FilterRowsByColumn</c> by the weight drops it.
/// </summary>
public sealed record PairBuilderOptions
{
    /// <summary>Text: what was asked. Default <c>Instruction</c>.</summary>
    public string InstructionColumnName { get; init; } = "Instruction";

    /// <summary>Text: a good response; null where a right solution is to be sampled too. A noisy instruction needs one. Default <c>Response</c>.</summary>
    public string? ResponseColumnName { get; init; } = "Response";

    /// <summary>Text: the key that solutions are checked against; null for a noisy instruction. Default null.</summary>
    public string? AnswerColumnName { get; init; }

    /// <summary>Text: one of the two responses, the side drawn by the row's content and the builder's seed.</summary>
    public string ResponseAColumnName { get; init; } = "ResponseA";

    /// <summary>Text: the other response.</summary>
    public string ResponseBColumnName { get; init; } = "ResponseB";

    /// <summary>Boolean: A is the better one.</summary>
    public string LabelColumnName { get; init; } = "Label";

    /// <summary>Single: 1 where a pair was made, otherwise 0.</summary>
    public string WeightColumnName { get; init; } = "Weight";

    /// <summary>Text: Built, or why no pair could be made.</summary>
    public string OutcomeColumnName { get; init; } = "PairOutcome";

    /// <summary>Rows a call of the builder. Default 8.</summary>
    public int BatchSize { get; init; } = 8;

    /// <summary>Rows whose pair is remembered. Default 4,096.</summary>
    public int RememberedRows { get; init; } = 4096;
}
