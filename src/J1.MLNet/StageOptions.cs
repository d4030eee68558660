namespace J1.MLNet;

/// <summary>What all scoring stages have in common.</summary>
public abstract record StageOptions
{
    /// <summary>Text: what was asked. Default <c>Instruction</c>.</summary>
    public string InstructionColumnName { get; init; } = "Instruction";

    /// <summary>Text: the judge's first thought; null leaves the column out. Default null.</summary>
    public string? ThoughtColumnName { get; init; }

    /// <summary>Rows a model call, which reads that many rows ahead; each order is a call of its own. Default 32.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Rows whose result is remembered, the newest, since every estimator that comes after reads the rows again; 0 remembers none. Default 4,096.</summary>
    public int RememberedRows { get; init; } = 4096;
}

/// <summary>Which of two responses is better.</summary>
public sealed record ScorePairsOptions : StageOptions
{
    /// <summary>Text. Default <c>ResponseA</c>.</summary>
    public string ResponseAColumnName { get; init; } = "ResponseA";

    /// <summary>Text. Default <c>ResponseB</c>.</summary>
    public string ResponseBColumnName { get; init; } = "ResponseB";

    /// <summary>Boolean: A is better. False for a tie and an invalid verdict, which the verdict tells apart.</summary>
    public string PredictedLabelColumnName { get; init; } = "PredictedLabel";

    /// <summary>Single: the probability that A is better; NaN where the verdict is invalid, and for a judge that gives none and is not calibrated.</summary>
    public string ProbabilityColumnName { get; init; } = "Probability";

    /// <summary>Single: how far A is ahead (log-odds, score difference, or mean vote), negative where B is; NaN where the verdict is invalid.</summary>
    public string ScoreColumnName { get; init; } = "Score";

    /// <summary>Text: A, B, Tie or Invalid, of both orders together.</summary>
    public string VerdictColumnName { get; init; } = "Verdict";

    /// <summary>Boolean: the two orders name different responses.</summary>
    public string FlippedColumnName { get; init; } = "Flipped";

    /// <summary>Text: the verdict with A shown first.</summary>
    public string FirstOrderColumnName { get; init; } = "FirstOrder";

    /// <summary>Text: the verdict with B shown first; A is still ResponseA.</summary>
    public string SecondOrderColumnName { get; init; } = "SecondOrder";
}

/// <summary>A score of each response alone, by a pointwise judge.</summary>
public sealed record ScoreResponsesOptions : StageOptions
{
    /// <summary>Text. Default <c>Response</c>.</summary>
    public string ResponseColumnName { get; init; } = "Response";

    /// <summary>Single: 0 to 10, the mean of the votes; NaN where the outcome is invalid.</summary>
    public string ScoreColumnName { get; init; } = "Score";

    /// <summary>Text: Scored, or why there is no score (Unparsed, Truncated, TooLong...).</summary>
    public string OutcomeColumnName { get; init; } = "Outcome";
}

/// <summary>Whether a response is good enough, by a pointwise judge: a gate, and a binary classifier of single responses.</summary>
public sealed record RateResponseOptions : StageOptions
{
    /// <summary>Text. Default <c>Response</c>.</summary>
    public string ResponseColumnName { get; init; } = "Response";

    /// <summary>The lowest rating that is accepted, 0 to 10. Default 5.</summary>
    public float MinimumRating { get; init; } = 5;

    /// <summary>Single: 0 to 10, the mean of the votes; NaN where the outcome is invalid.</summary>
    public string RatingColumnName { get; init; } = "Rating";

    /// <summary>Boolean: the rating is at least the minimum; false for an invalid outcome.</summary>
    public string PredictedLabelColumnName { get; init; } = "PredictedLabel";

    /// <summary>Single: rating minus minimum, so that its sign is the decision; NaN where the outcome is invalid.</summary>
    public string ScoreColumnName { get; init; } = "Score";

    /// <summary>Text: Accepted, Rejected, or why there is no rating.</summary>
    public string OutcomeColumnName { get; init; } = "Outcome";
}

/// <summary>The best of several responses: by a judge of pairs, each against each; by a pointwise judge, the highest score.</summary>
public sealed record ChooseBestOptions : StageOptions
{
    /// <summary>A vector of text of any length; empty ones do not compete. Default <c>Responses</c>.</summary>
    public string ResponsesColumnName { get; init; } = "Responses";

    /// <summary>Text: the best response; empty where there is none.</summary>
    public string BestColumnName { get; init; } = "Best";

    /// <summary>Int32: its place from 0, the first of equals; -1 where there is none.</summary>
    public string BestIndexColumnName { get; init; } = "BestIndex";

    /// <summary>A vector of Single, one a response: wins minus losses as a share of its valid comparisons (-1 to 1), or a pointwise judge's score (0 to 10); NaN where there is none.</summary>
    public string ScoresColumnName { get; init; } = "Scores";

    /// <summary>Text: Chosen; Only, where one response alone competes; Invalid.</summary>
    public string OutcomeColumnName { get; init; } = "Outcome";
}
