using J1.Data;

namespace J1.Judging;

/// <summary>Compares the two responses of a pair. <c>Compare(a, b) = -Compare(b, a)</c> exactly; labels are never read.</summary>
public interface IJudge
{
    /// <summary>A hash over all that its judgements depend on: model, prompt, sampling, seed, votes. Equal identities give equal judgements.</summary>
    string Identity { get; }

    /// <summary>Judges every pair, in both orders.</summary>
    /// <returns>One judgement a pair, in the pairs' order.</returns>
    ValueTask<IReadOnlyList<PairJudgement>> JudgeAsync(IReadOnlyList<PreferencePair> pairs, CancellationToken cancellationToken = default);
}

/// <summary>Reads responses as they are shown, in one order. Judge with <see cref="TwoOrderJudge"/>, which asks it twice.</summary>
public interface IOrderedJudge
{
    /// <summary>What it is asked for.</summary>
    JudgeMode Mode { get; }

    /// <summary>Model, prompt, sampling and seed.</summary>
    Provenance Provenance { get; }

    /// <summary>Reads each of <paramref name="shown"/> <paramref name="votes"/> times.</summary>
    /// <returns>Shape [shown][votes]. An instant judge has one vote, whatever is asked.</returns>
    ValueTask<IReadOnlyList<Judgement[]>> ReadAsync(IReadOnlyList<ShownPair> shown, int votes, CancellationToken cancellationToken = default);
}

/// <summary>What a judge sees: responses in the order they are shown, and no label.</summary>
/// <param name="Id">The pair's id, for messages.</param>
/// <param name="Instruction">What was asked.</param>
/// <param name="First">The response shown as A.</param>
/// <param name="Second">The response shown as B; null for a pointwise judge.</param>
public sealed record ShownPair(string Id, string Instruction, string First, string? Second);

/// <summary>Short ways to ask.</summary>
public static class JudgeExtensions
{
    /// <summary>Compares two responses.</summary>
    public static async ValueTask<PairJudgement> CompareAsync(this IJudge judge, string instruction, string a, string b, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(judge);
        var pair = new PreferencePair { Id = "pair", Instruction = instruction, ResponseA = a, ResponseB = b };
        return (await judge.JudgeAsync([pair], cancellationToken).ConfigureAwait(false))[0];
    }
}
