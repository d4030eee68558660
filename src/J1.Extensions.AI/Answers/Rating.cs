using System.Text.Json.Serialization;
using J1.Judging;

namespace J1.Extensions.AI;

/// <summary>What a judge made of one answer: a score from 0 to 10, or none and why. No score is never a number.</summary>
public sealed record Rating
{
    /// <summary>0 to 10, higher is better; null where the answer could not be rated.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a number from 0 to 10.</exception>
    public double? Score
    {
        get;
        init => field = value is null or (>= 0 and <= 10) ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A score is a number from 0 to 10.");
    }

    /// <summary>Why there is no score; null where there is one.</summary>
    public InvalidReason? Invalid { get => Score is null ? field ?? InvalidReason.Failed : null; init; }

    /// <summary>The judge's reasons in its own words, or what went wrong; empty where it gave none.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Tokens the judge read and wrote, as far as its host counted them.</summary>
    public long Tokens { get; init; }

    /// <summary>Whether there is a score.</summary>
    [JsonIgnore]
    public bool IsValid => Score is not null;

    /// <summary>A score.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a number from 0 to 10.</exception>
    public static Rating Of(double score, string reason = "") => new() { Score = score, Reason = reason };

    /// <summary>No score.</summary>
    public static Rating Without(InvalidReason why, string reason = "") => new() { Invalid = why, Reason = reason };
}

/// <summary>Rates one answer. Called from several threads.</summary>
public interface IAnswerRater
{
    /// <summary>What is rated, for traces (<c>gen_ai.evaluation.name</c>).</summary>
    string Name { get; }

    /// <summary>Rates <paramref name="answer"/>, which is untrusted text. What cannot be rated is returned as such; a thrown exception counts as that too.</summary>
    ValueTask<Rating> RateAsync(string question, string answer, CancellationToken cancellationToken = default);
}
