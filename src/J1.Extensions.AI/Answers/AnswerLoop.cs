using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Text;
using J1.Data;
using J1.Judging;

namespace J1.Extensions.AI;

/// <summary>One answer a model is asked for.</summary>
/// <param name="Number">Which of the request's answers, from 0.</param>
/// <param name="Previous">The answer before and what the judge said of it; null where nothing is to be said.</param>
public sealed record AnswerRequest(int Number, RatedAnswer? Previous);

/// <summary>An answer's text and its rating.</summary>
public sealed record RatedAnswer(string Text, Rating Rating);

/// <summary>What a model gave.</summary>
/// <param name="Value">The answer as the application knows it.</param>
/// <param name="Text">What is judged.</param>
public sealed record Answer<T>(T Value, string Text)
{
    /// <summary>Tokens it took; null where the host reports none.</summary>
    public long? Tokens { get; init; }

    /// <summary>Its id, for traces.</summary>
    public string? Id { get; init; }

    /// <summary>False for what is no answer yet, such as a tool call: it is passed on at once, unjudged and without a verdict.</summary>
    public bool IsFinal { get; init; } = true;
}

/// <summary>The answer that was taken.</summary>
/// <param name="Answer">What the model gave.</param>
/// <param name="Verdict">What was made of it; null for what is no answer yet (<see cref="Answer{T}.IsFinal"/>).</param>
public sealed record JudgedAnswer<T>(Answer<T> Answer, AnswerVerdict? Verdict);

/// <summary>
/// The loop of every adapter: ask, rate, and accept, ask again or choose, within the budgets. It knows neither chat clients nor kernels.
/// An answer that could not be judged is never preferred to one that was. Safe to use from several threads.
/// </summary>
public sealed class AnswerLoop
{
    private static readonly AsyncLocal<bool> Judging = new();

    /// <exception cref="ArgumentException">The options contradict themselves (<see cref="JudgeOptions.Validate"/>).</exception>
    public AnswerLoop(JudgeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        Options = options;
    }

    public JudgeOptions Options { get; }

    /// <summary>Whether this call comes from a judge at work. Adapters then pass answers through: a judge that uses the client or kernel it judges for would never end.</summary>
    public static bool IsJudging => Judging.Value;

    /// <summary>Runs the loop.</summary>
    /// <param name="question">What was asked; read once, after the first answer.</param>
    /// <param name="ask">Asks the model; called at once from several threads where <see cref="JudgeOptions.Parallel"/> is set.</param>
    /// <param name="cancellationToken">Ends all of it.</param>
    /// <returns>The answer that was taken; whether it is to be held back is in its verdict.</returns>
    /// <exception cref="Exception">The model's own, where it gave no answer at all.</exception>
    public async Task<JudgedAnswer<T>> RunAsync<T>(Func<string> question, Func<AnswerRequest, CancellationToken, Task<Answer<T>>> ask, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(ask);
        using var run = new Run<T>(Options, question, ask, cancellationToken);
        return await run.RunAsync().ConfigureAwait(false);
    }

    /// <summary>One request on its way.</summary>
    private sealed class Run<T> : IDisposable
    {
        private readonly JudgeOptions _options;
        private readonly Func<string> _ask;
        private readonly Func<AnswerRequest, CancellationToken, Task<Answer<T>>> _answer;
        private readonly CancellationToken _caller;
        private readonly CancellationTokenSource? _time;
        private readonly CancellationTokenSource _limited;
        private readonly long _started;
        private readonly Activity? _span;
        private readonly List<Candidate> _all = [];
        private ExceptionDispatchInfo? _error;
        private string? _question;
        private int _asked;

        public Run(JudgeOptions options, Func<string> question, Func<AnswerRequest, CancellationToken, Task<Answer<T>>> ask, CancellationToken cancellationToken)
        {
            (_options, _ask, _answer, _caller, _started) = (options, question, ask, cancellationToken, options.Clock.GetTimestamp());
            _time = options.TimeBudget is { } budget ? new CancellationTokenSource(budget, options.Clock) : null;
            _limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _time?.Token ?? default);
            _span = JudgeTelemetry.Source.StartActivity("judge_answer");
        }

        public async Task<JudgedAnswer<T>> RunAsync()
        {
            Candidate? best = null;
            RatedAnswer? previous = null;
            StopReason? stopped = null;
            for (var attempt = 1; ; attempt++)
            {
                var round = await AskAsync(previous).ConfigureAwait(false);
                if (round.Find(candidate => !candidate.Answer.IsFinal) is { } call) return new(call.Answer, null);
                if (round.Count == 0)
                {
                    if (best is null) _error!.Throw();
                    stopped = TimeIsUp ? StopReason.Time : StopReason.ModelFailed;
                    break;
                }
                var taken = await JudgeAsync(round).ConfigureAwait(false);
                if (best is null || taken.IsBetterThan(best)) best = taken;
                if (IsAccepted(taken)) break;
                stopped = !taken.IsJudged && _options.OnJudgeFailure == JudgeFailure.Release ? StopReason.JudgeFailed
                    : attempt >= _options.MaxAttempts ? StopReason.Attempts
                    : TimeIsUp ? StopReason.Time
                    : !Fits(1) ? StopReason.Tokens : null;
                if (stopped is not null) break;
                previous = taken.Rating is { IsValid: true } rating ? new(taken.Answer.Text, rating) : null;
            }
            return new(best!.Answer, Decide(best, stopped));
        }

        public void Dispose()
        {
            _limited.Dispose();
            _time?.Dispose();
            _span?.Dispose();
        }

        private bool TimeIsUp => _time?.IsCancellationRequested == true;

        private string Question => _question ??= _ask();

        private long Spent => _all.Sum(candidate => candidate.Tokens);

        // Whether so many more answers fit the token budget, at the cost of the dearest so far.
        private bool Fits(int count) => _options.TokenBudget is not { } budget || _all.Count == 0 || Spent + count * _all.Max(candidate => candidate.Tokens) <= budget;

        private bool IsAccepted(Candidate taken) => taken.IsJudged && !(taken.Rating?.Score < _options.Threshold);

        private async Task<List<Candidate>> AskAsync(RatedAnswer? previous)
        {
            var wanted = _options.Candidates;
            while (wanted > 1 && !Fits(wanted)) wanted--;
            var round = new List<Candidate>();
            if (_options.Parallel)
            {
                var all = await Task.WhenAll(Enumerable.Range(0, wanted).Select(_ => AskOneAsync(previous))).ConfigureAwait(false);
                round.AddRange(all.OfType<Candidate>());
                _all.AddRange(round);
            }
            else
                for (var i = 0; i < wanted && (i == 0 || !TimeIsUp && Fits(1)); i++)
                {
                    if (await AskOneAsync(previous).ConfigureAwait(false) is not { } candidate) continue;
                    round.Add(candidate);
                    _all.Add(candidate);
                    if (!candidate.Answer.IsFinal) break;
                    // At once, so that the budget knows what an answer costs with its rating before the next is asked for.
                    if (_options.Chooser is null) await RateAsync(candidate).ConfigureAwait(false);
                }
            _caller.ThrowIfCancellationRequested();
            return round;
        }

        // Null where the model failed; the first failure is kept.
        private async Task<Candidate?> AskOneAsync(RatedAnswer? previous)
        {
            var number = _asked++;
            try
            {
                return new(number, await _answer(new(number, previous), number == 0 ? _caller : _limited.Token).ConfigureAwait(false));
            }
            catch (Exception error) when (!_caller.IsCancellationRequested)
            {
                Interlocked.CompareExchange(ref _error, ExceptionDispatchInfo.Capture(error), null);
                return null;
            }
        }

        // The round's best, with its rating.
        private async Task<Candidate> JudgeAsync(List<Candidate> round)
        {
            if (_options.Chooser is { } chooser && round.Count > 1)
            {
                var chosen = await ChooseAsync(chooser, round).ConfigureAwait(false);
                if (_options.Rater is not null && chosen.Choice is not { IsValid: false }) await RateAsync(chosen).ConfigureAwait(false);
                return chosen;
            }
            if (_options.Rater is null)
            {
                // One answer is left of several: nothing to choose from.
                round[0].Choice = Rating.Without(InvalidReason.Failed, "There is one answer, and nothing to compare it with.");
                return round[0];
            }
            await Task.WhenAll(round.Where(candidate => candidate.Rating is null).Select(RateAsync)).ConfigureAwait(false);
            return round.Aggregate((best, next) => next.IsBetterThan(best) ? next : best);
        }

        private async Task RateAsync(Candidate candidate)
        {
            using var span = JudgeTelemetry.Source.StartActivity($"evaluate {_options.Rater!.Name}");
            var (from, question) = (_options.Clock.GetTimestamp(), Question);
            var (rating, failure) = await GuardAsync(token => _options.Rater.RateAsync(question, candidate.Answer.Text, token).AsTask()).ConfigureAwait(false);
            candidate.Rating = rating ?? failure!;
            JudgeTelemetry.Rated(span, _options, candidate.Rating, candidate.Answer.Id, _options.Clock.GetElapsedTime(from));
        }

        private async Task<Candidate> ChooseAsync(IJudge chooser, List<Candidate> round)
        {
            using var span = JudgeTelemetry.Source.StartActivity("choose_answer");
            var wins = new int[round.Count];
            var lead = new double[round.Count];
            var (pairs, places) = (new List<PreferencePair>(), new List<(int A, int B)>());
            for (var a = 0; a < round.Count; a++)
                for (var b = a + 1; b < round.Count; b++)
                {
                    if (round[a].Answer.Text == round[b].Answer.Text) continue;
                    pairs.Add(new PreferencePair { Id = $"{round[a].Number}:{round[b].Number}", Instruction = Question, ResponseA = round[a].Answer.Text, ResponseB = round[b].Answer.Text });
                    places.Add((a, b));
                }
            var (valid, flips, tokens) = (0, 0, 0L);
            Rating? failure = null;
            if (pairs.Count > 0)
            {
                (var said, failure) = await GuardAsync(token => chooser.JudgeAsync(pairs, token).AsTask()).ConfigureAwait(false);
                for (var i = 0; i < said?.Count; i++)
                {
                    tokens += said[i].First.Concat(said[i].Second).Sum(judgement => judgement.Tokens ?? 0);
                    if (said[i].Comparison is not { } comparison) continue;
                    var ((a, b), margin) = (places[i], said[i].Margin ?? 0);
                    (valid, flips) = (valid + 1, flips + (said[i].Flipped ? 1 : 0));
                    (wins[a], wins[b], lead[a], lead[b]) = (wins[a] + comparison, wins[b] - comparison, lead[a] + margin, lead[b] - margin);
                }
                if (valid == 0) failure ??= Rating.Without(said?[0].Invalid ?? InvalidReason.Failed, "No two answers could be compared.");
            }
            var best = Enumerable.Range(0, round.Count).OrderByDescending(i => wins[i]).ThenByDescending(i => lead[i]).ThenBy(i => i).First();
            var chosen = round[best];
            chosen.Choice = failure ?? new Rating { Score = 0, Reason = $"Chosen from {round.Count} answers by {valid} comparisons, of which {flips} flipped with the order." };
            chosen.ChoiceTokens = tokens;
            span?.SetTag("j1.candidates", round.Count).SetTag("j1.comparisons", valid).SetTag("j1.flips", flips).SetTag("j1.chosen", chosen.Number);
            if (failure is not null) span?.SetStatus(ActivityStatusCode.Error, failure.Invalid.ToString());
            return chosen;
        }

        // Whatever the judge does, one of the two comes back; only the caller's own cancellation is an exception.
        private async Task<(TSaid? Said, Rating? Failure)> GuardAsync<TSaid>(Func<CancellationToken, Task<TSaid>> judge) where TSaid : class
        {
            using var timeout = _options.JudgeTimeout is { } longest ? new CancellationTokenSource(longest, _options.Clock) : null;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_limited.Token, timeout?.Token ?? default);
            var token = limit.Token;
            Judging.Value = true;
            try
            {
                token.ThrowIfCancellationRequested();
                var work = Task.Run(() => judge(token), token);
                _ = work.ContinueWith(static late => _ = late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
                return await work.WaitAsync(token).ConfigureAwait(false) is { } said ? (said, null) : (null, Rating.Without(InvalidReason.Failed, "The judge returned nothing."));
            }
            catch (Exception error) when (!_caller.IsCancellationRequested)
            {
                return (null, Rating.Without(InvalidReason.Failed, error is not OperationCanceledException ? $"{error.GetType().Name}: {error.Message}"
                    : timeout?.IsCancellationRequested == true ? $"The judge took longer than {_options.JudgeTimeout}."
                    : TimeIsUp ? $"The time budget of {_options.TimeBudget} is spent." : error.Message));
            }
            catch (Exception) when (_caller.IsCancellationRequested)
            {
                throw new OperationCanceledException(_caller);
            }
            finally
            {
                Judging.Value = false;
            }
        }

        private AnswerVerdict Decide(Candidate best, StopReason? stopped)
        {
            var outcome = !best.IsJudged ? AnswerOutcome.Unjudged : IsAccepted(best) ? AnswerOutcome.Accepted : AnswerOutcome.Low;
            var failed = best.Rating is { IsValid: false } rating ? rating : best.Choice is { IsValid: false } choice ? choice : null;
            var verdict = new AnswerVerdict
            {
                Outcome = outcome,
                Score = best.Rating?.Score,
                Invalid = outcome == AnswerOutcome.Unjudged ? failed?.Invalid ?? InvalidReason.Failed : null,
                Reason = (failed ?? best.Rating ?? best.Choice)?.Reason ?? "",
                Threshold = _options.Threshold,
                Blocked = outcome == AnswerOutcome.Low && _options.OnLowScore == LowScore.Block || outcome == AnswerOutcome.Unjudged && _options.OnJudgeFailure == JudgeFailure.Block,
                Answers = _all.Count,
                Chosen = _all.IndexOf(best),
                Ratings = [.. _all.Select(candidate => candidate.Rating)],
                Stopped = outcome == AnswerOutcome.Accepted ? null : stopped,
                Tokens = Spent,
                Elapsed = _options.Clock.GetElapsedTime(_started),
            };
            JudgeTelemetry.Decided(_span, verdict);
            _options.OnVerdict?.Invoke(verdict);
            return verdict;
        }

        private sealed class Candidate(int number, Answer<T> answer)
        {
            private readonly long _tokens = answer.Tokens ?? (Encoding.UTF8.GetByteCount(answer.Text) + 3) / 4;

            public int Number => number;

            public Answer<T> Answer => answer;

            public Rating? Rating { get; set; }

            /// <summary>Whether it was chosen (valid), or why nothing could be chosen; null where nothing was compared. Its score means nothing.</summary>
            public Rating? Choice { get; set; }

            public long ChoiceTokens { get; set; }

            public long Tokens => _tokens + (Rating?.Tokens ?? 0) + ChoiceTokens;

            public bool IsJudged => Choice is not { IsValid: false } && Rating is not { IsValid: false } && (Rating ?? Choice) is not null;

            public bool IsBetterThan(Candidate other) => IsJudged && (!other.IsJudged || (Rating?.Score ?? 0) > (other.Rating?.Score ?? 0));
        }
    }
}
