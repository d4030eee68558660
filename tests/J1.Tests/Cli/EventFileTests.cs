using System.Buffers.Binary;
using System.Text;
using J1.Cli.Running;

namespace J1.Tests.Cli;

public sealed class EventFileTests
{
    [Fact]
    public void The_checksum_is_crc_32c_masked()
    {
        // The check value of CRC-32C is 0xE3069283; masked, ((crc >> 15) | (crc << 17)) + 0xA282EAD8.
        var crc = 0xE3069283u;
        Assert.Equal(unchecked((crc >> 15 | crc << 17) + 0xA282EAD8u), EventFile.MaskedCrc("123456789"u8));
    }

    [Fact]
    public void A_file_begins_as_every_file_of_TensorFlow_does()
    {
        // Length 24, the masked checksum of that length, then field 1 as a double, and the version.
        var header = EventFile.Header(DateTimeOffset.UnixEpoch.AddSeconds(1.5));
        Assert.Equal([0x18, 0, 0, 0, 0, 0, 0, 0, 0xA3, 0x7F, 0x4B, 0x22, 0x09, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 0x1A, 0x0D, .. "brain.Event:2"u8], header[..^4]);
        Assert.Equal(24 + 16, header.Length);
        Assert.Equal(EventFile.MaskedCrc(header.AsSpan(12, 24)), BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(36)));
    }

    [Fact]
    public void Scalars_are_tags_and_floats_of_a_step()
    {
        var record = EventFile.Scalars(DateTimeOffset.UnixEpoch, 300, [("grpo/reward", 0.5), ("é", -1)]);
        byte[] first = [0x0A, 11, .. "grpo/reward"u8, 0x15, 0, 0, 0, 0x3F];
        byte[] second = [0x0A, 2, .. "é"u8, 0x15, 0, 0, 0x80, 0xBF];
        byte[] summary = [0x0A, (byte)first.Length, .. first, 0x0A, (byte)second.Length, .. second];
        byte[] data = [0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0xAC, 0x02, 0x2A, (byte)summary.Length, .. summary];
        Assert.Equal(data, record[12..^4]);
        Assert.Equal((ulong)data.Length, BinaryPrimitives.ReadUInt64LittleEndian(record));
    }

    /// <summary>Reads a file back: all records whole and their checksums right.</summary>
    internal static List<(long Step, string Tag)> Read(byte[] file)
    {
        var found = new List<(long, string)>();
        for (var at = 0; at < file.Length;)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(at));
            Assert.Equal(EventFile.MaskedCrc(file.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 8)));
            var data = file.AsSpan(at + 12, length);
            Assert.Equal(EventFile.MaskedCrc(data), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 12 + length)));
            at += length + 16;
            if (data[9] != 0x10) continue;
            var (step, shift, i) = (0L, 0, 10);
            for (; ; i++, shift += 7)
            {
                step |= (long)(data[i] & 0x7F) << shift;
                if (data[i] < 0x80) break;
            }
            i++;
            Assert.Equal(0x2A, data[i++]);
            while (data[i++] >= 0x80) { }
            while (i < length)
            {
                var tag = data[i + 3];
                found.Add((step, Encoding.UTF8.GetString(data.Slice(i + 4, tag))));
                i += 2 + data[i + 1];
            }
        }
        return found;
    }
}
