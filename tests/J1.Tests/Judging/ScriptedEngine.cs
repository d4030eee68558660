using J1.Engines;

namespace J1.Tests.Judging;

/// <summary>One token a character; 0 ends a turn, 1 begins one. What is not ASCII is a question mark.</summary>
internal sealed class CharacterTokenizer : ITokenizer
{
    public const int End = 0, Begin = 1;

    public int VocabularySize => 2 + 96;

    public IReadOnlyList<int> EndTokens => [End];

    public int[] Encode(string text) => [.. text.Select(c => c == '\n' ? 97 : c is >= ' ' and <= '~' ? c - ' ' + 2 : '?' - ' ' + 2)];

    public int[] EncodeChat(IReadOnlyList<ChatMessage> messages, string assistantPrefix = "") =>
        [.. messages.SelectMany(message => (int[])[Begin, .. Encode(message.Content), End]), Begin, .. Encode(assistantPrefix)];

    public string Decode(ReadOnlySpan<int> tokens) => string.Concat(tokens.ToArray().Where(token => token > 1).Select(token => token == 97 ? '\n' : (char)(token + ' ' - 2)));
}

/// <summary>An engine that says what a test tells it to, as a function of the prompt's text.</summary>
internal sealed class ScriptedEngine : IEngine
{
    /// <summary>Completion of (prompt, prompt's index in the call, sample), to its end token.</summary>
    public Func<string, int, int, string> Write { get; init; } = (_, _, _) => "";

    /// <summary>Log-probability of a next token, spelled out, after a prompt.</summary>
    public Func<string, string, double> LogProb { get; init; } = (_, _) => -1;

    public FinishReason Finish { get; init; } = FinishReason.Stop;

    public List<string> Prompts { get; } = [];

    public int Calls { get; private set; }

    public ITokenizer Tokenizer { get; init; } = new CharacterTokenizer();

    public int ContextLength { get; init; } = 3_000_000;

    public string Identity { get; init; } = "scripted";

    public Sample[][] Generate(IReadOnlyList<int[]> prompts, int samplesPerPrompt, SamplingOptions sampling, ulong seed, CancellationToken cancellationToken = default)
    {
        Calls++;
        return [.. prompts.Select((tokens, i) =>
        {
            var prompt = Tokenizer.Decode(tokens);
            Prompts.Add(prompt);
            return Enumerable.Range(0, samplesPerPrompt).Select(j =>
            {
                int[] written = [.. Tokenizer.Encode(Write(prompt, i, j)), CharacterTokenizer.End];
                return new Sample(written, new float[written.Length], Finish);
            }).ToArray();
        })];
    }

    public TokenScores[] Score(IReadOnlyList<TokenSequence> batch, float temperature = 1, CancellationToken cancellationToken = default)
    {
        Calls++;
        return [.. batch.Select(sequence =>
        {
            var (prompt, next) = (Tokenizer.Decode(sequence.Tokens.AsSpan(0, sequence.PromptLength)), Tokenizer.Decode(sequence.Tokens.AsSpan(sequence.PromptLength)));
            return new TokenScores([(float)LogProb(prompt, next)], [0]);
        })];
    }

    public void Dispose() { }
}
