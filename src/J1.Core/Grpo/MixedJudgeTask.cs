using J1.Data;
using J1.Engines;

namespace J1.Grpo;

/// <summary>
/// One model, several ways of being asked (the paper's multitask judge: scores of a pair, and a score of each response alone). Every pair is there once for each way,
/// so a batch holds a mixture of them; what one earns has nothing to do with the others.
/// </summary>
public sealed class MixedJudgeTask : IJudgeTask
{
    private readonly Dictionary<string, JudgeTask> _taskOf = new(StringComparer.Ordinal);

    /// <param name="tasks">At least one; of several, no two in the same mode.</param>
    /// <param name="pairs">What is trained on; ids are unique.</param>
    /// <exception cref="ArgumentException">There is no task, or two have the same mode, or an id is there twice.</exception>
    public MixedJudgeTask(IReadOnlyList<JudgeTask> tasks, IReadOnlyList<PreferencePair> pairs)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        ArgumentNullException.ThrowIfNull(pairs);
        if (tasks.Count == 0) throw new ArgumentException("Name at least one task.", nameof(tasks));
        if (tasks.DistinctBy(task => task.Format.Mode).Count() < tasks.Count) throw new ArgumentException("Two tasks have the same mode.", nameof(tasks));
        MaxCompletionTokens = tasks.Max(task => task.MaxCompletionTokens);
        var expanded = new List<PreferencePair>(pairs.Count * tasks.Count);
        foreach (var task in tasks)
            foreach (var pair in pairs)
            {
                var own = tasks.Count == 1 ? pair : pair with { Id = $"{pair.Id} ({task.Format.Mode})" };
                if (!_taskOf.TryAdd(own.Id, task)) throw new ArgumentException($"The id '{pair.Id}' is there twice; rename or remove one.", nameof(pairs));
                expanded.Add(own);
            }
        Pairs = expanded;
    }

    /// <summary>What to train on: the pairs once for each task, told apart by their ids where there are several.</summary>
    public IReadOnlyList<PreferencePair> Pairs { get; }

    /// <summary>The longest completion of any task.</summary>
    public int MaxCompletionTokens { get; }

    /// <summary>The task of one of <see cref="Pairs"/>.</summary>
    public JudgeTask For(PreferencePair pair)
    {
        ArgumentNullException.ThrowIfNull(pair);
        return _taskOf.TryGetValue(pair.Id, out var task) ? task : throw new ArgumentException($"The pair '{pair.Id}' is none of those to train on.", nameof(pair));
    }

    public int[][] Prompts(PreferencePair pair) => For(pair).Prompts(pair);

    public Grade[][] Grade(PreferencePair pair, Sample[][] samples) => For(pair).Grade(pair, samples);

    public int[][]? Targets(PreferencePair pair) => For(pair).Targets(pair);
}
