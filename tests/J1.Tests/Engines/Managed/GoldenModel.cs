using System.Text.Json;
using J1.Engines;
using J1.Engines.Managed;

namespace J1.Tests.Engines.Managed;

/// <summary>What Hugging Face computes of a tiny model, read from <c>reference.json</c> of a golden folder.</summary>
internal sealed class GoldenModel
{
    private readonly JsonElement _root;

    public GoldenModel(string name)
    {
        Folder = Shared.PathTo($"golden/hf/{name}");
        _root = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "reference.json"))).RootElement;
        Base = _root.TryGetProperty("base", out var folder) ? Path.GetFullPath(Path.Combine(Folder, folder.GetString()!)) : Folder;
        IsAdapter = Base != Folder;
        Sequences = Ints("sequences");
        Weights = Has("weights") ? Floats("weights") : [];
        LogProbs = Floats("log_probs");
    }

    public string Folder { get; }

    public string Base { get; }

    public bool IsAdapter { get; }

    public int[][] Sequences { get; }

    /// <summary>The loss is minus the sum of weight times log-probability, shape as <see cref="LogProbs"/>.</summary>
    public double[][] Weights { get; }

    public double[][] LogProbs { get; }

    public JsonElement this[string name] => _root.GetProperty(name);

    public bool Has(string name) => _root.TryGetProperty(name, out _);

    public ManagedEngine Open(EngineOptions? options = null)
    {
        var engine = ManagedEngine.Open(Base, options);
        if (IsAdapter) engine.LoadAdapter(Folder);
        return engine;
    }

    public double[][] Floats(string name) => Rows(_root.GetProperty(name), e => e.GetDouble());

    /// <summary>Every sequence with all its tokens but the first as completion.</summary>
    public TokenSequence[] Batch => [.. Sequences.Select(s => new TokenSequence(s, 1))];

    private int[][] Ints(string name) => Rows(_root.GetProperty(name), e => e.GetInt32());

    private static T[][] Rows<T>(JsonElement rows, Func<JsonElement, T> read) => [.. rows.EnumerateArray().Select(row => row.EnumerateArray().Select(read).ToArray())];
}
