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
    /// <param name="section">What the experiment names.</param>
    /// <param name="seed">The run's.</param>
    /// <param name="written">Files that the run's own first stage made; read as those of the section.</param>
    public static RunData Load(DataSection section, ulong seed, IReadOnlyList<string> written)
    {
        if (section.Generate is { } generate && written.Count == 0)
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
        if (section.Generate is not null)
        {
            var made = Load(section, seed, []);
            train.AddRange(made.Train);
            test.AddRange(made.Test);
        }
        foreach (var file in section.Files.Concat(written))
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

    /// <summary>What tasks can use of the pairs: at most <paramref name="testPairs"/> of the test pairs, and about <paramref name="calibrationPairs"/> of the training pairs set aside.</summary>
    public UsablePairs For(IReadOnlyList<JudgeTask> tasks, int? testPairs, int calibrationPairs, ulong splitSeed)
    {
        var (train, test) = (Fit(Train, "training"), Fit(Test, "test"));
        var share = Math.Min(0.25, calibrationPairs / (double)train.Count);
        // By instruction, so that what is calibrated on shares none with what is trained on; another seed than that of the test part.
        var (rest, held) = DataSplit.ByInstruction(train, share, splitSeed ^ 0xCA11B8A7E);
        if (rest.Count == 0) (rest, held) = (train, []);
        return new UsablePairs(rest, held, Some(test, testPairs, 0, 0x7E57), Train.Count - train.Count, Test.Count - test.Count);

        IReadOnlyList<PreferencePair> Fit(IReadOnlyList<PreferencePair> pairs, string what)
        {
            var kept = tasks.Aggregate(pairs, (left, task) => task.Filter(left).Kept);
            return kept.Count > 0 ? kept
                : throw new DataException($"No {what} pair fits: all {pairs.Count} prompts are longer than {tasks.Min(task => task.MaxPromptTokens)} tokens. Raise data.max_prompt_tokens or model.context_length, or lower judge.max_completion_tokens.");
        }
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
/// <param name="Train">To train on.</param>
/// <param name="Calibration">Held out of the training pairs, to calibrate on; may be none.</param>
/// <param name="Test">Never trained on.</param>
/// <param name="TrainDropped">Training pairs that were too long.</param>
/// <param name="TestDropped">Test pairs that were too long.</param>
internal sealed record UsablePairs(IReadOnlyList<PreferencePair> Train, IReadOnlyList<PreferencePair> Calibration, IReadOnlyList<PreferencePair> Test, int TrainDropped, int TestDropped);
