using J1.Data;
using J1.Engines;

namespace J1.Grpo;

/// <summary>
/// What stands between preference pairs and tokens: how a pair is asked, in both orders, and how completions are graded.
/// The trainers know no more of judging than this.
/// </summary>
public interface IJudgeTask
{
    /// <summary>
    /// The two prompts of a pair, ready for the engine: the responses as (a, b) and as (b, a); for a pointwise judge, response a alone and response b alone.
    /// </summary>
    int[][] Prompts(PreferencePair pair);

    /// <summary>Grades the completions of both prompts, shape [2][G], against the pair's label.</summary>
    Grade[][] Grade(PreferencePair pair, Sample[][] samples);

    /// <summary>The completions to imitate for both prompts, end token included, for a supervised warm start; null where the pair tells none.</summary>
    int[][]? Targets(PreferencePair pair);
}
