using J1.Judging;

namespace J1.Data;

/// <summary>
/// The paper's pairs for instructions without a key: the model writes a variant of the instruction that asks for something else, and a good answer to that.
/// The answer is then the rejected response to the original instruction: well written, and beside the point.
/// </summary>
public sealed class NoisyInstructionPairs : IPairBuilder
{
    private const string Question = "[User Question Modified]",
        Start = "[The start of Assistant's answer to the modified instruction]",
        End = "[The end of Assistant's answer to the modified instruction]";

    private readonly ITextModel _model;
    private readonly ulong _seed;

    /// <param name="model">Writes one reply a source.</param>
    /// <param name="seed">Decides what is sampled, and which side the better response stands on. Default 0.</param>
    public NoisyInstructionPairs(ITextModel model, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(model);
        (_model, _seed) = (model, seed);
    }

    public string Identity => Hashes.Of("noisy instruction", _model.Identity, PairPrompt.NoisyInstruction, _seed);

    public async Task<IReadOnlyList<BuiltPair>> BuildAsync(IReadOnlyList<PairSource> sources, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sources);
        var asked = sources.Select(source => PairPrompt.Ask(PairPrompt.NoisyInstruction, ("instruction", source.Instruction), ("response", Response(source)))).ToArray();
        var written = await _model.WriteAsync(asked, 1, PairPrompt.Seed(_seed, sources), cancellationToken).ConfigureAwait(false);
        return [.. sources.Select((source, i) => Build(source, written[i][0]))];
    }

    private BuiltPair Build(PairSource source, string? reply)
    {
        if (Read(reply) is not var (instruction, rejected)) return new(source.Id, null, PairSkip.Unparsed);
        var isSame = DataSplit.Normalise(instruction) == DataSplit.Normalise(source.Instruction) || DataSplit.Normalise(rejected) == DataSplit.Normalise(Response(source));
        return isSame ? new(source.Id, null, PairSkip.Same) : PairPrompt.Pair(source, Response(source), rejected, _seed);
    }

    /// <summary>The modified instruction and its answer; null where the reply has not the form.</summary>
    private static (string Instruction, string Rejected)? Read(string? reply)
    {
        var question = reply?.IndexOf(Question, StringComparison.Ordinal) ?? -1;
        var start = question < 0 ? -1 : reply!.IndexOf(Start, question, StringComparison.Ordinal);
        var end = start < 0 ? -1 : reply!.IndexOf(End, start, StringComparison.Ordinal);
        if (end < 0) return null;
        var (instruction, rejected) = (reply![(question + Question.Length)..start].Trim(), reply[(start + Start.Length)..end].Trim());
        return instruction.Length > 0 && rejected.Length > 0 ? (instruction, rejected) : null;
    }

    private static string Response(PairSource source) => source.Response
        ?? throw new DataException($"The source '{source.Id}' has no response; a noisy instruction needs a good one to reject another against. Add it, or make pairs of wrong answers.");
}
