using J1.Cli.Configuration;
using J1.Data;
using J1.Engines;
using J1.Grpo;

namespace J1.Cli.Running;

/// <summary>The pairs of a run before their prompts are encoded.</summary>
/// <param name="Train">To train on; labelled A or B.</param>
/// <param name="Test">Never trained on; labelled A or B.</param>
/// <param name="Unlabelled">Pairs left out because they have no label, or a tie.</param>
internal sealed record RunData(IReadOnlyList<PreferencePair> Train, IReadOnlyList<PreferencePair> Test, int Unlabelled)
{
    /// <exception cref="DataException">A file cannot be read, or nothing is left to train or test on.</exception>
    public static RunData Load(DataSection section, ulong seed)
    {
        if (section.Generate is { } generate)
        {
            try
            {
                var (made, unseen) = ProblemGenerator.Generate(generate.Kinds, generate.TrainPairs, generate.TestPairs, seed);
                return new RunData(made, unseen, 0);
            }
            catch (ArgumentException error)
            {
                throw new DataException($"data.generate: {error.Message}", error);
            }
        }

        var (train, test, unlabelled) = (new List<PreferencePair>(), new List<PreferencePair>(), 0);
        foreach (var file in section.Files)
        {
            var (kept, held) = DataSplit.ByInstruction(Labelled(file), section.TestShare, section.SplitSeed);
            train.AddRange(Some(kept, section.MaxPairsPerFile, seed, (ulong)train.Count));
            test.AddRange(held);
        }
        foreach (var file in section.TestFiles) test.AddRange(Labelled(file));
        if (train.Count == 0) throw new DataException("The files leave no pair to train on: none has a label A or B outside the test share.");
        if (test.Count == 0) throw new DataException("The files leave no pair to test on. Raise data.test_share, or name data.test_files.");
        return new RunData(section.QuoteWords is { } words ? [.. train.Select(pair => Thoughts.Quoting(pair, words))] : train, test, unlabelled);

        List<PreferencePair> Labelled(string file)
        {
            PreferencePair[] all = [.. PreferencePairs.Read(file)];
            List<PreferencePair> labelled = [.. all.Where(pair => pair.Label is Preference.A or Preference.B)];
            unlabelled += all.Length - labelled.Count;
            return labelled;
        }
    }

    /// <summary>What a task can use of the pairs, and at most <paramref name="most"/> of the test pairs.</summary>
    public UsablePairs For(JudgeTask task, int? most)
    {
        var (train, test) = (task.Filter(Train), task.Filter(Test));
        if (train.Kept.Count == 0) throw new DataException($"No training pair fits: all {train.Dropped.Count} prompts are longer than {task.MaxPromptTokens} tokens. Raise data.max_prompt_tokens or model.context_length, or lower judge.max_completion_tokens.");
        if (test.Kept.Count == 0) throw new DataException($"No test pair fits: all {test.Dropped.Count} prompts are longer than {task.MaxPromptTokens} tokens. Raise data.max_prompt_tokens or model.context_length, or lower judge.max_completion_tokens.");
        return new UsablePairs(train.Kept, Some(test.Kept, most, 0, 0x7E57), train.Dropped.Count, test.Dropped.Count);
    }

    /// <summary>A random choice of at most <paramref name="most"/>, in the pairs' order.</summary>
    private static IReadOnlyList<PreferencePair> Some(IReadOnlyList<PreferencePair> pairs, int? most, ulong seed, ulong stream)
    {
        if (most is not { } count || count >= pairs.Count) return pairs;
        int[] indices = [.. Enumerable.Range(0, pairs.Count)];
        SplitMix.For(seed, 0xDA7A, stream).Shuffle(indices.AsSpan());
        return [.. indices[..count].Order().Select(i => pairs[i])];
    }
}

/// <summary>The pairs a run works with.</summary>
internal sealed record UsablePairs(IReadOnlyList<PreferencePair> Train, IReadOnlyList<PreferencePair> Test, int TrainDropped, int TestDropped);
