using J1.Judging;

namespace J1.Data;

/// <summary>
/// The paper's pairs for problems with a key: the model solves each problem several times; a solution that ends with another answer is rejected against one that
/// reaches the key, or against the response that comes with the problem.
/// </summary>
public sealed class WrongAnswerPairs : IPairBuilder
{
    private readonly ITextModel _model;
    private readonly int _samples;
    private readonly ulong _seed;

    /// <param name="model">Writes the solutions; at a temperature above 0, or they are all the same.</param>
    /// <param name="samples">Solutions a problem. Default 8.</param>
    /// <param name="seed">Decides what is sampled, and which side the better response stands on. Default 0.</param>
    public WrongAnswerPairs(ITextModel model, int samples = 8, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        (_model, _samples, _seed) = (model, samples, seed);
    }

    public string Identity => Hashes.Of("wrong answer", _model.Identity, PairPrompt.Solution, _samples, _seed);

    public async Task<IReadOnlyList<BuiltPair>> BuildAsync(IReadOnlyList<PairSource> sources, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sources);
        if (sources.FirstOrDefault(source => string.IsNullOrWhiteSpace(source.Answer)) is { } without)
            throw new DataException($"The source '{without.Id}' has no answer to check solutions against. Add the key, or make pairs of noisy instructions.");
        var asked = sources.Select(source => PairPrompt.Ask(PairPrompt.Solution, ("instruction", source.Instruction))).ToArray();
        var written = await _model.WriteAsync(asked, _samples, PairPrompt.Seed(_seed, sources), cancellationToken).ConfigureAwait(false);
        return [.. sources.Select((source, i) => Build(source, written[i]))];
    }

    private BuiltPair Build(PairSource source, string?[] solutions)
    {
        // A solution without an answer that can be read is neither right nor wrong.
        var read = solutions.OfType<string>().Select(text => (Text: text.Trim(), Answer: FinalAnswer.Read(text))).Where(one => one.Answer is not null).ToArray();
        if (read.Length == 0) return new(source.Id, null, PairSkip.Unparsed);
        var right = source.Response ?? read.FirstOrDefault(one => FinalAnswer.AreEqual(one.Answer!, source.Answer!)).Text;
        var wrong = read.FirstOrDefault(one => !FinalAnswer.AreEqual(one.Answer!, source.Answer!)).Text;
        return right is null ? new(source.Id, null, PairSkip.NoneRight)
            : wrong is null ? new(source.Id, null, PairSkip.NoneWrong)
            : wrong == right ? new(source.Id, null, PairSkip.Same)
            : PairPrompt.Pair(source, right, wrong, _seed);
    }
}
