using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace J1.Engines.Managed.Kernels;

/// <summary>
/// The innermost loops of the matrix product for 512-bit vectors: C[r, 32] = or += A[r, k] · B[k, 32], with A packed as [k][r] and the rows of B
/// <c>bRow</c> floats apart. One accumulator an element, added to in the order of k, so a row's bits do not depend on r.
/// Spelt out because only named locals stay in registers; every kernel has the same shape.
/// </summary>
internal static unsafe class Kernel512
{
    /// <summary>Columns of a panel of B.</summary>
    public const int Columns = 32;

    /// <summary>Most rows of a panel of A.</summary>
    public const int Rows = 12;

    // Floats from a load of B to the line fetched ahead of it: far enough to hide the memory, and inside the panel as a rule.
    private const int Ahead = 1024;

    /// <summary>Runs the kernel for <paramref name="rows"/> rows: one of 1, 2, 3, 4, 6, 8, 12.</summary>
    public static void Run(int rows, int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        switch (rows)
        {
            case 1: Rows1(k, a, b, bRow, c, ldc, accumulate); break;
            case 2: Rows2(k, a, b, bRow, c, ldc, accumulate); break;
            case 3: Rows3(k, a, b, bRow, c, ldc, accumulate); break;
            case 4: Rows4(k, a, b, bRow, c, ldc, accumulate); break;
            case 6: Rows6(k, a, b, bRow, c, ldc, accumulate); break;
            case 8: Rows8(k, a, b, bRow, c, ldc, accumulate); break;
            case 12: Rows12(k, a, b, bRow, c, ldc, accumulate); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows1(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        Vector512<float> c0a = Vector512<float>.Zero, c0b = Vector512<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector512.Load(c), Vector512.Load(c + 16));
        }

        for (; k > 0; k--, a += 1, b += bRow)
        {
            Vector512<float> ba = Vector512.Load(b), bb = Vector512.Load(b + 16);
            Sse.Prefetch0(b + Ahead);
            Sse.Prefetch0(b + Ahead + 16);
            var x = Vector512.Create(a[0]);
            c0a = Vector512.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector512.FusedMultiplyAdd(x, bb, c0b);
        }

        c0a.Store(c);
        c0b.Store(c + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows2(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        float* r1 = c + ldc;
        Vector512<float> c0a = Vector512<float>.Zero, c0b = Vector512<float>.Zero;
        Vector512<float> c1a = Vector512<float>.Zero, c1b = Vector512<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector512.Load(c), Vector512.Load(c + 16));
            (c1a, c1b) = (Vector512.Load(r1), Vector512.Load(r1 + 16));
        }

        for (; k > 0; k--, a += 2, b += bRow)
        {
            Vector512<float> ba = Vector512.Load(b), bb = Vector512.Load(b + 16);
            Sse.Prefetch0(b + Ahead);
            Sse.Prefetch0(b + Ahead + 16);
            var x = Vector512.Create(a[0]);
            c0a = Vector512.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector512.FusedMultiplyAdd(x, bb, c0b);
            x = Vector512.Create(a[1]);
            c1a = Vector512.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector512.FusedMultiplyAdd(x, bb, c1b);
        }

        c0a.Store(c);
        c0b.Store(c + 16);
        c1a.Store(r1);
        c1b.Store(r1 + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows3(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        float* r1 = c + ldc, r2 = r1 + ldc;
        Vector512<float> c0a = Vector512<float>.Zero, c0b = Vector512<float>.Zero;
        Vector512<float> c1a = Vector512<float>.Zero, c1b = Vector512<float>.Zero;
        Vector512<float> c2a = Vector512<float>.Zero, c2b = Vector512<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector512.Load(c), Vector512.Load(c + 16));
            (c1a, c1b) = (Vector512.Load(r1), Vector512.Load(r1 + 16));
            (c2a, c2b) = (Vector512.Load(r2), Vector512.Load(r2 + 16));
        }

        for (; k > 0; k--, a += 3, b += bRow)
        {
            Vector512<float> ba = Vector512.Load(b), bb = Vector512.Load(b + 16);
            Sse.Prefetch0(b + Ahead);
            Sse.Prefetch0(b + Ahead + 16);
            var x = Vector512.Create(a[0]);
            c0a = Vector512.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector512.FusedMultiplyAdd(x, bb, c0b);
            x = Vector512.Create(a[1]);
            c1a = Vector512.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector512.FusedMultiplyAdd(x, bb, c1b);
            x = Vector512.Create(a[2]);
            c2a = Vector512.FusedMultiplyAdd(x, ba, c2a);
            c2b = Vector512.FusedMultiplyAdd(x, bb, c2b);
        }

        c0a.Store(c);
        c0b.Store(c + 16);
        c1a.Store(r1);
        c1b.Store(r1 + 16);
        c2a.Store(r2);
        c2b.Store(r2 + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows4(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        float* r1 = c + ldc, r2 = r1 + ldc, r3 = r2 + ldc;
        Vector512<float> c0a = Vector512<float>.Zero, c0b = Vector512<float>.Zero;
        Vector512<float> c1a = Vector512<float>.Zero, c1b = Vector512<float>.Zero;
        Vector512<float> c2a = Vector512<float>.Zero, c2b = Vector512<float>.Zero;
        Vector512<float> c3a = Vector512<float>.Zero, c3b = Vector512<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector512.Load(c), Vector512.Load(c + 16));
            (c1a, c1b) = (Vector512.Load(r1), Vector512.Load(r1 + 16));
            (c2a, c2b) = (Vector512.Load(r2), Vector512.Load(r2 + 16));
            (c3a, c3b) = (Vector512.Load(r3), Vector512.Load(r3 + 16));
        }

        for (; k > 0; k--, a += 4, b += bRow)
        {
            Vector512<float> ba = Vector512.Load(b), bb = Vector512.Load(b + 16);
            Sse.Prefetch0(b + Ahead);
            Sse.Prefetch0(b + Ahead + 16);
            var x = Vector512.Create(a[0]);
            c0a = Vector512.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector512.FusedMultiplyAdd(x, bb, c0b);
            x = Vector512.Create(a[1]);
            c1a = Vector512.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector512.FusedMultiplyAdd(x, bb, c1b);
            x = Vector512.Create(a[2]);
            c2a = Vector512.FusedMultiplyAdd(x, ba, c2a);
            c2b = Vector512.FusedMultiplyAdd(x, bb, c2b);
            x = Vector512.Create(a[3]);
            c3a = Vector512.FusedMultiplyAdd(x, ba, c3a);
            c3b = Vector512.FusedMultiplyAdd(x, bb, c3b);
        }

        c0a.Store(c);
        c0b.Store(c + 16);
        c1a.Store(r1);
        c1b.Store(r1 + 16);
        c2a.Store(r2);
        c2b.Store(r2 + 16);
        c3a.Store(r3);
        c3b.Store(r3 + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows6(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        float* r1 = c + ldc, r2 = r1 + ldc, r3 = r2 + ldc, r4 = r3 + ldc, r5 = r4 + ldc;
        Vector512<float> c0a = Vector512<float>.Zero, c0b = Vector512<float>.Zero;
        Vector512<float> c1a = Vector512<float>.Zero, c1b = Vector512<float>.Zero;
        Vector512<float> c2a = Vector512<float>.Zero, c2b = Vector512<float>.Zero;
        Vector512<float> c3a = Vector512<float>.Zero, c3b = Vector512<float>.Zero;
        Vector512<float> c4a = Vector512<float>.Zero, c4b = Vector512<float>.Zero;
        Vector512<float> c5a = Vector512<float>.Zero, c5b = Vector512<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector512.Load(c), Vector512.Load(c + 16));
            (c1a, c1b) = (Vector512.Load(r1), Vector512.Load(r1 + 16));
            (c2a, c2b) = (Vector512.Load(r2), Vector512.Load(r2 + 16));
            (c3a, c3b) = (Vector512.Load(r3), Vector512.Load(r3 + 16));
            (c4a, c4b) = (Vector512.Load(r4), Vector512.Load(r4 + 16));
            (c5a, c5b) = (Vector512.Load(r5), Vector512.Load(r5 + 16));
        }

        for (; k > 0; k--, a += 6, b += bRow)
        {
            Vector512<float> ba = Vector512.Load(b), bb = Vector512.Load(b + 16);
            Sse.Prefetch0(b + Ahead);
            Sse.Prefetch0(b + Ahead + 16);
            var x = Vector512.Create(a[0]);
            c0a = Vector512.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector512.FusedMultiplyAdd(x, bb, c0b);
            x = Vector512.Create(a[1]);
            c1a = Vector512.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector512.FusedMultiplyAdd(x, bb, c1b);
            x = Vector512.Create(a[2]);
            c2a = Vector512.FusedMultiplyAdd(x, ba, c2a);
            c2b = Vector512.FusedMultiplyAdd(x, bb, c2b);
            x = Vector512.Create(a[3]);
            c3a = Vector512.FusedMultiplyAdd(x, ba, c3a);
            c3b = Vector512.FusedMultiplyAdd(x, bb, c3b);
            x = Vector512.Create(a[4]);
            c4a = Vector512.FusedMultiplyAdd(x, ba, c4a);
            c4b = Vector512.FusedMultiplyAdd(x, bb, c4b);
            x = Vector512.Create(a[5]);
            c5a = Vector512.FusedMultiplyAdd(x, ba, c5a);
            c5b = Vector512.FusedMultiplyAdd(x, bb, c5b);
        }

        c0a.Store(c);
        c0b.Store(c + 16);
        c1a.Store(r1);
        c1b.Store(r1 + 16);
        c2a.Store(r2);
        c2b.Store(r2 + 16);
        c3a.Store(r3);
        c3b.Store(r3 + 16);
        c4a.Store(r4);
        c4b.Store(r4 + 16);
        c5a.Store(r5);
        c5b.Store(r5 + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows8(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        float* r1 = c + ldc, r2 = r1 + ldc, r3 = r2 + ldc, r4 = r3 + ldc, r5 = r4 + ldc, r6 = r5 + ldc, r7 = r6 + ldc;
        Vector512<float> c0a = Vector512<float>.Zero, c0b = Vector512<float>.Zero;
        Vector512<float> c1a = Vector512<float>.Zero, c1b = Vector512<float>.Zero;
        Vector512<float> c2a = Vector512<float>.Zero, c2b = Vector512<float>.Zero;
        Vector512<float> c3a = Vector512<float>.Zero, c3b = Vector512<float>.Zero;
        Vector512<float> c4a = Vector512<float>.Zero, c4b = Vector512<float>.Zero;
        Vector512<float> c5a = Vector512<float>.Zero, c5b = Vector512<float>.Zero;
        Vector512<float> c6a = Vector512<float>.Zero, c6b = Vector512<float>.Zero;
        Vector512<float> c7a = Vector512<float>.Zero, c7b = Vector512<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector512.Load(c), Vector512.Load(c + 16));
            (c1a, c1b) = (Vector512.Load(r1), Vector512.Load(r1 + 16));
            (c2a, c2b) = (Vector512.Load(r2), Vector512.Load(r2 + 16));
            (c3a, c3b) = (Vector512.Load(r3), Vector512.Load(r3 + 16));
            (c4a, c4b) = (Vector512.Load(r4), Vector512.Load(r4 + 16));
            (c5a, c5b) = (Vector512.Load(r5), Vector512.Load(r5 + 16));
            (c6a, c6b) = (Vector512.Load(r6), Vector512.Load(r6 + 16));
            (c7a, c7b) = (Vector512.Load(r7), Vector512.Load(r7 + 16));
        }

        for (; k > 0; k--, a += 8, b += bRow)
        {
            Vector512<float> ba = Vector512.Load(b), bb = Vector512.Load(b + 16);
            Sse.Prefetch0(b + Ahead);
            Sse.Prefetch0(b + Ahead + 16);
            var x = Vector512.Create(a[0]);
            c0a = Vector512.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector512.FusedMultiplyAdd(x, bb, c0b);
            x = Vector512.Create(a[1]);
            c1a = Vector512.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector512.FusedMultiplyAdd(x, bb, c1b);
            x = Vector512.Create(a[2]);
            c2a = Vector512.FusedMultiplyAdd(x, ba, c2a);
            c2b = Vector512.FusedMultiplyAdd(x, bb, c2b);
            x = Vector512.Create(a[3]);
            c3a = Vector512.FusedMultiplyAdd(x, ba, c3a);
            c3b = Vector512.FusedMultiplyAdd(x, bb, c3b);
            x = Vector512.Create(a[4]);
            c4a = Vector512.FusedMultiplyAdd(x, ba, c4a);
            c4b = Vector512.FusedMultiplyAdd(x, bb, c4b);
            x = Vector512.Create(a[5]);
            c5a = Vector512.FusedMultiplyAdd(x, ba, c5a);
            c5b = Vector512.FusedMultiplyAdd(x, bb, c5b);
            x = Vector512.Create(a[6]);
            c6a = Vector512.FusedMultiplyAdd(x, ba, c6a);
            c6b = Vector512.FusedMultiplyAdd(x, bb, c6b);
            x = Vector512.Create(a[7]);
            c7a = Vector512.FusedMultiplyAdd(x, ba, c7a);
            c7b = Vector512.FusedMultiplyAdd(x, bb, c7b);
        }

        c0a.Store(c);
        c0b.Store(c + 16);
        c1a.Store(r1);
        c1b.Store(r1 + 16);
        c2a.Store(r2);
        c2b.Store(r2 + 16);
        c3a.Store(r3);
        c3b.Store(r3 + 16);
        c4a.Store(r4);
        c4b.Store(r4 + 16);
        c5a.Store(r5);
        c5b.Store(r5 + 16);
        c6a.Store(r6);
        c6b.Store(r6 + 16);
        c7a.Store(r7);
        c7b.Store(r7 + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows12(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        float* r1 = c + ldc, r2 = r1 + ldc, r3 = r2 + ldc, r4 = r3 + ldc, r5 = r4 + ldc, r6 = r5 + ldc, r7 = r6 + ldc, r8 = r7 + ldc, r9 = r8 + ldc, r10 = r9 + ldc, r11 = r10 + ldc;
        Vector512<float> c0a = Vector512<float>.Zero, c0b = Vector512<float>.Zero;
        Vector512<float> c1a = Vector512<float>.Zero, c1b = Vector512<float>.Zero;
        Vector512<float> c2a = Vector512<float>.Zero, c2b = Vector512<float>.Zero;
        Vector512<float> c3a = Vector512<float>.Zero, c3b = Vector512<float>.Zero;
        Vector512<float> c4a = Vector512<float>.Zero, c4b = Vector512<float>.Zero;
        Vector512<float> c5a = Vector512<float>.Zero, c5b = Vector512<float>.Zero;
        Vector512<float> c6a = Vector512<float>.Zero, c6b = Vector512<float>.Zero;
        Vector512<float> c7a = Vector512<float>.Zero, c7b = Vector512<float>.Zero;
        Vector512<float> c8a = Vector512<float>.Zero, c8b = Vector512<float>.Zero;
        Vector512<float> c9a = Vector512<float>.Zero, c9b = Vector512<float>.Zero;
        Vector512<float> c10a = Vector512<float>.Zero, c10b = Vector512<float>.Zero;
        Vector512<float> c11a = Vector512<float>.Zero, c11b = Vector512<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector512.Load(c), Vector512.Load(c + 16));
            (c1a, c1b) = (Vector512.Load(r1), Vector512.Load(r1 + 16));
            (c2a, c2b) = (Vector512.Load(r2), Vector512.Load(r2 + 16));
            (c3a, c3b) = (Vector512.Load(r3), Vector512.Load(r3 + 16));
            (c4a, c4b) = (Vector512.Load(r4), Vector512.Load(r4 + 16));
            (c5a, c5b) = (Vector512.Load(r5), Vector512.Load(r5 + 16));
            (c6a, c6b) = (Vector512.Load(r6), Vector512.Load(r6 + 16));
            (c7a, c7b) = (Vector512.Load(r7), Vector512.Load(r7 + 16));
            (c8a, c8b) = (Vector512.Load(r8), Vector512.Load(r8 + 16));
            (c9a, c9b) = (Vector512.Load(r9), Vector512.Load(r9 + 16));
            (c10a, c10b) = (Vector512.Load(r10), Vector512.Load(r10 + 16));
            (c11a, c11b) = (Vector512.Load(r11), Vector512.Load(r11 + 16));
        }

        for (; k > 0; k--, a += 12, b += bRow)
        {
            Vector512<float> ba = Vector512.Load(b), bb = Vector512.Load(b + 16);
            Sse.Prefetch0(b + Ahead);
            Sse.Prefetch0(b + Ahead + 16);
            var x = Vector512.Create(a[0]);
            c0a = Vector512.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector512.FusedMultiplyAdd(x, bb, c0b);
            x = Vector512.Create(a[1]);
            c1a = Vector512.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector512.FusedMultiplyAdd(x, bb, c1b);
            x = Vector512.Create(a[2]);
            c2a = Vector512.FusedMultiplyAdd(x, ba, c2a);
            c2b = Vector512.FusedMultiplyAdd(x, bb, c2b);
            x = Vector512.Create(a[3]);
            c3a = Vector512.FusedMultiplyAdd(x, ba, c3a);
            c3b = Vector512.FusedMultiplyAdd(x, bb, c3b);
            x = Vector512.Create(a[4]);
            c4a = Vector512.FusedMultiplyAdd(x, ba, c4a);
            c4b = Vector512.FusedMultiplyAdd(x, bb, c4b);
            x = Vector512.Create(a[5]);
            c5a = Vector512.FusedMultiplyAdd(x, ba, c5a);
            c5b = Vector512.FusedMultiplyAdd(x, bb, c5b);
            x = Vector512.Create(a[6]);
            c6a = Vector512.FusedMultiplyAdd(x, ba, c6a);
            c6b = Vector512.FusedMultiplyAdd(x, bb, c6b);
            x = Vector512.Create(a[7]);
            c7a = Vector512.FusedMultiplyAdd(x, ba, c7a);
            c7b = Vector512.FusedMultiplyAdd(x, bb, c7b);
            x = Vector512.Create(a[8]);
            c8a = Vector512.FusedMultiplyAdd(x, ba, c8a);
            c8b = Vector512.FusedMultiplyAdd(x, bb, c8b);
            x = Vector512.Create(a[9]);
            c9a = Vector512.FusedMultiplyAdd(x, ba, c9a);
            c9b = Vector512.FusedMultiplyAdd(x, bb, c9b);
            x = Vector512.Create(a[10]);
            c10a = Vector512.FusedMultiplyAdd(x, ba, c10a);
            c10b = Vector512.FusedMultiplyAdd(x, bb, c10b);
            x = Vector512.Create(a[11]);
            c11a = Vector512.FusedMultiplyAdd(x, ba, c11a);
            c11b = Vector512.FusedMultiplyAdd(x, bb, c11b);
        }

        c0a.Store(c);
        c0b.Store(c + 16);
        c1a.Store(r1);
        c1b.Store(r1 + 16);
        c2a.Store(r2);
        c2b.Store(r2 + 16);
        c3a.Store(r3);
        c3b.Store(r3 + 16);
        c4a.Store(r4);
        c4b.Store(r4 + 16);
        c5a.Store(r5);
        c5b.Store(r5 + 16);
        c6a.Store(r6);
        c6b.Store(r6 + 16);
        c7a.Store(r7);
        c7b.Store(r7 + 16);
        c8a.Store(r8);
        c8b.Store(r8 + 16);
        c9a.Store(r9);
        c9b.Store(r9 + 16);
        c10a.Store(r10);
        c10b.Store(r10 + 16);
        c11a.Store(r11);
        c11b.Store(r11 + 16);
    }
}
