using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace J1.Engines.Managed.Files;

/// <summary>
/// Blocks of quantised numbers to float32. In the comments d and m are a block's scale and offset (float16), q a stored small integer.
/// This file has the blocks of 32 values; those of 256 are in <c>GgmlBlocks.Super.cs</c>.
/// </summary>
internal static partial class GgmlBlocks
{
    /// <summary>A model is read once, at the start: waiting for tiered compilation to warm up took longer than the reading.</summary>
    private const MethodImplOptions Hot = MethodImplOptions.AggressiveOptimization;

    /// <summary>The 16 levels of the IQ4 types: finer around zero, where weights are dense.</summary>
    private static ReadOnlySpan<sbyte> Levels => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>Dequantises whole blocks: <paramref name="source"/> holds exactly the blocks of <paramref name="values"/>.</summary>
    [MethodImpl(Hot)]
    public static void Dequantize(GgmlType type, ReadOnlySpan<byte> source, Span<float> values)
    {
        switch (type)
        {
            case GgmlType.F32:
                source.CopyTo(MemoryMarshal.AsBytes(values));
                return;
            case GgmlType.F16:
                HalfNumbers.FromHalf(MemoryMarshal.Cast<byte, ushort>(source), values);
                return;
            case GgmlType.BF16:
                HalfNumbers.FromBrain(MemoryMarshal.Cast<byte, ushort>(source), values);
                return;
        }

        var (count, bytes) = GgmlTypes.BlockOf(type);
        for (; values.Length > 0; source = source[bytes..], values = values[count..])
        {
            var block = source[..bytes];
            var into = values[..count];
            switch (type)
            {
                case GgmlType.Q4_0: Q4_0(block, into); break;
                case GgmlType.Q4_1: Q4_1(block, into); break;
                case GgmlType.Q5_0: Q5_0(block, into); break;
                case GgmlType.Q5_1: Q5_1(block, into); break;
                case GgmlType.Q8_0: Q8_0(block, into); break;
                case GgmlType.Q2_K: Q2_K(block, into); break;
                case GgmlType.Q3_K: Q3_K(block, into); break;
                case GgmlType.Q4_K: Q4_K(block, into); break;
                case GgmlType.Q5_K: Q5_K(block, into); break;
                case GgmlType.Q6_K: Q6_K(block, into); break;
                case GgmlType.IQ4_NL: IQ4_NL(block, into); break;
                case GgmlType.IQ4_XS: IQ4_XS(block, into); break;
                default: throw new ArgumentOutOfRangeException(nameof(type), type, null);
            }
        }
    }

    private static float HalfAt(ReadOnlySpan<byte> block, int at) => (float)BinaryPrimitives.ReadHalfLittleEndian(block[at..]);

    /// <summary>d, 16 bytes: value j is in the low four bits of byte j, value j + 16 in the high ones. d (q - 8).</summary>
    [MethodImpl(Hot)]
    private static void Q4_0(ReadOnlySpan<byte> block, Span<float> values)
    {
        var d = HalfAt(block, 0);
        var q = block.Slice(2, 16);
        for (var j = 0; j < q.Length; j++)
        {
            values[j] = d * ((q[j] & 15) - 8);
            values[j + 16] = d * ((q[j] >> 4) - 8);
        }
    }

    /// <summary>d, m, 16 bytes as Q4_0. d q + m.</summary>
    [MethodImpl(Hot)]
    private static void Q4_1(ReadOnlySpan<byte> block, Span<float> values)
    {
        var (d, m) = (HalfAt(block, 0), HalfAt(block, 2));
        var q = block.Slice(4, 16);
        for (var j = 0; j < q.Length; j++)
        {
            values[j] = d * (q[j] & 15) + m;
            values[j + 16] = d * (q[j] >> 4) + m;
        }
    }

    /// <summary>d, 32 fifth bits, 16 bytes as Q4_0. d (q - 16).</summary>
    [MethodImpl(Hot)]
    private static void Q5_0(ReadOnlySpan<byte> block, Span<float> values)
    {
        var d = HalfAt(block, 0);
        var high = BinaryPrimitives.ReadUInt32LittleEndian(block[2..]);
        var q = block.Slice(6, 16);
        for (var j = 0; j < q.Length; j++)
        {
            values[j] = d * (((q[j] & 15) | FifthBit(high, j)) - 16);
            values[j + 16] = d * (((q[j] >> 4) | FifthBit(high, j + 16)) - 16);
        }
    }

    /// <summary>d, m, 32 fifth bits, 16 bytes as Q4_0. d q + m.</summary>
    [MethodImpl(Hot)]
    private static void Q5_1(ReadOnlySpan<byte> block, Span<float> values)
    {
        var (d, m) = (HalfAt(block, 0), HalfAt(block, 2));
        var high = BinaryPrimitives.ReadUInt32LittleEndian(block[4..]);
        var q = block.Slice(8, 16);
        for (var j = 0; j < q.Length; j++)
        {
            values[j] = d * ((q[j] & 15) | FifthBit(high, j)) + m;
            values[j + 16] = d * ((q[j] >> 4) | FifthBit(high, j + 16)) + m;
        }
    }

    private static int FifthBit(uint bits, int j) => (int)((bits >> j) & 1) << 4;

    /// <summary>d, 32 signed bytes. d q.</summary>
    [MethodImpl(Hot)]
    private static void Q8_0(ReadOnlySpan<byte> block, Span<float> values)
    {
        var d = HalfAt(block, 0);
        var q = MemoryMarshal.Cast<byte, sbyte>(block.Slice(2, 32));
        for (var j = 0; j < q.Length; j++)
            values[j] = d * q[j];
    }

    /// <summary>d, 16 bytes as Q4_0. d Levels[q].</summary>
    [MethodImpl(Hot)]
    private static void IQ4_NL(ReadOnlySpan<byte> block, Span<float> values) => LevelsOf(HalfAt(block, 0), block.Slice(2, 16), values);

    [MethodImpl(Hot)]
    private static void LevelsOf(float d, ReadOnlySpan<byte> q, Span<float> values)
    {
        for (var j = 0; j < q.Length; j++)
        {
            values[j] = d * Levels[q[j] & 15];
            values[j + 16] = d * Levels[q[j] >> 4];
        }
    }
}
