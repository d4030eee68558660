using System.Collections.Concurrent;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

public sealed class MLContext : IHostEnvironment
{
    private readonly Host root;
    private readonly ConcurrentDictionary<string, object> options = new();

    public MLContext(int? seed = null)
    {
        root = new Host(seed, (source, message) => Log?.Invoke(this, new LoggingEventArgs(message.Message, message.Kind, source)));
        BinaryClassification = new BinaryClassificationCatalog(this);
        Regression = new RegressionCatalog(this);
        Transforms = new TransformsCatalog(this);
        Model = new ModelOperationsCatalog(this);
        Data = new DataOperationsCatalog(this);
    }

    public BinaryClassificationCatalog BinaryClassification { get; }
    public RegressionCatalog Regression { get; }
    public TransformsCatalog Transforms { get; }
    public ModelOperationsCatalog Model { get; }
    public DataOperationsCatalog Data { get; }
    public ComponentCatalog ComponentCatalog => root.ComponentCatalog;
    public string TempFilePath { get; set; } = Path.GetTempPath();

    /// <summary>Whether a GPU that is asked for and not there may be the CPU instead.</summary>
    public bool FallbackToCpu { get; set; }

    /// <summary>Null is the CPU.</summary>
    public int? GpuDeviceId { get; set; }

    public event EventHandler<LoggingEventArgs> Log;

    public bool TryAddOption<T>(string name, T value) => options.TryAdd(name, value);
    public void SetOption<T>(string name, T value) => options[name] = value;

    public bool TryGetOption<T>(string name, out T value)
    {
        var found = options.TryGetValue(name, out var stored) && stored is T;
        value = found ? (T)stored : default;
        return found;
    }

    public T GetOptionOrDefault<T>(string name) => (T)options.GetOrAdd(name, default(T));
    public bool RemoveOption(string name) => options.TryRemove(name, out _);

    string IExceptionContext.ContextDescription => root.ContextDescription;
    TException IExceptionContext.Process<TException>(TException ex) => root.Process(ex);
    IHost IHostEnvironment.Register(string name, int? seed, bool? verbose) => root.Register(name, seed, verbose);
    IChannel IChannelProvider.Start(string name) => root.Start(name);
    IPipe<TMessage> IChannelProvider.StartPipe<TMessage>(string name) => root.StartPipe<TMessage>(name);
    IProgressChannel IProgressChannelProvider.StartProgressChannel(string name) => root.StartProgressChannel(name);
}

public class LoggingEventArgs : EventArgs
{
    public LoggingEventArgs(string message) => Message = message;

    public LoggingEventArgs(string message, ChannelMessageKind kind, string source)
    {
        RawMessage = message;
        Kind = kind;
        Source = source;
        Message = $"[Source={source}, Kind={kind}] {message}";
    }

    public string Source { get; }
    public ChannelMessageKind Kind { get; }
    public string Message { get; }
    public string RawMessage { get; }
}

public sealed class TransformsCatalog
{
    internal TransformsCatalog(IHostEnvironment env)
    {
        Environment = env;
        Conversion = new ConversionTransforms(env);
    }

    internal IHostEnvironment Environment { get; }
    public ConversionTransforms Conversion { get; }

    public sealed class ConversionTransforms
    {
        internal ConversionTransforms(IHostEnvironment env) => Environment = env;

        internal IHostEnvironment Environment { get; }
    }
}
