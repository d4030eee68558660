using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace J1.Engines.Managed.Kernels;

/// <summary>
/// Copies parts of a matrix into the panels that the kernels read. An operand is seen as vectors of k terms (the rows of A, the columns of
/// B); a panel holds a few of them, term by term: element (vector v, term p) of a panel of w vectors is at [p * w + v].
/// </summary>
internal static unsafe class Packing
{
    /// <summary>Packs one panel.</summary>
    /// <param name="source">The first element of the part to pack.</param>
    /// <param name="stride">Floats from one row of the stored matrix to the next.</param>
    /// <param name="termsTogether">Whether a vector's terms are neighbours in memory (a stored row is a vector) or its vectors are (a stored row is a term).</param>
    /// <param name="vectors">Vectors there are; the panel's other places become zeros.</param>
    /// <param name="width">Vectors the panel has room for (w).</param>
    /// <param name="terms">Terms (k).</param>
    /// <param name="panel">Shape [terms, width].</param>
    public static void Pack(float* source, int stride, bool termsTogether, int vectors, int width, int terms, float* panel)
    {
        if (vectors < width) new Span<float>(panel, terms * width).Clear();
        if (termsTogether) Transpose(source, stride, vectors, terms, panel, width);
        else Copy(source, stride, vectors, terms, panel, width);
    }

    /// <summary>target[p * targetStride + v] = source[v * stride + p].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(float* source, nint stride, int vectors, int terms, float* target, nint targetStride)
    {
        var p = 0;
        if (Avx.IsSupported)
        {
            // 16 terms are one cache line of each source row: all of it is used while it is near.
            for (; p + 16 <= terms; p += 16)
            {
                var v = 0;
                for (; v + 8 <= vectors; v += 8)
                {
                    Transpose8(source + v * stride + p, stride, target + p * targetStride + v, targetStride);
                    Transpose8(source + v * stride + p + 8, stride, target + (p + 8) * targetStride + v, targetStride);
                }

                if (v + 4 <= vectors)
                {
                    for (var part = 0; part < 16; part += 4) Transpose4(source + v * stride + p + part, stride, target + (p + part) * targetStride + v, targetStride);
                    v += 4;
                }

                for (; v < vectors; v++)
                    for (var part = p; part < p + 16; part++)
                        target[part * targetStride + v] = source[v * stride + part];
            }
        }

        for (; p < terms; p++)
            for (var v = 0; v < vectors; v++)
                target[p * targetStride + v] = source[v * stride + p];
    }

    /// <summary>target[p * targetStride + v] = source[p * stride + v].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Copy(float* source, nint stride, int vectors, int terms, float* target, nint targetStride)
    {
        for (var p = 0; p < terms; p++, source += stride, target += targetStride)
        {
            var v = 0;
            for (; v + 8 <= vectors; v += 8) Vector256.Load(source + v).Store(target + v);
            if (v + 4 <= vectors)
            {
                Vector128.Load(source + v).Store(target + v);
                v += 4;
            }

            for (; v < vectors; v++) target[v] = source[v];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose8(float* source, nint stride, float* target, nint targetStride)
    {
        var far = source + 4 * stride;
        Vector256<float> r0 = Vector256.Load(source), r1 = Vector256.Load(source + stride), r2 = Vector256.Load(source + 2 * stride), r3 = Vector256.Load(source + 3 * stride);
        Vector256<float> r4 = Vector256.Load(far), r5 = Vector256.Load(far + stride), r6 = Vector256.Load(far + 2 * stride), r7 = Vector256.Load(far + 3 * stride);

        // Pairs of terms of two rows, then of four, then of eight.
        Vector256<float> a0 = Avx.UnpackLow(r0, r1), a1 = Avx.UnpackHigh(r0, r1), a2 = Avx.UnpackLow(r2, r3), a3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> a4 = Avx.UnpackLow(r4, r5), a5 = Avx.UnpackHigh(r4, r5), a6 = Avx.UnpackLow(r6, r7), a7 = Avx.UnpackHigh(r6, r7);
        Vector256<float> b0 = Avx.Shuffle(a0, a2, 0x44), b1 = Avx.Shuffle(a0, a2, 0xEE), b2 = Avx.Shuffle(a1, a3, 0x44), b3 = Avx.Shuffle(a1, a3, 0xEE);
        Vector256<float> b4 = Avx.Shuffle(a4, a6, 0x44), b5 = Avx.Shuffle(a4, a6, 0xEE), b6 = Avx.Shuffle(a5, a7, 0x44), b7 = Avx.Shuffle(a5, a7, 0xEE);

        var farTarget = target + 4 * targetStride;
        Avx.Permute2x128(b0, b4, 0x20).Store(target);
        Avx.Permute2x128(b1, b5, 0x20).Store(target + targetStride);
        Avx.Permute2x128(b2, b6, 0x20).Store(target + 2 * targetStride);
        Avx.Permute2x128(b3, b7, 0x20).Store(target + 3 * targetStride);
        Avx.Permute2x128(b0, b4, 0x31).Store(farTarget);
        Avx.Permute2x128(b1, b5, 0x31).Store(farTarget + targetStride);
        Avx.Permute2x128(b2, b6, 0x31).Store(farTarget + 2 * targetStride);
        Avx.Permute2x128(b3, b7, 0x31).Store(farTarget + 3 * targetStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4(float* source, nint stride, float* target, nint targetStride)
    {
        Vector128<float> r0 = Vector128.Load(source), r1 = Vector128.Load(source + stride), r2 = Vector128.Load(source + 2 * stride), r3 = Vector128.Load(source + 3 * stride);
        Vector128<float> a0 = Sse.UnpackLow(r0, r1), a1 = Sse.UnpackHigh(r0, r1), a2 = Sse.UnpackLow(r2, r3), a3 = Sse.UnpackHigh(r2, r3);
        Sse.MoveLowToHigh(a0, a2).Store(target);
        Sse.MoveHighToLow(a2, a0).Store(target + targetStride);
        Sse.MoveLowToHigh(a1, a3).Store(target + 2 * targetStride);
        Sse.MoveHighToLow(a3, a1).Store(target + 3 * targetStride);
    }
}
