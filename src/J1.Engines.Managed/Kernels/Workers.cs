namespace J1.Engines.Managed.Kernels;

/// <summary>
/// A fork and join over a fixed set of threads. The caller works too; a worker that has not woken up by the time the work is gone is not
/// waited for, so a busy machine costs little. What a chunk computes must not depend on who runs it.
/// </summary>
public static class Workers
{
    private const int Spins = 2000;
    private static readonly Lock Gate = new();
    private static readonly SemaphoreSlim Wake = new(0);
    private static volatile Job? _job;
    private static int _started, _parked;

    [ThreadStatic] private static bool _inside;

    /// <summary>Threads that work together, the caller included. Default: the machine's processors, or the environment variable J1_THREADS.</summary>
    public static int Count { get; set; } =
        int.TryParse(Environment.GetEnvironmentVariable("J1_THREADS"), out var threads) && threads > 0 ? threads : Environment.ProcessorCount;

    /// <summary>Calls <paramref name="body"/> for every chunk from 0 to <paramref name="chunks"/> - 1, in any order, on any thread; returns when all are done. A nested call runs on its own thread alone.</summary>
    public static void Run(int chunks, Action<int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        if (chunks <= 1 || Count <= 1 || _inside || !Gate.TryEnter())
        {
            for (var chunk = 0; chunk < chunks; chunk++) body(chunk);
            return;
        }
        try
        {
            Start();
            var job = new Job(chunks, body);
            _job = job;
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref _parked) is > 0 and var parked) Wake.Release(parked);
            _inside = true;
            try { job.Work(); }
            finally { _inside = false; }
            _job = null;
            job.Finish();
        }
        finally { Gate.Exit(); }
    }

    /// <summary>Calls <paramref name="body"/> for pieces [from, to) of 0 .. <paramref name="count"/>, each of <paramref name="grain"/> items but the last.</summary>
    public static void Split(int count, int grain, Action<int, int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        Run((count + grain - 1) / grain, piece => body(piece * grain, Math.Min(count, (piece + 1) * grain)));
    }

    private static void Start()
    {
        for (; _started < Count - 1; _started++)
            new Thread(Loop) { IsBackground = true, Name = $"J1 worker {_started}" }.Start();
    }

    private static void Loop()
    {
        _inside = true;
        while (true)
        {
            var spin = new SpinWait();
            for (var i = 0; i < Spins && _job is null; i++) spin.SpinOnce(sleep1Threshold: -1);
            Interlocked.Increment(ref _parked);
            if (_job is null) Wake.Wait();
            Interlocked.Decrement(ref _parked);
            if (_job is { } job) job.Work();
        }
    }

    private sealed class Job(int chunks, Action<int> body)
    {
        private int _next, _active;
        private Exception? _error;

        public void Work()
        {
            if (Volatile.Read(ref _next) >= chunks) return;
            Interlocked.Increment(ref _active);
            try
            {
                int chunk;
                while ((chunk = Interlocked.Increment(ref _next) - 1) < chunks) body(chunk);
            }
            catch (Exception error)
            {
                Interlocked.CompareExchange(ref _error, error, null);
                Volatile.Write(ref _next, chunks);
            }
            finally { Interlocked.Decrement(ref _active); }
        }

        public void Finish()
        {
            var spin = new SpinWait();
            while (Volatile.Read(ref _active) > 0) spin.SpinOnce(sleep1Threshold: -1);
            if (_error is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_error);
        }
    }
}
