using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Files;

/// <summary>Copies the tensor of that name into <paramref name="destination"/>, which has exactly its length.</summary>
public delegate void TensorReader(string name, Span<float> destination);

/// <summary>The number types a safetensors file can be written in.</summary>
public enum SafetensorsType
{
    /// <summary>float32, exact.</summary>
    F32,

    /// <summary>float16, rounded to nearest.</summary>
    F16,

    /// <summary>bfloat16, rounded to nearest.</summary>
    BF16,
}

/// <summary>Writes safetensors files as Python's libraries read them (<c>format</c> is <c>pt</c>), tensors ordered by name.</summary>
public static class SafetensorsWriter
{
    /// <summary>Writes a file, or leaves the old one untouched when that fails.</summary>
    /// <exception cref="ModelFileException">It could not be written, for example because the disk is full.</exception>
    public static void Write(string path, IEnumerable<TensorInfo> tensors, TensorReader read, SafetensorsType type = SafetensorsType.F32, IReadOnlyDictionary<string, string>? metadata = null) =>
        Write(path, tensors, read, type, create: null, metadata);

    internal static void Write(
        string path, IEnumerable<TensorInfo> tensors, TensorReader read, SafetensorsType type, Func<string, Stream>? create, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(read);
        using var files = new AtomicFiles(create);
        files.Add(path, stream => Write(stream, tensors, read, type, metadata));
        files.Commit();
    }

    internal static void Write(Stream stream, IEnumerable<TensorInfo> tensors, TensorReader read, SafetensorsType type, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var ordered = tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal).ToList();
        var header = Header(ordered, type, metadata);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        stream.Write(length);
        stream.Write(header);

        var largest = checked((int)ordered.Select(tensor => tensor.Count).DefaultIfEmpty(0).Max());
        var values = new float[largest];
        var halves = type == SafetensorsType.F32 ? [] : new ushort[largest];
        foreach (var tensor in ordered)
        {
            var part = values.AsSpan(0, (int)tensor.Count);
            read(tensor.Name, part);
            if (type == SafetensorsType.F32)
            {
                WriteInPieces(stream, MemoryMarshal.AsBytes(part));
                continue;
            }

            var rounded = halves.AsSpan(0, part.Length);
            if (type == SafetensorsType.BF16)
                HalfNumbers.ToBrain(part, rounded);
            else
                HalfNumbers.ToHalf(part, rounded);
            WriteInPieces(stream, MemoryMarshal.AsBytes(rounded));
        }
    }

    private static byte[] Header(List<TensorInfo> tensors, SafetensorsType type, IReadOnlyDictionary<string, string>? metadata)
    {
        var width = type == SafetensorsType.F32 ? 4 : 2;
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            foreach (var (key, value) in metadata ?? new Dictionary<string, string>()) json.WriteString(key, value);
            json.WriteEndObject();
            long at = 0;
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", type.ToString());
                json.WriteStartArray("shape");
                foreach (var size in tensor.Shape)
                    json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at += tensor.Count * width);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (buffer.Length % 8 != 0)
            buffer.WriteByte((byte)' '); // numbers start at a multiple of eight
        return buffer.ToArray();
    }

    private static void WriteInPieces(Stream stream, ReadOnlySpan<byte> bytes)
    {
        const int atOnce = 1 << 24;
        for (; bytes.Length > atOnce; bytes = bytes[atOnce..])
            stream.Write(bytes[..atOnce]);
        stream.Write(bytes);
    }
}
