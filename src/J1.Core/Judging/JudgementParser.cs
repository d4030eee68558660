using System.Globalization;
using System.Text.RegularExpressions;

namespace J1.Judging;

/// <summary>How forgiving a completion is read.</summary>
public enum ParserRules
{
    /// <summary>
    /// The last match after the last <c>&lt;/think&gt;</c>; nothing inside a thought that never ended. Both letters, or two scores for one response, are Invalid;
    /// so is a score that is missing or outside 0 to 10. Scores may have any decimals.
    /// </summary>
    Strict,

    /// <summary>
    /// The paper's own parser, to reproduce its numbers: the last match anywhere; scores with at most one decimal and any size;
    /// where a score is missing, all count as 0, which makes a pair of scores a tie.
    /// </summary>
    Official,
}

/// <summary>Reads completions. Only what the model wrote is read, never the prompt.</summary>
public static partial class JudgementParser
{
    private const string ThoughtStart = "<think>", ThoughtEnd = "</think>";

    /// <summary>Reads one completion.</summary>
    /// <param name="completion">What the model wrote, with the prefix that was put in its mouth, if any.</param>
    /// <param name="mode">What it was asked for.</param>
    /// <param name="truncated">Whether it was cut off; then a missing verdict is <see cref="InvalidReason.Truncated"/>.</param>
    /// <param name="rules">Default <see cref="ParserRules.Strict"/>.</param>
    public static Judgement Parse(string completion, JudgeMode mode, bool truncated, ParserRules rules = ParserRules.Strict)
    {
        ArgumentNullException.ThrowIfNull(completion);
        var (thought, answer) = Split(completion, rules);
        var judgement = mode switch
        {
            JudgeMode.Verdict => Verdict(answer, rules),
            JudgeMode.Scores => Scores(answer, rules),
            JudgeMode.ScoresAndVerdict => Verdict(answer, rules) with { ScoreA = Score(answer, ScoreA(), rules).Value, ScoreB = Score(answer, ScoreB(), rules).Value },
            JudgeMode.Pointwise => Pointwise(answer, rules),
            _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "Not a mode."),
        };
        if (judgement.Invalid == InvalidReason.Unparsed && truncated) judgement = judgement with { Invalid = InvalidReason.Truncated };
        return judgement with { Text = completion, Thought = thought };
    }

    /// <summary>The thought, and the part that may hold the verdict.</summary>
    private static (string? Thought, string Answer) Split(string completion, ParserRules rules)
    {
        var end = completion.LastIndexOf(ThoughtEnd, StringComparison.Ordinal);
        var start = completion.IndexOf(ThoughtStart, StringComparison.Ordinal);
        var from = start >= 0 && (end < 0 || start < end) ? start + ThoughtStart.Length : 0;
        var thought = end >= from ? completion[from..end].Trim() : start >= 0 ? completion[from..].Trim() : null;
        if (rules == ParserRules.Official) return (thought, completion);
        var rest = end < 0 ? completion : completion[(end + ThoughtEnd.Length)..];
        // A thought that was opened and never closed is still a thought.
        var open = rest.IndexOf(ThoughtStart, StringComparison.Ordinal);
        return (thought, open < 0 ? rest : rest[..open]);
    }

    private static Judgement Verdict(string answer, ParserRules rules)
    {
        var letters = Letter().Matches(answer);
        if (letters.Count == 0) return Judgement.Without(InvalidReason.Unparsed);
        var last = letters[^1].Groups[1].Value;
        if (rules == ParserRules.Strict && letters.Any(letter => letter.Groups[1].Value != last)) return Judgement.Without(InvalidReason.Conflicting);
        return new Judgement { Outcome = last == "A" ? Outcome.A : Outcome.B };
    }

    private static Judgement Scores(string answer, ParserRules rules)
    {
        var (a, b) = (Score(answer, rules == ParserRules.Strict ? ScoreA() : OfficialScoreA(), rules), Score(answer, rules == ParserRules.Strict ? ScoreB() : OfficialScoreB(), rules));
        if (rules == ParserRules.Official && (a.Value is null || b.Value is null)) (a, b) = ((0, null), (0, null));
        if ((a.Invalid ?? b.Invalid) is { } reason) return Judgement.Without(reason);
        return new Judgement { Outcome = Outcomes.OfMargin(a.Value!.Value - b.Value!.Value), ScoreA = a.Value, ScoreB = b.Value };
    }

    private static Judgement Pointwise(string answer, ParserRules rules)
    {
        var score = Score(answer, rules == ParserRules.Strict ? ScoreAlone() : OfficialScoreAlone(), rules);
        if (rules == ParserRules.Official) score = (score.Value ?? 0, null);
        return score.Invalid is { } reason ? Judgement.Without(reason) : new Judgement { Outcome = Outcome.Tie, ScoreA = score.Value };
    }

    private static (double? Value, InvalidReason? Invalid) Score(string answer, Regex tag, ParserRules rules)
    {
        var scores = tag.Matches(answer).Select(match => double.Parse(match.Groups[1].ValueSpan, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture)).ToArray();
        if (scores.Length == 0) return (null, InvalidReason.Unparsed);
        if (rules == ParserRules.Official) return (scores[^1], null);
        if (scores.Any(score => score != scores[^1])) return (null, InvalidReason.Conflicting);
        return scores[^1] is >= 0 and <= 10 ? (scores[^1], null) : (null, InvalidReason.Unparsed);
    }

    // No two neighbouring repeats can match the same text: reading takes time in proportion to the completion, whatever it holds.
    [GeneratedRegex(@"<answer>\s*\[\[\s*([AB])\s*\]\]\s*</answer>", RegexOptions.CultureInvariant)]
    private static partial Regex Letter();

    [GeneratedRegex(@"<score_A>\s*((?>[0-9]+)(?:\.(?>[0-9]+))?)(?:\s*/\s*10)?\s*</score_A>", RegexOptions.CultureInvariant)]
    private static partial Regex ScoreA();

    [GeneratedRegex(@"<score_B>\s*((?>[0-9]+)(?:\.(?>[0-9]+))?)(?:\s*/\s*10)?\s*</score_B>", RegexOptions.CultureInvariant)]
    private static partial Regex ScoreB();

    [GeneratedRegex(@"<score>\s*((?>[0-9]+)(?:\.(?>[0-9]+))?)(?:\s*/\s*10)?\s*</score>", RegexOptions.CultureInvariant)]
    private static partial Regex ScoreAlone();

    [GeneratedRegex(@"<score_A>\s*((?>[0-9]+)(?:\.[0-9])?)(?:\s*/\s*10)?\s*</score_A>", RegexOptions.CultureInvariant)]
    private static partial Regex OfficialScoreA();

    [GeneratedRegex(@"<score_B>\s*((?>[0-9]+)(?:\.[0-9])?)(?:\s*/\s*10)?\s*</score_B>", RegexOptions.CultureInvariant)]
    private static partial Regex OfficialScoreB();

    [GeneratedRegex(@"<score>\s*((?>[0-9]+)(?:\.[0-9])?)(?:\s*/\s*10)?\s*</score>", RegexOptions.CultureInvariant)]
    private static partial Regex OfficialScoreAlone();
}
