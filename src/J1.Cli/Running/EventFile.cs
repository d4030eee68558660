using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace J1.Cli.Running;

/// <summary>
/// TensorBoard's event format, as far as scalars need it: records of TFRecord framing (length, masked CRC-32C of it, data, masked CRC-32C of that), each a protobuf
/// <c>Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 { repeated Value value = 1 { string tag = 1; float simple_value = 2; } } }</c>.
/// </summary>
internal static class EventFile
{
    public const string Name = "events.out.tfevents.j1";

    private const int Double = 1, Text = 2, Float = 5;

    /// <summary>The record that a file begins with.</summary>
    public static byte[] Header(DateTimeOffset time)
    {
        var data = new MemoryStream();
        WallTime(data, time);
        Bytes(data, 3, "brain.Event:2"u8);
        return Record(data.ToArray());
    }

    /// <summary>A record of scalars of one step.</summary>
    public static byte[] Scalars(DateTimeOffset time, long step, IEnumerable<(string Tag, double Value)> scalars)
    {
        var summary = new MemoryStream();
        Span<byte> number = stackalloc byte[4];
        foreach (var (tag, value) in scalars)
        {
            var one = new MemoryStream();
            Bytes(one, 1, Encoding.UTF8.GetBytes(tag));
            Key(one, 2, Float);
            BinaryPrimitives.WriteSingleLittleEndian(number, (float)value);
            one.Write(number);
            Bytes(summary, 1, one.ToArray());
        }
        var data = new MemoryStream();
        WallTime(data, time);
        Key(data, 2, 0);
        Varint(data, (ulong)step);
        Bytes(data, 5, summary.ToArray());
        return Record(data.ToArray());
    }

    /// <summary>CRC-32C (Castagnoli), turned and shifted as TFRecord stores it.</summary>
    internal static uint MaskedCrc(ReadOnlySpan<byte> data)
    {
        var crc = ~0u;
        foreach (var b in data) crc = BitOperations.Crc32C(crc, b);
        crc = ~crc;
        return BitOperations.RotateRight(crc, 15) + 0xA282EAD8;
    }

    private static byte[] Record(byte[] data)
    {
        var record = new byte[data.Length + 16];
        BinaryPrimitives.WriteUInt64LittleEndian(record, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc(record.AsSpan(0, 8)));
        data.CopyTo(record, 12);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + data.Length), MaskedCrc(data));
        return record;
    }

    private static void WallTime(MemoryStream data, DateTimeOffset time)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(number, (time - DateTimeOffset.UnixEpoch).TotalSeconds);
        Key(data, 1, Double);
        data.Write(number);
    }

    private static void Bytes(MemoryStream data, int field, ReadOnlySpan<byte> bytes)
    {
        Key(data, field, Text);
        Varint(data, (ulong)bytes.Length);
        data.Write(bytes);
    }

    private static void Key(MemoryStream data, int field, int wireType) => data.WriteByte((byte)(field << 3 | wireType));

    private static void Varint(MemoryStream data, ulong value)
    {
        for (; value >= 0x80; value >>= 7) data.WriteByte((byte)(value | 0x80));
        data.WriteByte((byte)value);
    }
}
