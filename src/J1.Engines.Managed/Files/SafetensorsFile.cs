using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using J1.Engines.Managed.Models;
using Microsoft.Win32.SafeHandles;

namespace J1.Engines.Managed.Files;

/// <summary>
/// Reads a safetensors file: eight bytes of header length, a JSON header, and the tensors' numbers. The header is checked whole on opening.
/// F32, F16 and BF16 are read, as float32; a tensor of another type is refused by name when it is asked for.
/// </summary>
public sealed class SafetensorsFile : IWeightSource
{
    private const int LongestHeader = 100_000_000;

    private readonly SafeFileHandle _file;
    private readonly Dictionary<string, TensorInfo> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private long _dataStart;

    /// <summary>Opens the file and checks its header against its length.</summary>
    /// <exception cref="ModelFileException">It is missing, truncated, or not a sound safetensors file.</exception>
    public SafetensorsFile(string path)
    {
        Path = path;
        _file = FileBytes.Open(path);
        try
        {
            ReadHeader();
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public string Path { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>The header's <c>__metadata__</c>, for example <c>format</c>; empty when it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>The name of a tensor's number type as the file has it, for example <c>BF16</c>.</summary>
    public string DataTypeOf(string name) => Find(name).DataType;

    /// <inheritdoc/>
    /// <exception cref="ModelFileException">There is no such tensor, or its number type is not read here.</exception>
    public void Read(string name, Span<float> destination)
    {
        var entry = Find(name);
        CheckReadable(name);
        var count = _tensors[name].Count;
        if (destination.Length != count)
            throw new ArgumentException($"Tensor '{name}' has {count} numbers; the destination has room for {destination.Length}.", nameof(destination));
        if (entry.DataType == "F32")
        {
            FileBytes.Read(_file, Path, MemoryMarshal.AsBytes(destination), _dataStart + entry.Begin);
            return;
        }

        const int atOnce = 1 << 19;
        var halves = new ushort[Math.Min(atOnce, destination.Length)];
        for (var done = 0; done < destination.Length; done += atOnce)
        {
            var part = destination.Slice(done, Math.Min(atOnce, destination.Length - done));
            var raw = halves.AsSpan(0, part.Length);
            FileBytes.Read(_file, Path, MemoryMarshal.AsBytes(raw), _dataStart + entry.Begin + 2L * done);
            if (entry.DataType == "BF16")
                HalfNumbers.FromBrain(raw, part);
            else
                HalfNumbers.FromHalf(raw, part);
        }
    }

    public void Dispose() => _file.Dispose();

    /// <summary>Throws, naming the type, when the tensor's numbers are of a type that is not read.</summary>
    internal void CheckReadable(string name)
    {
        if (Find(name).DataType is var type and not ("F32" or "F16" or "BF16"))
            throw new ModelFileException(Path, $"tensor '{name}' is of type {type}; expected F32, F16 or BF16", "Convert the model to one of these.");
    }

    private Entry Find(string name) => _entries.TryGetValue(name, out var entry)
        ? entry
        : throw new ModelFileException(Path, $"has no tensor '{name}' among its {_entries.Count}", "Take the file that belongs to this model.");

    private void ReadHeader()
    {
        var length = RandomAccess.GetLength(_file);
        if (length < 8)
            throw Damaged($"is {length} bytes long; a safetensors file starts with 8 bytes of header length");
        Span<byte> start = stackalloc byte[8];
        FileBytes.Read(_file, Path, start, 0);
        var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(start);
        if (headerLength > LongestHeader)
            throw Damaged($"does not start like a safetensors file: its first 8 bytes give a header of {headerLength} bytes, and {LongestHeader} is the most");
        if ((long)headerLength > length - 8)
            throw Damaged($"is truncated: the header should be {headerLength} bytes, the file ends after {length - 8} of them");

        _dataStart = 8 + (long)headerLength;
        var header = new byte[headerLength];
        FileBytes.Read(_file, Path, header, 8);
        try
        {
            using var document = JsonDocument.Parse(header);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw Damaged("has a header that is not a JSON object");
            foreach (var field in document.RootElement.EnumerateObject())
                if (field.Name == "__metadata__")
                    ReadMetadata(field.Value);
                else
                    ReadEntry(field.Name, field.Value);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new ModelFileException(Path, $"has a header that is not sound JSON: {error.Message}", Again, error);
        }

        CheckPlaces(length - _dataStart);
    }

    private void ReadMetadata(JsonElement metadata)
    {
        foreach (var field in metadata.EnumerateObject())
            _metadata[field.Name] = field.Value.ToString();
    }

    private void ReadEntry(string name, JsonElement field)
    {
        if (field.ValueKind != JsonValueKind.Object || !field.TryGetProperty("dtype", out var type) || !field.TryGetProperty("shape", out var sizes) || !field.TryGetProperty("data_offsets", out var offsets))
            throw Damaged($"describes tensor '{name}' without dtype, shape and data_offsets");
        var shape = new List<int>();
        foreach (var size in sizes.EnumerateArray())
            shape.Add(size.TryGetInt32(out var value) && value >= 0 ? value : throw Damaged($"gives tensor '{name}' a size of {size}"));
        if (offsets.GetArrayLength() != 2 || !offsets[0].TryGetInt64(out var begin) || !offsets[1].TryGetInt64(out var end) || begin < 0 || end < begin)
            throw Damaged($"gives tensor '{name}' the data_offsets {offsets.GetRawText()}; expected [begin, end]");

        var info = new TensorInfo(name, shape);
        var entry = new Entry(type.GetString() ?? "", begin, end);
        if (!_tensors.TryAdd(name, info))
            throw Damaged($"describes tensor '{name}' twice");
        _entries.Add(name, entry);

        if (BytesOf(entry.DataType) is { } width && (Int128)width * Count(shape) != end - begin)
            throw Damaged($"gives tensor '{name}' {end - begin} bytes; shape {Shapes.Text(shape)} of {entry.DataType} needs {width * Count(shape)}");
    }

    /// <summary>The tensors must fill the file exactly, as the format demands: no overlap, no gap, nothing behind.</summary>
    private void CheckPlaces(long dataLength)
    {
        long at = 0;
        var previous = "";
        foreach (var (name, entry) in _entries.OrderBy(pair => pair.Value.Begin).ThenBy(pair => pair.Value.End))
        {
            if (entry.End > dataLength)
                throw Damaged($"is truncated: tensor '{name}' should end at byte {_dataStart + entry.End}, the file ends at {_dataStart + dataLength}");
            if (entry.Begin < at)
                throw Damaged($"lets tensor '{name}' overlap tensor '{previous}'");
            if (entry.Begin > at)
                throw Damaged($"leaves a gap of {entry.Begin - at} bytes before tensor '{name}'");
            (at, previous) = (entry.End, name);
        }

        if (at != dataLength)
            throw Damaged($"has {dataLength - at} bytes behind its last tensor");
    }

    private static Int128 Count(List<int> shape) => shape.Aggregate(Int128.One, (product, size) => product * size);

    private static int? BytesOf(string type) => type switch
    {
        "F64" or "I64" or "U64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "I8" or "U8" or "BOOL" or "F8_E4M3" or "F8_E5M2" => 1,
        _ => null,
    };

    private const string Again = "Download or write the file again.";

    private ModelFileException Damaged(string problem) => new(Path, problem, Again);

    private sealed record Entry(string DataType, long Begin, long End);
}
