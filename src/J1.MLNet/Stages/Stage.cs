using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Stages;

/// <summary>A column that a stage reads: text, or, for the last of a stage's inputs, a vector of text.</summary>
internal sealed record StageInput(string Column, bool IsVector = false);

/// <summary>A column that a stage adds, and how its getter is made from the current row's result.</summary>
internal sealed record StageOutput(string Column, DataViewType Type, Func<Func<object>, Delegate> Bind)
{
    /// <summary>Those that are not null.</summary>
    public static StageOutput[] Given(params StageOutput?[] outputs) => [.. outputs.OfType<StageOutput>()];

    public static StageOutput Text<T>(string column, Func<T, string> read) =>
        new(column, TextDataViewType.Instance, current => (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = read((T)current()).AsMemory()));

    public static StageOutput Single<T>(string column, Func<T, float> read) => Of(column, NumberDataViewType.Single, read);

    public static StageOutput Integer<T>(string column, Func<T, int> read) => Of(column, NumberDataViewType.Int32, read);

    public static StageOutput Boolean<T>(string column, Func<T, bool> read) => Of(column, BooleanDataViewType.Instance, read);

    public static StageOutput Singles<T>(string column, Func<T, float[]> read) => new(column, new VectorDataViewType(NumberDataViewType.Single),
        current => (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
        {
            var numbers = read((T)current());
            var editor = VBufferEditor.Create(ref value, numbers.Length);
            numbers.CopyTo(editor.Values);
            value = editor.Commit();
        }));

    private static StageOutput Of<T, TValue>(string column, DataViewType type, Func<T, TValue> read) =>
        new(column, type, current => (ValueGetter<TValue>)((ref TValue value) => value = read((T)current())));
}

/// <summary>
/// Texts of a row in, results out, many rows a call. What was found for a row is remembered, within bounds, for many estimators read their input again; views,
/// row mappers and saved chains are made of it. A row is its inputs' texts one after the other.
/// </summary>
internal abstract class Stage
{
    private readonly Dictionary<UInt128, object> _known = [];
    private readonly Queue<UInt128> _order = [];
    private readonly Lock _lock = new();
    private readonly int _remembered;

    /// <exception cref="ArgumentException">A name or number is out of range.</exception>
    protected Stage(IReadOnlyList<StageInput> inputs, IReadOnlyList<StageOutput> outputs, int batchSize, int remembered)
    {
        Check(inputs, outputs, batchSize, remembered);
        (Inputs, Outputs, BatchSize, _remembered) = (inputs, outputs, batchSize, remembered);
    }

    public IReadOnlyList<StageInput> Inputs { get; }

    public IReadOnlyList<StageOutput> Outputs { get; }

    /// <summary>Rows a call.</summary>
    public int BatchSize { get; }

    /// <exception cref="ArgumentException">A name or number is out of range.</exception>
    public static void Check(IReadOnlyList<StageInput> inputs, IReadOnlyList<StageOutput> outputs, int batchSize, int remembered)
    {
        if (batchSize < 1) throw new ArgumentException($"BatchSize is {batchSize}; it must be at least 1.");
        if (remembered < 0) throw new ArgumentException($"RememberedRows is {remembered}; it must be at least 0 (0 remembers nothing).");
        if (inputs.Any(input => string.IsNullOrEmpty(input.Column)) || outputs.Any(output => string.IsNullOrEmpty(output.Column)))
            throw new ArgumentException("A column name is empty; only a thought may have none, which leaves it out.");
        if (outputs.GroupBy(output => output.Column, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ArgumentException($"Two output columns are named '{twice.Key}'; give each a name of its own.");
    }

    /// <summary>All columns of the input, then those that are added.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An input column is missing or of another type.</exception>
    public DataViewSchema OutputSchema(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        foreach (var wanted in Inputs) Columns.Require(input, wanted);
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input);
        foreach (var output in Outputs) builder.AddColumn(output.Column, output.Type);
        return builder.ToSchema();
    }

    /// <summary>The same before there is data.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An input column is missing or of another type.</exception>
    public SchemaShape OutputShape(SchemaShape input)
    {
        ArgumentNullException.ThrowIfNull(input);
        foreach (var wanted in Inputs) Columns.Require(input, wanted);
        return Columns.Add(input, Outputs.Select(output => (output.Column, output.Type)));
    }

    /// <summary>The results of at most <see cref="BatchSize"/> rows; those that are not known are computed in one call.</summary>
    public object[] Evaluate(IReadOnlyList<string[]> rows)
    {
        var identity = Identity;
        UInt128[] keys = [.. rows.Select(row => Key(identity, row))];
        var results = new object?[rows.Count];
        lock (_lock)
            for (var i = 0; i < keys.Length; i++)
                results[i] = _known.GetValueOrDefault(keys[i]);
        int[] missing = [.. Enumerable.Range(0, rows.Count).Where(i => results[i] is null).DistinctBy(i => keys[i])];
        if (missing.Length > 0)
        {
            var found = Compute([.. missing.Select(i => rows[i])]);
            var byKey = missing.Select((i, j) => (Key: keys[i], Result: found[j])).ToDictionary(one => one.Key, one => one.Result);
            for (var i = 0; i < results.Length; i++) results[i] ??= byKey[keys[i]];
            Remember(byKey);
        }
        return results!;
    }

    /// <summary>A name for all that results depend on besides the row; results are forgotten where it changes.</summary>
    protected abstract string Identity { get; }

    /// <summary>One result a row.</summary>
    protected abstract IReadOnlyList<object> Compute(IReadOnlyList<string[]> rows);

    private void Remember(Dictionary<UInt128, object> results)
    {
        if (_remembered == 0) return;
        lock (_lock)
            foreach (var (key, result) in results)
            {
                if (!_known.TryAdd(key, result)) continue;
                _order.Enqueue(key);
                if (_order.Count > _remembered) _known.Remove(_order.Dequeue());
            }
    }

    private static UInt128 Key(string identity, string[] row)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, identity);
        foreach (var text in row) Append(hash, text);
        Span<byte> digest = stackalloc byte[32];
        hash.GetHashAndReset(digest);
        return MemoryMarshal.Read<UInt128>(digest);
    }

    private static void Append(IncrementalHash hash, string text)
    {
        var length = text.Length;
        hash.AppendData(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in length)));
        hash.AppendData(MemoryMarshal.AsBytes(text.AsSpan()));
    }
}
