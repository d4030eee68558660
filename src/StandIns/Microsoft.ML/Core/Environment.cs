namespace Microsoft.ML.Runtime;

public interface IExceptionContext
{
    TException Process<TException>(TException ex) where TException : Exception;
    string ContextDescription { get; }
}

public interface IChannelProvider : IExceptionContext
{
    IChannel Start(string name);
    IPipe<TMessage> StartPipe<TMessage>(string name);
}

public interface IProgressChannelProvider
{
    IProgressChannel StartProgressChannel(string name);
}

public interface IHostEnvironment : IChannelProvider, IProgressChannelProvider
{
    IHost Register(string name, int? seed = null, bool? verbose = null);
    ComponentCatalog ComponentCatalog { get; }
}

public interface IHost : IHostEnvironment
{
    /// <summary>Its numbers depend on the context's seed and on how many hosts were registered before this one.</summary>
    Random Rand { get; }
}

public interface IPipe<TMessage> : IExceptionContext, IDisposable
{
    void Send(TMessage msg);
}

public interface IChannel : IPipe<ChannelMessage>
{
    void Trace(MessageSensitivity sensitivity, string fmt);
    void Trace(MessageSensitivity sensitivity, string fmt, params object[] args);
    void Error(MessageSensitivity sensitivity, string fmt);
    void Error(MessageSensitivity sensitivity, string fmt, params object[] args);
    void Warning(MessageSensitivity sensitivity, string fmt);
    void Warning(MessageSensitivity sensitivity, string fmt, params object[] args);
    void Info(MessageSensitivity sensitivity, string fmt);
    void Info(MessageSensitivity sensitivity, string fmt, params object[] args);
}

public enum ChannelMessageKind
{
    Trace,
    Info,
    Warning,
    Error,
}

[Flags]
public enum MessageSensitivity
{
    None = 0,
    UserData = 1,
    Schema = 2,
    Unknown = ~0,
    All = ~0,
}

public readonly struct ChannelMessage
{
    public readonly ChannelMessageKind Kind;
    public readonly MessageSensitivity Sensitivity;

    internal ChannelMessage(ChannelMessageKind kind, MessageSensitivity sensitivity, string message)
    {
        Kind = kind;
        Sensitivity = sensitivity;
        Message = message;
    }

    public string Message { get; }
}

/// <summary>Nothing of it reaches <see cref="MLContext.Log"/>, here as there.</summary>
public interface IProgressChannel : IProgressChannelProvider, IDisposable
{
    void SetHeader(ProgressHeader header, Action<IProgressEntry> fillAction);
    void Checkpoint(params double?[] values);
}

public interface IProgressEntry
{
    void SetProgress(int index, double value);
    void SetProgress(int index, double value, double lim);
    void SetMetric(int index, double value);
}

public sealed class ProgressHeader
{
    public readonly IReadOnlyList<string> UnitNames;
    public readonly IReadOnlyList<string> MetricNames;

    public ProgressHeader(string[] metricNames, string[] unitNames)
    {
        MetricNames = metricNames ?? [];
        UnitNames = unitNames ?? [];
    }

    public ProgressHeader(params string[] unitNames) : this(null, unitNames) { }
}

/// <summary>One node of the tree of hosts; its root is the <see cref="MLContext"/>.</summary>
internal sealed class Host : IHost
{
    private readonly string path;
    private readonly Action<string, ChannelMessage> send;
    private readonly Lock gate;

    public Host(int? seed, Action<string, ChannelMessage> send) : this("", NewRandom(seed), new ComponentCatalog(), new Lock(), send) { }

    private Host(string path, Random rand, ComponentCatalog catalog, Lock gate, Action<string, ChannelMessage> send)
    {
        this.path = path;
        this.send = send;
        this.gate = gate;
        Rand = rand;
        ComponentCatalog = catalog;
    }

    public Random Rand { get; }
    public ComponentCatalog ComponentCatalog { get; }
    public string ContextDescription => path.Length == 0 ? "HostEnvironment" : path;

    public IHost Register(string name, int? seed = null, bool? verbose = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        lock (gate) return new Host(Join(path, name), NewRandom(seed ?? Rand.Next()), ComponentCatalog, gate, send);
    }

    public TException Process<TException>(TException ex) where TException : Exception => ex;
    public IChannel Start(string name) => new Channel(Join(path, name), send);
    public IPipe<TMessage> StartPipe<TMessage>(string name) => new Pipe<TMessage>(Join(path, name));
    public IProgressChannel StartProgressChannel(string name) => new SilentProgress();

    private static Random NewRandom(int? seed) => seed is { } s ? new Random(s) : new Random();
    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}; {name}";

    private sealed class Channel(string path, Action<string, ChannelMessage> send) : IChannel
    {
        public string ContextDescription => path;
        public TException Process<TException>(TException ex) where TException : Exception => ex;
        public void Send(ChannelMessage msg) => send(path, msg);
        public void Dispose() { }

        public void Trace(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Trace, sensitivity, fmt);
        public void Trace(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Trace, sensitivity, fmt, args);
        public void Error(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Error, sensitivity, fmt);
        public void Error(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Error, sensitivity, fmt, args);
        public void Warning(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Warning, sensitivity, fmt);
        public void Warning(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Warning, sensitivity, fmt, args);
        public void Info(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Info, sensitivity, fmt);
        public void Info(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Info, sensitivity, fmt, args);

        private void Send(ChannelMessageKind kind, MessageSensitivity sensitivity, string fmt, object[] args = null) =>
            Send(new ChannelMessage(kind, sensitivity, args == null ? fmt : string.Format(fmt, args)));
    }

    private sealed class Pipe<TMessage>(string path) : IPipe<TMessage>
    {
        public string ContextDescription => path;
        public TException Process<TException>(TException ex) where TException : Exception => ex;
        public void Send(TMessage msg) { }
        public void Dispose() { }
    }

    private sealed class SilentProgress : IProgressChannel
    {
        public IProgressChannel StartProgressChannel(string name) => new SilentProgress();
        public void SetHeader(ProgressHeader header, Action<IProgressEntry> fillAction) { }
        public void Checkpoint(params double?[] values) { }
        public void Dispose() { }
    }
}
