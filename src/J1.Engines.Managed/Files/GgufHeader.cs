using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace J1.Engines.Managed.Files;

/// <summary>A tensor as a GGUF header describes it: sizes are innermost first (the reverse of a Hugging Face shape), the offset counts from the start of the file.</summary>
internal sealed record GgufTensor(string Name, IReadOnlyList<int> Sizes, GgmlType Type, long Offset);

/// <summary>The part of a GGUF file (version 2 or 3) before the numbers: metadata of all types, and the list of tensors.</summary>
internal sealed class GgufHeader
{
    private const string Again = "Download or convert the file again.";
    private const int DeepestList = 8;

    private readonly string _path;
    private readonly SafeFileHandle _file;
    private readonly long _length;
    private readonly byte[] _buffer = new byte[1 << 16];
    private long _bufferStart;
    private int _bufferLength;
    private long _at;

    public GgufHeader(SafeFileHandle file, string path)
    {
        _file = file;
        _path = path;
        _length = RandomAccess.GetLength(file);
        ReadStart(out var tensorCount, out var entryCount);
        for (ulong i = 0; i < entryCount; i++)
        {
            var key = Text();
            var value = Value(Number<uint>(), key);
            if (!Metadata.TryAdd(key, value))
                throw Damaged($"has the metadata key '{key}' twice");
        }

        var tensors = new List<(string Name, List<int> Sizes, GgmlType Type, ulong Offset)>();
        for (ulong i = 0; i < tensorCount; i++)
            tensors.Add(Tensor());
        Place(tensors);
    }

    public Dictionary<string, object> Metadata { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, GgufTensor> Tensors { get; } = new(StringComparer.Ordinal);

    private void ReadStart(out ulong tensorCount, out ulong entryCount)
    {
        if (_length < 24)
            throw Damaged($"is truncated: it is {_length} bytes long, and a GGUF file starts with 24 bytes of counts");
        var magic = Bytes(4);
        if (!magic.AsSpan().SequenceEqual("GGUF"u8))
            throw Damaged($"is not a GGUF file: it starts with the bytes {Convert.ToHexString(magic)}, expected 47475546 (\"GGUF\")");
        var version = Number<uint>();
        if (version is not (2 or 3))
            throw new ModelFileException(
                _path, BinaryPrimitives.ReverseEndianness(version) is 2 or 3 ? "is a big-endian GGUF file" : $"is a GGUF file of version {version}",
                "Supported are versions 2 and 3, little-endian: convert the model again with a current llama.cpp.");
        tensorCount = Number<ulong>();
        entryCount = Number<ulong>();
    }

    private (string Name, List<int> Sizes, GgmlType Type, ulong Offset) Tensor()
    {
        var name = Text();
        var rank = Number<uint>();
        if (rank is 0 or > 4)
            throw Damaged($"gives tensor '{name}' {rank} dimensions; expected 1 to 4");
        var sizes = new List<int>();
        for (var i = 0; i < rank; i++)
        {
            var size = Number<ulong>();
            sizes.Add(size is > 0 and <= int.MaxValue ? (int)size : throw Damaged($"gives tensor '{name}' a size of {size}"));
        }

        var type = Number<uint>();
        if (!GgmlTypes.IsRead(type))
            throw new ModelFileException(
                _path, $"tensor '{name}' is stored as {GgmlTypes.NameOf(type)}, which is not read here",
                $"Supported: {string.Join(", ", Enum.GetNames<GgmlType>())}. Take the model in one of these.");
        return (name, sizes, (GgmlType)type, Number<ulong>());
    }

    private void Place(List<(string Name, List<int> Sizes, GgmlType Type, ulong Offset)> tensors)
    {
        var alignment = Metadata.TryGetValue("general.alignment", out var given) && given is uint value and > 0 ? value : 32;
        var start = (_at + alignment - 1) / alignment * alignment;
        foreach (var (name, sizes, type, offset) in tensors)
        {
            var (values, bytes) = GgmlTypes.BlockOf(type);
            if (sizes[0] % values != 0)
                throw Damaged($"gives tensor '{name}' rows of {sizes[0]} numbers; {type} needs a multiple of {values}");
            var length = sizes.Skip(1).Aggregate((Int128)(sizes[0] / values) * bytes, (product, size) => product * size);
            if (start + (Int128)offset + length > _length)
                throw Damaged($"is truncated: tensor '{name}' should end at byte {start + (Int128)offset + length}, the file ends at {_length}");
            if (!Tensors.TryAdd(name, new GgufTensor(name, sizes, type, start + (long)offset)))
                throw Damaged($"describes tensor '{name}' twice");
        }
    }

    private object Value(uint type, string key) => type switch
    {
        0 => Number<byte>(),
        1 => Number<sbyte>(),
        2 => Number<ushort>(),
        3 => Number<short>(),
        4 => Number<uint>(),
        5 => Number<int>(),
        6 => Number<float>(),
        7 => Number<byte>() != 0,
        8 => Text(),
        9 => List(key),
        10 => Number<ulong>(),
        11 => Number<long>(),
        12 => Number<double>(),
        _ => throw Damaged($"gives the metadata key '{key}' the unknown type {type}"),
    };

    private Array List(string key, int depth = 0)
    {
        if (depth > DeepestList)
            throw Damaged($"nests the lists of the metadata key '{key}' more than {DeepestList} deep");
        var type = Number<uint>();
        var count = Number<ulong>();
        return type switch
        {
            0 => Numbers<byte>(count, key),
            1 => Numbers<sbyte>(count, key),
            2 => Numbers<ushort>(count, key),
            3 => Numbers<short>(count, key),
            4 => Numbers<uint>(count, key),
            5 => Numbers<int>(count, key),
            6 => Numbers<float>(count, key),
            7 => Array.ConvertAll(Numbers<byte>(count, key), flag => flag != 0),
            8 => Items(count, 8, key, Text),
            9 => Items(count, 12, key, () => List(key, depth + 1)),
            10 => Numbers<ulong>(count, key),
            11 => Numbers<long>(count, key),
            12 => Numbers<double>(count, key),
            _ => throw Damaged($"gives the metadata key '{key}' a list of the unknown type {type}"),
        };
    }

    private T[] Items<T>(ulong count, int leastBytes, string key, Func<T> read)
    {
        var items = new T[Fits(count, leastBytes, key)];
        for (var i = 0; i < items.Length; i++)
            items[i] = read();
        return items;
    }

    private unsafe T[] Numbers<T>(ulong count, string key)
        where T : unmanaged
    {
        var numbers = new T[Fits(count, sizeof(T), key)];
        Fill(MemoryMarshal.AsBytes(numbers.AsSpan()));
        return numbers;
    }

    private int Fits(ulong count, int leastBytes, string what) => (Int128)count * leastBytes <= _length - _at && count <= (ulong)Array.MaxLength
        ? (int)count
        : throw Damaged($"is truncated or damaged: '{what}' should have {count} items, and {_length - _at} bytes are left");

    private string Text() => Encoding.UTF8.GetString(Bytes(Fits(Number<ulong>(), 1, "a text")));

    private byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        Fill(bytes);
        return bytes;
    }

    private unsafe T Number<T>()
        where T : unmanaged
    {
        Span<byte> bytes = stackalloc byte[sizeof(T)];
        Fill(bytes);
        return MemoryMarshal.Read<T>(bytes);
    }

    private void Fill(Span<byte> destination)
    {
        if (destination.Length > _length - _at)
            throw Damaged($"is truncated: its header goes on behind the end of the file at byte {_length}");
        while (destination.Length > 0)
        {
            var available = (int)(_bufferStart + _bufferLength - _at);
            if (available <= 0)
            {
                _bufferStart = _at;
                _bufferLength = (int)Math.Min(_buffer.Length, _length - _at);
                FileBytes.Read(_file, _path, _buffer.AsSpan(0, _bufferLength), _at);
                available = _bufferLength;
            }

            var count = Math.Min(available, destination.Length);
            _buffer.AsSpan((int)(_at - _bufferStart), count).CopyTo(destination);
            destination = destination[count..];
            _at += count;
        }
    }

    private ModelFileException Damaged(string problem) => new(_path, problem, Again);
}
