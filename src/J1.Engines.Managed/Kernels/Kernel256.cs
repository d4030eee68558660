using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace J1.Engines.Managed.Kernels;

/// <summary>
/// The innermost loops of the matrix product for 256-bit vectors: C[r, 16] += A[r, k] · B[k, 16] with A and B packed in panels
/// (A: [k][r], B: [k][16]). One accumulator an element, added to in the order of k, so a row's bits do not depend on r.
/// Written out by hand-made text because only named locals stay in registers; every kernel has the same shape.
/// </summary>
internal static unsafe class Kernel256
{
    /// <summary>Columns of a panel of B.</summary>
    public const int Columns = 16;

    /// <summary>Most rows of a panel of A.</summary>
    public const int Rows = 6;
    /// <summary>Runs the kernel for <paramref name="rows"/> rows: one of 1, 2, 3, 4, 6.</summary>
    public static void Run(int rows, int k, float* a, float* b, float* c, nint ldc)
    {
        switch (rows)
        {
            case 1: Rows1(k, a, b, c, ldc); break;
            case 2: Rows2(k, a, b, c, ldc); break;
            case 3: Rows3(k, a, b, c, ldc); break;
            case 4: Rows4(k, a, b, c, ldc); break;
            case 6: Rows6(k, a, b, c, ldc); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows1(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        var c0a = Vector256.Load(r0);
        var c0b = Vector256.Load(r0 + 8);
        for (; k > 0; k--, a += 1, b += 16)
        {
            var ba = Vector256.Load(b);
            var bb = Vector256.Load(b + 8);
            var x = Vector256.Create(a[0]);
            c0a = Vector256.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector256.FusedMultiplyAdd(x, bb, c0b);
        }
        c0a.Store(r0);
        c0b.Store(r0 + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows2(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        float* r1 = c + 1 * ldc;
        var c0a = Vector256.Load(r0);
        var c0b = Vector256.Load(r0 + 8);
        var c1a = Vector256.Load(r1);
        var c1b = Vector256.Load(r1 + 8);
        for (; k > 0; k--, a += 2, b += 16)
        {
            var ba = Vector256.Load(b);
            var bb = Vector256.Load(b + 8);
            var x = Vector256.Create(a[0]);
            c0a = Vector256.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector256.FusedMultiplyAdd(x, bb, c0b);
            x = Vector256.Create(a[1]);
            c1a = Vector256.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector256.FusedMultiplyAdd(x, bb, c1b);
        }
        c0a.Store(r0);
        c0b.Store(r0 + 8);
        c1a.Store(r1);
        c1b.Store(r1 + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows3(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        float* r1 = c + 1 * ldc;
        float* r2 = c + 2 * ldc;
        var c0a = Vector256.Load(r0);
        var c0b = Vector256.Load(r0 + 8);
        var c1a = Vector256.Load(r1);
        var c1b = Vector256.Load(r1 + 8);
        var c2a = Vector256.Load(r2);
        var c2b = Vector256.Load(r2 + 8);
        for (; k > 0; k--, a += 3, b += 16)
        {
            var ba = Vector256.Load(b);
            var bb = Vector256.Load(b + 8);
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
        c0a.Store(r0);
        c0b.Store(r0 + 8);
        c1a.Store(r1);
        c1b.Store(r1 + 8);
        c2a.Store(r2);
        c2b.Store(r2 + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows4(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        float* r1 = c + 1 * ldc;
        float* r2 = c + 2 * ldc;
        float* r3 = c + 3 * ldc;
        var c0a = Vector256.Load(r0);
        var c0b = Vector256.Load(r0 + 8);
        var c1a = Vector256.Load(r1);
        var c1b = Vector256.Load(r1 + 8);
        var c2a = Vector256.Load(r2);
        var c2b = Vector256.Load(r2 + 8);
        var c3a = Vector256.Load(r3);
        var c3b = Vector256.Load(r3 + 8);
        for (; k > 0; k--, a += 4, b += 16)
        {
            var ba = Vector256.Load(b);
            var bb = Vector256.Load(b + 8);
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
        c0a.Store(r0);
        c0b.Store(r0 + 8);
        c1a.Store(r1);
        c1b.Store(r1 + 8);
        c2a.Store(r2);
        c2b.Store(r2 + 8);
        c3a.Store(r3);
        c3b.Store(r3 + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows6(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        float* r1 = c + 1 * ldc;
        float* r2 = c + 2 * ldc;
        float* r3 = c + 3 * ldc;
        float* r4 = c + 4 * ldc;
        float* r5 = c + 5 * ldc;
        var c0a = Vector256.Load(r0);
        var c0b = Vector256.Load(r0 + 8);
        var c1a = Vector256.Load(r1);
        var c1b = Vector256.Load(r1 + 8);
        var c2a = Vector256.Load(r2);
        var c2b = Vector256.Load(r2 + 8);
        var c3a = Vector256.Load(r3);
        var c3b = Vector256.Load(r3 + 8);
        var c4a = Vector256.Load(r4);
        var c4b = Vector256.Load(r4 + 8);
        var c5a = Vector256.Load(r5);
        var c5b = Vector256.Load(r5 + 8);
        for (; k > 0; k--, a += 6, b += 16)
        {
            var ba = Vector256.Load(b);
            var bb = Vector256.Load(b + 8);
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
        c0a.Store(r0);
        c0b.Store(r0 + 8);
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
