namespace J1.Extensions.AI;

/// <summary>An instant verdict from the alternatives of its letter.</summary>
internal static class LetterOdds
{
    /// <summary>
    /// log p(A) - log p(B) in nats where the verdict's letter stands: the first token that is A or B, at the reply's beginning or after <c>[[</c>. Null where there is none.
    /// A letter that is not among the alternatives counts as likely as the least likely of them.
    /// </summary>
    public static double? Of(IReadOnlyList<TokenAlternatives> tokens)
    {
        var before = "";
        foreach (var token in tokens)
        {
            if (Letter(token.Token) is not null && (before.TrimEnd().Length == 0 || (before + token.Token[..token.Token.IndexOfAny(['A', 'B'])]).TrimEnd().EndsWith("[[", StringComparison.Ordinal)))
                return token.Alternatives.Count == 0 ? null : LogSum(token.Alternatives, 'A') - LogSum(token.Alternatives, 'B') is var odds && double.IsFinite(odds) ? odds : null;
            before += token.Token;
        }
        return null;
    }

    private static double LogSum(IReadOnlyList<KeyValuePair<string, double>> alternatives, char letter)
    {
        var own = alternatives.Where(alternative => Letter(alternative.Key) == letter).Select(alternative => alternative.Value).ToArray();
        if (own.Length == 0) return alternatives.Min(alternative => alternative.Value);
        var max = own.Max();
        return max + Math.Log(own.Sum(value => Math.Exp(value - max)));
    }

    private static char? Letter(string token) => token.Trim(' ', '[', ']', '\n') switch { "A" => 'A', "B" => 'B', _ => null };
}
