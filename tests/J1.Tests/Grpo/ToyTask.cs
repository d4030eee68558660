using J1.Data;
using J1.Engines;
using J1.Grpo;

namespace J1.Tests.Grpo;

/// <summary>
/// The smallest judge there is: a prompt is one token that names pair and order, an answer is the token A or B and the end token.
/// A bigram table can learn it, so GRPO can be watched learning in milliseconds.
/// </summary>
internal sealed class ToyTask(int pairCount) : IJudgeTask, ITokenizer
{
    public const int End = 0, A = 1, B = 2;

    public IReadOnlyList<PreferencePair> Pairs { get; } =
        [.. Enumerable.Range(0, pairCount).Select(i => new PreferencePair { Id = $"{i}", Instruction = $"question {i}", ResponseA = "a", ResponseB = "b", Label = i % 3 == 0 ? Preference.A : Preference.B })];

    public int VocabularySize => 3 + 2 * pairCount;

    public IReadOnlyList<int> EndTokens => [End];

    public int[][] Prompts(PreferencePair pair) => [[3 + 2 * Index(pair)], [4 + 2 * Index(pair)]];

    public int[][] Targets(PreferencePair pair) => pair.Label == Preference.A ? [[A, End], [B, End]] : [[B, End], [A, End]];

    public Grade[][] Grade(PreferencePair pair, Sample[][] samples) =>
        [.. samples.Select((group, order) => group.Select(sample => Grade(pair, sample, order)).ToArray())];

    public int[] Encode(string text) => throw new NotSupportedException();

    public int[] EncodeChat(IReadOnlyList<ChatMessage> messages, string assistantPrefix = "") => throw new NotSupportedException();

    public string Decode(ReadOnlySpan<int> tokens) => string.Join(' ', tokens.ToArray());

    private static int Index(PreferencePair pair) => int.Parse(pair.Id, System.Globalization.CultureInfo.InvariantCulture);

    private static Grade Grade(PreferencePair pair, Sample sample, int order)
    {
        if (sample.Tokens is not [A or B, End]) return J1.Grpo.Grade.Invalid;
        var choseA = (sample.Tokens[0] == A) == (order == 0);
        return choseA == (pair.Label == Preference.A) ? J1.Grpo.Grade.Right : J1.Grpo.Grade.Wrong;
    }
}
