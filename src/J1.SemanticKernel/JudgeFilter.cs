using System.Runtime.CompilerServices;
using J1.Extensions.AI;
using Microsoft.SemanticKernel;
using SkFunctionInvocationContext = Microsoft.SemanticKernel.FunctionInvocationContext;
using SkPromptRenderContext = Microsoft.SemanticKernel.PromptRenderContext;

namespace J1.SemanticKernel;

/// <summary>
/// Judges what functions answer (<see cref="KernelJudgeOptions"/>). One object is both filters: of functions, and of prompts, which it needs for the question in streaming and for telling
/// the model the judge's reasons. The result keeps its value's type and its rendered prompt; the verdict is in its metadata (<see cref="KernelJudging.GetVerdict(FunctionResult)"/>), in streaming
/// in that of the last piece. It does not see what goes past the kernel: direct calls of a chat service, functions used as plain AI functions.
/// </summary>
public sealed class JudgeFilter : IFunctionInvocationFilter, IPromptRenderFilter
{
    /// <summary>Where the verdict stands in the metadata.</summary>
    public const string VerdictKey = JudgingChatClient.VerdictKey;

    private readonly KernelJudgeOptions _options;
    private readonly AnswerLoop _loop;
    private readonly AsyncLocal<Frame?> _frame = new();

    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public JudgeFilter(KernelJudgeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_options, _loop) = (options, new AnswerLoop(options.Judge));
    }

    /// <exception cref="AnswerBlockedException">The answer was blocked and there is no <see cref="JudgeOptions.BlockedText"/>.</exception>
    /// <exception cref="NotSupportedException">It is a streaming call, and <see cref="JudgeOptions.Streaming"/> refuses those.</exception>
    public async Task OnFunctionInvocationAsync(SkFunctionInvocationContext context, Func<SkFunctionInvocationContext, Task> next)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(next);
        if (_frame.Value is { IsCandidate: true } frame && frame.Attempt.Function == context.Function)
        {
            // One of several candidates on its way through a clone; what it calls in turn is judged like anything else.
            _frame.Value = new(frame.Attempt, IsCandidate: false);
            await next(context).ConfigureAwait(false);
        }
        else if (AnswerLoop.IsJudging || !_options.Functions(context)) await next(context).ConfigureAwait(false);
        else if (context.IsStreaming) await StreamAsync(context, next).ConfigureAwait(false);
        else await JudgeAsync(context, next).ConfigureAwait(false);
    }

    public async Task OnPromptRenderAsync(SkPromptRenderContext context, Func<SkPromptRenderContext, Task> next)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(next);
        await next(context).ConfigureAwait(false);
        if (_frame.Value?.Attempt is not { } attempt || attempt.Function != context.Function || context.RenderedPrompt is not { } prompt) return;
        attempt.Rendered ??= prompt;
        if (attempt.Addition is { } previous) context.RenderedPrompt = Prompts.WithFeedback(prompt, previous.Text, _options.Judge.Feedback(previous.Rating));
    }

    private async Task JudgeAsync(SkFunctionInvocationContext context, Func<SkFunctionInvocationContext, Task> next)
    {
        var (arguments, question) = (new FeedbackArgument(_options, context), (string?)null);
        JudgedAnswer<FunctionResult> judged;
        try
        {
            judged = await _loop.RunAsync(() => Question(context, question), async (request, token) =>
            {
                var attempt = new Attempt(context.Function, arguments.IsTaken ? null : request.Previous);
                var result = _options.Judge is { Parallel: true, Candidates: > 1 }
                    ? await InCloneAsync(context, attempt, arguments.With(request.Previous), token).ConfigureAwait(false)
                    : await NextAsync(context, next, attempt, () => arguments.Set(request.Previous)).ConfigureAwait(false);
                question ??= attempt.Rendered ?? result.RenderedPrompt;
                return Answers.Of(result);
            }, context.CancellationToken).ConfigureAwait(false);
        }
        finally
        {
            arguments.Restore();
        }
        context.Result = judged.Answer.Value;
        if (judged.Verdict is not { } verdict) return;
        if (verdict.Blocked)
            context.Result = new FunctionResult(context.Result, Answers.Refusal(context.Result.GetValue<object>(), _options.Judge.BlockedText ?? throw new AnswerBlockedException(verdict))) { Metadata = Merged(null, verdict) };
        else
            context.Result = new FunctionResult(context.Result) { Metadata = Merged(context.Result.Metadata, verdict) };
    }

    // The model runs when the stream is read, long after this filter has returned: the judging is in the stream.
    private async Task StreamAsync(SkFunctionInvocationContext context, Func<SkFunctionInvocationContext, Task> next)
    {
        if (_options.Judge.Streaming == JudgeStreaming.Refuse)
            throw new NotSupportedException($"The answers of {context.Function.Name} are not streamed: {nameof(JudgeOptions)}.{nameof(JudgeOptions.Streaming)} is {nameof(JudgeStreaming.Refuse)}. Choose {nameof(JudgeStreaming.BufferThenRelease)} or {nameof(JudgeStreaming.ReleaseThenAnnotate)}.");
        var attempt = new Attempt(context.Function, null);
        await NextAsync(context, next, attempt, null).ConfigureAwait(false);
        if (context.Result.GetValue<object>() is not { } stream || Streams.ElementOf(stream) is not { } element) return;
        var judged = Streams.Make(element, stream, new JudgedStreams(this, context, next, attempt));
        context.Result = new FunctionResult(context.Result, judged);
    }

    private async Task<FunctionResult> NextAsync(SkFunctionInvocationContext context, Func<SkFunctionInvocationContext, Task> next, Attempt attempt, Action? before)
    {
        before?.Invoke();
        _frame.Value = new(attempt, IsCandidate: false);
        await next(context).ConfigureAwait(false);
        return context.Result;
    }

    private async Task<FunctionResult> InCloneAsync(SkFunctionInvocationContext context, Attempt attempt, KernelArguments arguments, CancellationToken cancellationToken)
    {
        // Several next(context) at once would share one context and overwrite each other's result.
        _frame.Value = new(attempt, IsCandidate: true);
        return await context.Function.InvokeAsync(context.Kernel.Clone(), arguments, cancellationToken).ConfigureAwait(false);
    }

    private string Question(SkFunctionInvocationContext context, string? rendered) => _options.Question?.Invoke(context) ?? rendered ?? Prompts.Of(context, _options.FeedbackArgument);

    private static Dictionary<string, object?> Merged(IReadOnlyDictionary<string, object?>? metadata, AnswerVerdict verdict) => new(metadata ?? new Dictionary<string, object?>()) { [VerdictKey] = verdict };

    /// <summary>A call that is on its way: its function, what is to be added to its prompt, and its prompt before that.</summary>
    private sealed class Attempt(KernelFunction function, RatedAnswer? addition)
    {
        public KernelFunction Function => function;

        public RatedAnswer? Addition => addition;

        public string? Rendered { get; set; }
    }

    private sealed record Frame(Attempt Attempt, bool IsCandidate);

    /// <summary>Streams of whatever type the caller asked for.</summary>
    private sealed class JudgedStreams(JudgeFilter filter, SkFunctionInvocationContext context, Func<SkFunctionInvocationContext, Task> next, Attempt first) : IStreamJudge
    {
        public IAsyncEnumerable<T> Judge<T>(IAsyncEnumerable<T> stream) =>
            filter._options.Judge.Streaming == JudgeStreaming.BufferThenRelease ? BufferAsync(stream) : ReleaseAsync(stream);

        private async IAsyncEnumerable<T> BufferAsync<T>(IAsyncEnumerable<T> stream, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            var (arguments, question) = (new FeedbackArgument(filter._options, context), (string?)null);
            var loop = filter._options.Judge.Parallel ? new AnswerLoop(filter._options.Judge with { Parallel = false }) : filter._loop;
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, context.CancellationToken);
            JudgedAnswer<List<T>> judged;
            try
            {
                judged = await loop.RunAsync(() => filter.Question(context, question), async (request, token) =>
                {
                    var attempt = request.Number == 0 ? first : new Attempt(context.Function, arguments.IsTaken ? null : request.Previous);
                    var pieces = await CollectAsync(request.Number == 0 ? stream : null, attempt, () => arguments.Set(request.Previous), token).ConfigureAwait(false);
                    question ??= attempt.Rendered;
                    return Answers.Of(pieces);
                }, either.Token).ConfigureAwait(false);
            }
            finally
            {
                arguments.Restore();
            }
            if (judged.Verdict?.Blocked == true)
            {
                var text = filter._options.Judge.BlockedText ?? throw new AnswerBlockedException(judged.Verdict);
                yield return Streams.Annotated(Answers.Piece<T>(text, judged.Verdict), judged.Verdict);
                yield break;
            }
            for (var i = 0; i < judged.Answer.Value.Count; i++)
                yield return i < judged.Answer.Value.Count - 1 || judged.Verdict is null ? judged.Answer.Value[i] : Streams.Annotated(judged.Answer.Value[i], judged.Verdict);
        }

        private async IAsyncEnumerable<T> ReleaseAsync<T>(IAsyncEnumerable<T> stream, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            var pieces = new List<T>();
            await using var source = stream.GetAsyncEnumerator(cancellationToken);
            // One piece is held back, so that the last can carry the verdict.
            while (await StepAsync(source).ConfigureAwait(false))
            {
                if (pieces.Count > 0) yield return pieces[^1];
                pieces.Add(source.Current);
            }
            var once = new AnswerLoop(filter._options.Judge with { MaxAttempts = 1, Candidates = 1, Chooser = null });
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, context.CancellationToken);
            var judged = await once.RunAsync(() => filter.Question(context, first.Rendered), (_, _) => Task.FromResult(Answers.Of(pieces)), either.Token).ConfigureAwait(false);
            if (pieces.Count > 0) yield return judged.Verdict is null ? pieces[^1] : Streams.Annotated(pieces[^1], judged.Verdict);
        }

        private async Task<List<T>> CollectAsync<T>(IAsyncEnumerable<T>? stream, Attempt attempt, Action before, CancellationToken cancellationToken)
        {
            filter._frame.Value = new(attempt, IsCandidate: false);
            before();
            if (stream is null)
            {
                await next(context).ConfigureAwait(false);
                stream = context.Result.GetValue<object>() as IAsyncEnumerable<T> ?? throw new InvalidOperationException($"The second call of {context.Function.Name} gave no stream of {typeof(T).Name}.");
            }
            var pieces = new List<T>();
            await foreach (var piece in stream.WithCancellation(cancellationToken).ConfigureAwait(false)) pieces.Add(piece);
            return pieces;
        }

        // The prompt is rendered within the first step; an iterator's own frame would not reach it.
        private async Task<bool> StepAsync<T>(IAsyncEnumerator<T> source)
        {
            filter._frame.Value = new(first, IsCandidate: false);
            return await source.MoveNextAsync().ConfigureAwait(false);
        }
    }
}
