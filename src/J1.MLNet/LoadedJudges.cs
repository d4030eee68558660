using System.Collections.Concurrent;
using J1.MLNet.Saving;
using J1.MLNet.Stages;

namespace J1.MLNet;

/// <summary>
/// The judges of models that ML.NET itself loaded. ML.NET disposes of no mapping, so they stay until <see cref="Clear"/>; the same file loaded twice is one judge.
/// What <see cref="J1Catalog.LoadModel(string, out Microsoft.ML.DataViewSchema)"/> returns is not among them: it belongs to its transformer.
/// </summary>
public static class LoadedJudges
{
    private static readonly ConcurrentDictionary<string, Lazy<JudgeStage>> Stages = new(StringComparer.Ordinal);

    /// <summary>Judges in memory.</summary>
    public static int Count => Stages.Count;

    /// <summary>Frees them all. A model that is still scored with fails from then on; load it anew.</summary>
    public static void Clear()
    {
        foreach (var name in Stages.Keys)
            if (Stages.TryRemove(name, out var stage) && stage.IsValueCreated) stage.Value.Judge.Dispose();
    }

    internal static JudgeStage Stage(ReadOnlyMemory<char> state)
    {
        var read = JudgeState.Read(state);
        var name = JudgeState.NameOf(state);
        var stage = Stages.GetOrAdd(name, _ => new Lazy<JudgeStage>(() => Open(read)));
        try
        {
            return stage.Value;
        }
        catch
        {
            // A base model that was missing may be there the next time.
            Stages.TryRemove(KeyValuePair.Create(name, stage));
            throw;
        }
    }

    internal static JudgeStage Open(JudgeState state)
    {
        var judge = Judge.Of(new SavedModel(state.Weights, state.TrainedWith), state.Settings);
        try
        {
            return JudgeStage.Of(judge, state.Stage);
        }
        catch
        {
            judge.Dispose();
            throw;
        }
    }
}
