using J1.Data;
using J1.Engines;
using J1.Judging;

namespace J1.Extensions.AI;

/// <summary>A pointwise judge as a rater. A local engine runs one rating at a time; others wait without holding a thread.</summary>
public sealed class JudgeRater : IAnswerRater
{
    private readonly IJudge _judge;
    private readonly SemaphoreSlim? _turn;

    /// <param name="judge">Its mode is <see cref="JudgeMode.Pointwise"/>.</param>
    /// <param name="votes">Readings an answer, of which the score is the mean; more than one needs a temperature above 0 to differ. Default 1.</param>
    /// <param name="around">What is put around the judge, for example <c>judge => new CachedJudge(judge)</c>.</param>
    /// <param name="name">For traces. Default "j1".</param>
    /// <exception cref="ArgumentException">The judge is for pairs.</exception>
    public JudgeRater(IOrderedJudge judge, int votes = 1, Func<IJudge, IJudge>? around = null, string name = "j1")
    {
        ArgumentNullException.ThrowIfNull(judge);
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (judge.Mode != JudgeMode.Pointwise)
            throw new ArgumentException($"The judge's mode is {judge.Mode}; one answer is rated by a pointwise judge. Give its format Mode = JudgeMode.Pointwise, or let it compare answers as {nameof(JudgeOptions)}.{nameof(JudgeOptions.Chooser)}.", nameof(judge));
        var pairs = new TwoOrderJudge(judge, votes);
        _judge = around is null ? pairs : around(pairs);
        _turn = judge is EngineJudge ? new SemaphoreSlim(1) : null;
        Name = name;
    }

    public string Name { get; }

    public async ValueTask<Rating> RateAsync(string question, string answer, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(answer);
        // An answer beside itself: a pointwise judge reads equal responses once, and everything that is made for pairs, caches among it, serves.
        var pair = new PreferencePair { Id = "answer", Instruction = question, ResponseA = answer, ResponseB = answer };
        if (_turn is not null) await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return Read((await _judge.JudgeAsync([pair], cancellationToken).ConfigureAwait(false))[0]);
        }
        catch (ContextOverflowException error)
        {
            return Rating.Without(InvalidReason.TooLong, error.Message);
        }
        finally
        {
            _turn?.Release();
        }
    }

    private static Rating Read(PairJudgement said)
    {
        var tokens = said.First.Sum(reading => reading.Tokens ?? 0);
        if (said.Invalid is { } why)
        {
            var failed = said.First.FirstOrDefault(reading => reading.Invalid == why);
            return Rating.Without(why, failed?.Thought ?? failed?.Text ?? "") with { Tokens = tokens };
        }
        var valid = said.First.Where(reading => reading.ScoreA is not null).ToArray();
        var score = valid.Average(reading => reading.ScoreA!.Value);
        return Rating.Of(score, valid.MinBy(reading => Math.Abs(reading.ScoreA!.Value - score))!.Thought ?? "") with { Tokens = tokens };
    }
}
