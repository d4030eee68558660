using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace J1.Engines.Managed.Kernels;

/// <summary>
/// The innermost loops of the matrix product for 256-bit vectors: C[r, 16] = or += A[r, k] · B[k, 16], with A packed as [k][r] and the rows of B
/// <c>bRow</c> floats apart. One accumulator an element, added to in the order of k, so a row's bits do not depend on r.
/// Spelt out because only named locals stay in registers; every kernel has the same shape.
/// </summary>
internal static unsafe class Kernel256
{
    /// <summary>Columns of a panel of B.</summary>
    public const int Columns = 16;

    /// <summary>Most rows of a panel of A.</summary>
    public const int Rows = 6;

    // Floats from a load of B to the line fetched ahead of it: far enough to hide the memory, and inside the panel as a rule.
    private const int Ahead = 512;

    /// <summary>Runs the kernel for <paramref name="rows"/> rows: one of 1, 2, 3, 4, 6.</summary>
    public static void Run(int rows, int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        switch (rows)
        {
            case 1: Rows1(k, a, b, bRow, c, ldc, accumulate); break;
            case 2: Rows2(k, a, b, bRow, c, ldc, accumulate); break;
            case 3: Rows3(k, a, b, bRow, c, ldc, accumulate); break;
            case 4: Rows4(k, a, b, bRow, c, ldc, accumulate); break;
            case 6: Rows6(k, a, b, bRow, c, ldc, accumulate); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows1(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        Vector256<float> c0a = Vector256<float>.Zero, c0b = Vector256<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector256.Load(c), Vector256.Load(c + 8));
        }

        for (; k > 0; k--, a += 1, b += bRow)
        {
            Vector256<float> ba = Vector256.Load(b), bb = Vector256.Load(b + 8);
            Sse.Prefetch0(b + Ahead);
            var x = Vector256.Create(a[0]);
            c0a = Vector256.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector256.FusedMultiplyAdd(x, bb, c0b);
        }

        c0a.Store(c);
        c0b.Store(c + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows2(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        float* r1 = c + ldc;
        Vector256<float> c0a = Vector256<float>.Zero, c0b = Vector256<float>.Zero;
        Vector256<float> c1a = Vector256<float>.Zero, c1b = Vector256<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector256.Load(c), Vector256.Load(c + 8));
            (c1a, c1b) = (Vector256.Load(r1), Vector256.Load(r1 + 8));
        }

        for (; k > 0; k--, a += 2, b += bRow)
        {
            Vector256<float> ba = Vector256.Load(b), bb = Vector256.Load(b + 8);
            Sse.Prefetch0(b + Ahead);
            var x = Vector256.Create(a[0]);
            c0a = Vector256.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector256.FusedMultiplyAdd(x, bb, c0b);
            x = Vector256.Create(a[1]);
            c1a = Vector256.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector256.FusedMultiplyAdd(x, bb, c1b);
        }

        c0a.Store(c);
        c0b.Store(c + 8);
        c1a.Store(r1);
        c1b.Store(r1 + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows3(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        float* r1 = c + ldc, r2 = r1 + ldc;
        Vector256<float> c0a = Vector256<float>.Zero, c0b = Vector256<float>.Zero;
        Vector256<float> c1a = Vector256<float>.Zero, c1b = Vector256<float>.Zero;
        Vector256<float> c2a = Vector256<float>.Zero, c2b = Vector256<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector256.Load(c), Vector256.Load(c + 8));
            (c1a, c1b) = (Vector256.Load(r1), Vector256.Load(r1 + 8));
            (c2a, c2b) = (Vector256.Load(r2), Vector256.Load(r2 + 8));
        }

        for (; k > 0; k--, a += 3, b += bRow)
        {
            Vector256<float> ba = Vector256.Load(b), bb = Vector256.Load(b + 8);
            Sse.Prefetch0(b + Ahead);
            var x = Vector256.Create(a[0]);
            c0a = Vector256.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector256.FusedMultiplyAdd(x, bb, c0b);
            x = Vector256.Create(a[1]);
            c1a = Vector256.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector256.FusedMultiplyAdd(x, bb, c1b);
            x = Vector256.Create(a[2]);
            c2a = Vector256.FusedMultiplyAdd(x, ba, c2a);
            c2b = Vector256.FusedMultiplyAdd(x, bb, c2b);
        }

        c0a.Store(c);
        c0b.Store(c + 8);
        c1a.Store(r1);
        c1b.Store(r1 + 8);
        c2a.Store(r2);
        c2b.Store(r2 + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows4(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        float* r1 = c + ldc, r2 = r1 + ldc, r3 = r2 + ldc;
        Vector256<float> c0a = Vector256<float>.Zero, c0b = Vector256<float>.Zero;
        Vector256<float> c1a = Vector256<float>.Zero, c1b = Vector256<float>.Zero;
        Vector256<float> c2a = Vector256<float>.Zero, c2b = Vector256<float>.Zero;
        Vector256<float> c3a = Vector256<float>.Zero, c3b = Vector256<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector256.Load(c), Vector256.Load(c + 8));
            (c1a, c1b) = (Vector256.Load(r1), Vector256.Load(r1 + 8));
            (c2a, c2b) = (Vector256.Load(r2), Vector256.Load(r2 + 8));
            (c3a, c3b) = (Vector256.Load(r3), Vector256.Load(r3 + 8));
        }

        for (; k > 0; k--, a += 4, b += bRow)
        {
            Vector256<float> ba = Vector256.Load(b), bb = Vector256.Load(b + 8);
            Sse.Prefetch0(b + Ahead);
            var x = Vector256.Create(a[0]);
            c0a = Vector256.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector256.FusedMultiplyAdd(x, bb, c0b);
            x = Vector256.Create(a[1]);
            c1a = Vector256.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector256.FusedMultiplyAdd(x, bb, c1b);
            x = Vector256.Create(a[2]);
            c2a = Vector256.FusedMultiplyAdd(x, ba, c2a);
            c2b = Vector256.FusedMultiplyAdd(x, bb, c2b);
            x = Vector256.Create(a[3]);
            c3a = Vector256.FusedMultiplyAdd(x, ba, c3a);
            c3b = Vector256.FusedMultiplyAdd(x, bb, c3b);
        }

        c0a.Store(c);
        c0b.Store(c + 8);
        c1a.Store(r1);
        c1b.Store(r1 + 8);
        c2a.Store(r2);
        c2b.Store(r2 + 8);
        c3a.Store(r3);
        c3b.Store(r3 + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows6(int k, float* a, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        float* r1 = c + ldc, r2 = r1 + ldc, r3 = r2 + ldc, r4 = r3 + ldc, r5 = r4 + ldc;
        Vector256<float> c0a = Vector256<float>.Zero, c0b = Vector256<float>.Zero;
        Vector256<float> c1a = Vector256<float>.Zero, c1b = Vector256<float>.Zero;
        Vector256<float> c2a = Vector256<float>.Zero, c2b = Vector256<float>.Zero;
        Vector256<float> c3a = Vector256<float>.Zero, c3b = Vector256<float>.Zero;
        Vector256<float> c4a = Vector256<float>.Zero, c4b = Vector256<float>.Zero;
        Vector256<float> c5a = Vector256<float>.Zero, c5b = Vector256<float>.Zero;
        if (accumulate)
        {
            (c0a, c0b) = (Vector256.Load(c), Vector256.Load(c + 8));
            (c1a, c1b) = (Vector256.Load(r1), Vector256.Load(r1 + 8));
            (c2a, c2b) = (Vector256.Load(r2), Vector256.Load(r2 + 8));
            (c3a, c3b) = (Vector256.Load(r3), Vector256.Load(r3 + 8));
            (c4a, c4b) = (Vector256.Load(r4), Vector256.Load(r4 + 8));
            (c5a, c5b) = (Vector256.Load(r5), Vector256.Load(r5 + 8));
        }

        for (; k > 0; k--, a += 6, b += bRow)
        {
            Vector256<float> ba = Vector256.Load(b), bb = Vector256.Load(b + 8);
            Sse.Prefetch0(b + Ahead);
            var x = Vector256.Create(a[0]);
            c0a = Vector256.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector256.FusedMultiplyAdd(x, bb, c0b);
            x = Vector256.Create(a[1]);
            c1a = Vector256.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector256.FusedMultiplyAdd(x, bb, c1b);
            x = Vector256.Create(a[2]);
            c2a = Vector256.FusedMultiplyAdd(x, ba, c2a);
            c2b = Vector256.FusedMultiplyAdd(x, bb, c2b);
            x = Vector256.Create(a[3]);
            c3a = Vector256.FusedMultiplyAdd(x, ba, c3a);
            c3b = Vector256.FusedMultiplyAdd(x, bb, c3b);
            x = Vector256.Create(a[4]);
            c4a = Vector256.FusedMultiplyAdd(x, ba, c4a);
            c4b = Vector256.FusedMultiplyAdd(x, bb, c4b);
            x = Vector256.Create(a[5]);
            c5a = Vector256.FusedMultiplyAdd(x, ba, c5a);
            c5b = Vector256.FusedMultiplyAdd(x, bb, c5b);
        }

        c0a.Store(c);
        c0b.Store(c + 8);
        c1a.Store(r1);
        c1b.Store(r1 + 8);
        c2a.Store(r2);
        c2b.Store(r2 + 8);
        c3a.Store(r3);
        c3b.Store(r3 + 8);
        c4a.Store(r4);
        c4b.Store(r4 + 8);
        c5a.Store(r5);
        c5b.Store(r5 + 8);
    }
}
