using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace J1.Engines.Managed.Files;

/// <summary>Blocks of 256 values: groups of 16 or 32 with small integer scales s (and offsets o), which the block's d (and m) scale in turn.</summary>
internal static partial class GgmlBlocks
{
    /// <summary>16 bytes of s (low four bits) and o (high), 64 bytes of q, d, m; groups of 16. d s q - m o.</summary>
    [MethodImpl(Hot)]
    private static void Q2_K(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scales = block[..16];
        var (d, m) = (HalfAt(block, 80), HalfAt(block, 82));
        for (var group = 0; group < 16; group++)
        {
            // A half of 128 values has 32 bytes of q; two bits of each go to values j, j + 32, j + 64, j + 96.
            var (half, shift) = (group / 8, 2 * (group % 8 / 2));
            var q = block.Slice(16 + 32 * half + 16 * (group % 2), 16);
            var (scale, offset) = (d * (scales[group] & 15), m * (scales[group] >> 4));
            var into = values.Slice(16 * group, 16);
            for (var j = 0; j < into.Length; j++)
                into[j] = scale * ((q[j] >> shift) & 3) - offset;
        }
    }

    /// <summary>32 bytes of third bits, 64 bytes of q, 12 bytes of 16 six-bit s, d; groups of 16. d (s - 32) (q - 4).</summary>
    [MethodImpl(Hot)]
    private static void Q3_K(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scales = block.Slice(96, 12);
        var d = HalfAt(block, 108);
        for (var group = 0; group < 16; group++)
        {
            // Four low bits in the first eight bytes, two high bits in the last four.
            var low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
            var high = (scales[8 + group % 4] >> (2 * (group / 4))) & 3;
            var scale = d * ((low | high << 4) - 32);

            var (half, pair) = (group / 8, group % 8 / 2);
            var q = block.Slice(32 + 32 * half + 16 * (group % 2), 16);
            var third = block.Slice(16 * (group % 2), 16);
            var bit = 4 * half + pair;
            var into = values.Slice(16 * group, 16);
            for (var j = 0; j < into.Length; j++)
                into[j] = scale * (((q[j] >> (2 * pair)) & 3 | ((third[j] >> bit) & 1) << 2) - 4);
        }
    }

    /// <summary>d, m, 12 bytes of eight six-bit s and o, 128 bytes of q; groups of 32. d s q - m o.</summary>
    [MethodImpl(Hot)]
    private static void Q4_K(ReadOnlySpan<byte> block, Span<float> values)
    {
        var (d, m) = (HalfAt(block, 0), HalfAt(block, 2));
        for (var group = 0; group < 8; group++)
        {
            var (s, o) = SixBits(block.Slice(4, 12), group);
            var (scale, offset) = (d * s, m * o);
            var q = block.Slice(16 + 32 * (group / 2), 32);
            var shift = 4 * (group % 2);
            var into = values.Slice(32 * group, 32);
            for (var j = 0; j < into.Length; j++)
                into[j] = scale * ((q[j] >> shift) & 15) - offset;
        }
    }

    /// <summary>d, m, 12 bytes of s and o as Q4_K, 32 bytes of fifth bits (bit g of byte j belongs to value j of group g), 128 bytes of q. d s q - m o.</summary>
    [MethodImpl(Hot)]
    private static void Q5_K(ReadOnlySpan<byte> block, Span<float> values)
    {
        var (d, m) = (HalfAt(block, 0), HalfAt(block, 2));
        var fifth = block.Slice(16, 32);
        for (var group = 0; group < 8; group++)
        {
            var (s, o) = SixBits(block.Slice(4, 12), group);
            var (scale, offset) = (d * s, m * o);
            var q = block.Slice(48 + 32 * (group / 2), 32);
            var shift = 4 * (group % 2);
            var into = values.Slice(32 * group, 32);
            for (var j = 0; j < into.Length; j++)
                into[j] = scale * (((q[j] >> shift) & 15) | ((fifth[j] >> group) & 1) << 4) - offset;
        }
    }

    /// <summary>The scale and offset of a group of Q4_K and Q5_K: the first four are in the low six bits of a byte, the last four are pieced together.</summary>
    private static (int Scale, int Offset) SixBits(ReadOnlySpan<byte> packed, int group) => group < 4
        ? (packed[group] & 63, packed[group + 4] & 63)
        : ((packed[group + 4] & 15) | (packed[group - 4] >> 6) << 4, (packed[group + 4] >> 4) | (packed[group] >> 6) << 4);

    /// <summary>128 bytes of low four bits, 64 bytes of high two bits, 16 signed s, d; groups of 16. d s (q - 32).</summary>
    [MethodImpl(Hot)]
    private static void Q6_K(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scales = MemoryMarshal.Cast<byte, sbyte>(block.Slice(192, 16));
        var d = HalfAt(block, 208);
        for (var group = 0; group < 16; group++)
        {
            // A half of 128 values: quarters of 32 share 64 low bytes (quarters 0 and 2, 1 and 3) and 32 high bytes (all four).
            var (half, quarter, side) = (group / 8, group % 8 / 2, 16 * (group % 2));
            var low = block.Slice(64 * half + 32 * (quarter % 2) + side, 16);
            var high = block.Slice(128 + 32 * half + side, 16);
            var scale = d * scales[group];
            var into = values.Slice(16 * group, 16);
            for (var j = 0; j < into.Length; j++)
                into[j] = scale * (((low[j] >> (4 * (quarter / 2))) & 15 | ((high[j] >> (2 * quarter)) & 3) << 4) - 32);
        }
    }

    /// <summary>d, eight pairs of high bits of s, eight times four low bits, 128 bytes of q; groups of 32 as IQ4_NL. d (s - 32) Levels[q].</summary>
    [MethodImpl(Hot)]
    private static void IQ4_XS(ReadOnlySpan<byte> block, Span<float> values)
    {
        var d = HalfAt(block, 0);
        var high = BinaryPrimitives.ReadUInt16LittleEndian(block[2..]);
        for (var group = 0; group < 8; group++)
        {
            var s = ((block[4 + group / 2] >> (4 * (group % 2))) & 15) | ((high >> (2 * group)) & 3) << 4;
            LevelsOf(d * (s - 32), block.Slice(8 + 16 * group, 16), values.Slice(32 * group, 32));
        }
    }
}
