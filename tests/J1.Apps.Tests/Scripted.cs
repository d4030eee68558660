using System.Runtime.CompilerServices;
using J1.Extensions.AI;
using J1.Judging;
using Microsoft.Extensions.AI;

namespace J1.Apps.Tests;

/// <summary>A chat client that says what a test tells it to: the answer to call number n, from 0.</summary>
internal sealed class ScriptedChatClient(Func<int, IReadOnlyList<ChatMessage>, string> write) : IChatClient
{
    private int _calls;

    public ScriptedChatClient(params string[] answers) : this((call, _) => answers[Math.Min(call, answers.Length - 1)]) { }

    /// <summary>What is done before each answer, with its number.</summary>
    public Func<int, CancellationToken, Task> Before { get; init; } = (_, _) => Task.CompletedTask;

    public Func<string, ChatResponse> Wrap { get; init; } = text => new ChatResponse(new ChatMessage(ChatRole.Assistant, text)) { ResponseId = "r" };

    public List<ChatMessage[]> Conversations { get; } = [];

    public List<ChatOptions?> Options { get; } = [];

    public int Calls => _calls;

    public bool IsDisposed { get; private set; }

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ChatMessage[] conversation = [.. messages];
        var call = Interlocked.Increment(ref _calls) - 1;
        lock (Conversations)
        {
            Conversations.Add(conversation);
            Options.Add(options);
        }
        await Before(call, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        return Wrap(write(call, conversation));
    }

    /// <summary>One piece a word, its space with it.</summary>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var response = await GetResponseAsync(messages, options, cancellationToken);
        if (response.Messages.Any(message => message.Contents.Any(content => content is not TextContent)))
        {
            foreach (var update in response.ToChatResponseUpdates()) yield return update;
            yield break;
        }
        foreach (var word in response.Text.Split(' ').Select((word, i) => i == 0 ? word : " " + word))
            yield return new ChatResponseUpdate(ChatRole.Assistant, word) { ResponseId = response.ResponseId, MessageId = "m" };
        if (response.Usage is not null) yield return new ChatResponseUpdate(ChatRole.Assistant, [new UsageContent(response.Usage)]) { ResponseId = response.ResponseId, MessageId = "m" };
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceType == typeof(ChatClientMetadata) ? new ChatClientMetadata("scripted", null, "model") : null;

    public void Dispose() => IsDisposed = true;
}

/// <summary>A rater that says what a test tells it to.</summary>
internal sealed class ScriptedRater(Func<string, string, CancellationToken, Task<Rating>> rate) : IAnswerRater
{
    private int _calls;

    public ScriptedRater(Func<string, Rating> rate) : this((_, answer, _) => Task.FromResult(rate(answer))) { }

    public string Name => "scripted";

    public int Calls => _calls;

    public List<(string Question, string Answer)> Asked { get; } = [];

    /// <summary>Scores answers by the number they end with; others are invalid.</summary>
    public static ScriptedRater ByNumber(string reason = "It could be better.") => new(answer =>
        double.TryParse(answer.Split(' ')[^1], System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out var score) ? Rating.Of(score, reason) : Rating.Without(InvalidReason.Unparsed, "No number."));

    public async ValueTask<Rating> RateAsync(string question, string answer, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _calls);
        lock (Asked) Asked.Add((question, answer));
        return await rate(question, answer, cancellationToken);
    }
}

/// <summary>A judge of pairs that prefers the answer with the greater number at its end, whatever the order.</summary>
internal sealed class NumberJudge : IOrderedJudge
{
    public JudgeMode Mode => JudgeMode.Verdict;

    public Provenance Provenance => new() { Judge = "number" };

    public int Calls { get; private set; }

    public ValueTask<IReadOnlyList<Judgement[]>> ReadAsync(IReadOnlyList<ShownPair> shown, int votes, CancellationToken cancellationToken = default)
    {
        Calls++;
        return new(shown.Select(pair => new[] { new Judgement { Outcome = Outcomes.OfMargin(Number(pair.First) - Number(pair.Second!)) } }).ToArray());
    }

    private static double Number(string text) => double.Parse(text.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>A clock that stands still until it is moved.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly List<ManualTimer> _timers = [];
    private readonly Lock _lock = new();
    private TimeSpan _now;

    /// <summary>How many timers wait.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock) return _timers.Count(timer => timer.Due is not null);
        }
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
    {
        lock (_lock) return _now.Ticks;
    }

    public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero) + TimeSpan.FromTicks(GetTimestamp());

    public void Advance(TimeSpan time)
    {
        ManualTimer[] due;
        lock (_lock)
        {
            _now += time;
            due = [.. _timers.Where(timer => timer.Due <= _now)];
            foreach (var timer in due) timer.Due = null;
        }
        foreach (var timer in due) timer.Fire();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class ManualTimer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        public TimeSpan? Due { get; set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._lock)
            {
                if (!time._timers.Contains(this)) time._timers.Add(this);
                Due = dueTime < TimeSpan.Zero ? null : time._now + dueTime;
            }
            return true;
        }

        public void Dispose()
        {
            lock (time._lock) time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
