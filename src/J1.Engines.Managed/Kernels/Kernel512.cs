using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace J1.Engines.Managed.Kernels;

/// <summary>
/// The innermost loops of the matrix product for 512-bit vectors: C[r, 32] += A[r, k] · B[k, 32] with A and B packed in panels
/// (A: [k][r], B: [k][32]). One accumulator an element, added to in the order of k, so a row's bits do not depend on r.
/// Written out by hand-made text because only named locals stay in registers; every kernel has the same shape.
/// </summary>
internal static unsafe class Kernel512
{
    /// <summary>Columns of a panel of B.</summary>
    public const int Columns = 32;

    /// <summary>Most rows of a panel of A.</summary>
    public const int Rows = 12;
    /// <summary>Runs the kernel for <paramref name="rows"/> rows: one of 1, 2, 3, 4, 6, 8, 12.</summary>
    public static void Run(int rows, int k, float* a, float* b, float* c, nint ldc)
    {
        switch (rows)
        {
            case 1: Rows1(k, a, b, c, ldc); break;
            case 2: Rows2(k, a, b, c, ldc); break;
            case 3: Rows3(k, a, b, c, ldc); break;
            case 4: Rows4(k, a, b, c, ldc); break;
            case 6: Rows6(k, a, b, c, ldc); break;
            case 8: Rows8(k, a, b, c, ldc); break;
            case 12: Rows12(k, a, b, c, ldc); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows1(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        var c0a = Vector512.Load(r0);
        var c0b = Vector512.Load(r0 + 16);
        for (; k > 0; k--, a += 1, b += 32)
        {
            var ba = Vector512.Load(b);
            var bb = Vector512.Load(b + 16);
            var x = Vector512.Create(a[0]);
            c0a = Vector512.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector512.FusedMultiplyAdd(x, bb, c0b);
        }
        c0a.Store(r0);
        c0b.Store(r0 + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows2(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        float* r1 = c + 1 * ldc;
        var c0a = Vector512.Load(r0);
        var c0b = Vector512.Load(r0 + 16);
        var c1a = Vector512.Load(r1);
        var c1b = Vector512.Load(r1 + 16);
        for (; k > 0; k--, a += 2, b += 32)
        {
            var ba = Vector512.Load(b);
            var bb = Vector512.Load(b + 16);
            var x = Vector512.Create(a[0]);
            c0a = Vector512.FusedMultiplyAdd(x, ba, c0a);
            c0b = Vector512.FusedMultiplyAdd(x, bb, c0b);
            x = Vector512.Create(a[1]);
            c1a = Vector512.FusedMultiplyAdd(x, ba, c1a);
            c1b = Vector512.FusedMultiplyAdd(x, bb, c1b);
        }
        c0a.Store(r0);
        c0b.Store(r0 + 16);
        c1a.Store(r1);
        c1b.Store(r1 + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows3(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        float* r1 = c + 1 * ldc;
        float* r2 = c + 2 * ldc;
        var c0a = Vector512.Load(r0);
        var c0b = Vector512.Load(r0 + 16);
        var c1a = Vector512.Load(r1);
        var c1b = Vector512.Load(r1 + 16);
        var c2a = Vector512.Load(r2);
        var c2b = Vector512.Load(r2 + 16);
        for (; k > 0; k--, a += 3, b += 32)
        {
            var ba = Vector512.Load(b);
            var bb = Vector512.Load(b + 16);
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
        c0a.Store(r0);
        c0b.Store(r0 + 16);
        c1a.Store(r1);
        c1b.Store(r1 + 16);
        c2a.Store(r2);
        c2b.Store(r2 + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows4(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        float* r1 = c + 1 * ldc;
        float* r2 = c + 2 * ldc;
        float* r3 = c + 3 * ldc;
        var c0a = Vector512.Load(r0);
        var c0b = Vector512.Load(r0 + 16);
        var c1a = Vector512.Load(r1);
        var c1b = Vector512.Load(r1 + 16);
        var c2a = Vector512.Load(r2);
        var c2b = Vector512.Load(r2 + 16);
        var c3a = Vector512.Load(r3);
        var c3b = Vector512.Load(r3 + 16);
        for (; k > 0; k--, a += 4, b += 32)
        {
            var ba = Vector512.Load(b);
            var bb = Vector512.Load(b + 16);
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
        c0a.Store(r0);
        c0b.Store(r0 + 16);
        c1a.Store(r1);
        c1b.Store(r1 + 16);
        c2a.Store(r2);
        c2b.Store(r2 + 16);
        c3a.Store(r3);
        c3b.Store(r3 + 16);
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
        var c0a = Vector512.Load(r0);
        var c0b = Vector512.Load(r0 + 16);
        var c1a = Vector512.Load(r1);
        var c1b = Vector512.Load(r1 + 16);
        var c2a = Vector512.Load(r2);
        var c2b = Vector512.Load(r2 + 16);
        var c3a = Vector512.Load(r3);
        var c3b = Vector512.Load(r3 + 16);
        var c4a = Vector512.Load(r4);
        var c4b = Vector512.Load(r4 + 16);
        var c5a = Vector512.Load(r5);
        var c5b = Vector512.Load(r5 + 16);
        for (; k > 0; k--, a += 6, b += 32)
        {
            var ba = Vector512.Load(b);
            var bb = Vector512.Load(b + 16);
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
        c0a.Store(r0);
        c0b.Store(r0 + 16);
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
    private static void Rows8(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        float* r1 = c + 1 * ldc;
        float* r2 = c + 2 * ldc;
        float* r3 = c + 3 * ldc;
        float* r4 = c + 4 * ldc;
        float* r5 = c + 5 * ldc;
        float* r6 = c + 6 * ldc;
        float* r7 = c + 7 * ldc;
        var c0a = Vector512.Load(r0);
        var c0b = Vector512.Load(r0 + 16);
        var c1a = Vector512.Load(r1);
        var c1b = Vector512.Load(r1 + 16);
        var c2a = Vector512.Load(r2);
        var c2b = Vector512.Load(r2 + 16);
        var c3a = Vector512.Load(r3);
        var c3b = Vector512.Load(r3 + 16);
        var c4a = Vector512.Load(r4);
        var c4b = Vector512.Load(r4 + 16);
        var c5a = Vector512.Load(r5);
        var c5b = Vector512.Load(r5 + 16);
        var c6a = Vector512.Load(r6);
        var c6b = Vector512.Load(r6 + 16);
        var c7a = Vector512.Load(r7);
        var c7b = Vector512.Load(r7 + 16);
        for (; k > 0; k--, a += 8, b += 32)
        {
            var ba = Vector512.Load(b);
            var bb = Vector512.Load(b + 16);
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
        c0a.Store(r0);
        c0b.Store(r0 + 16);
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
    private static void Rows12(int k, float* a, float* b, float* c, nint ldc)
    {
        float* r0 = c;
        float* r1 = c + 1 * ldc;
        float* r2 = c + 2 * ldc;
        float* r3 = c + 3 * ldc;
        float* r4 = c + 4 * ldc;
        float* r5 = c + 5 * ldc;
        float* r6 = c + 6 * ldc;
        float* r7 = c + 7 * ldc;
        float* r8 = c + 8 * ldc;
        float* r9 = c + 9 * ldc;
        float* r10 = c + 10 * ldc;
        float* r11 = c + 11 * ldc;
        var c0a = Vector512.Load(r0);
        var c0b = Vector512.Load(r0 + 16);
        var c1a = Vector512.Load(r1);
        var c1b = Vector512.Load(r1 + 16);
        var c2a = Vector512.Load(r2);
        var c2b = Vector512.Load(r2 + 16);
        var c3a = Vector512.Load(r3);
        var c3b = Vector512.Load(r3 + 16);
        var c4a = Vector512.Load(r4);
        var c4b = Vector512.Load(r4 + 16);
        var c5a = Vector512.Load(r5);
        var c5b = Vector512.Load(r5 + 16);
        var c6a = Vector512.Load(r6);
        var c6b = Vector512.Load(r6 + 16);
        var c7a = Vector512.Load(r7);
        var c7b = Vector512.Load(r7 + 16);
        var c8a = Vector512.Load(r8);
        var c8b = Vector512.Load(r8 + 16);
        var c9a = Vector512.Load(r9);
        var c9b = Vector512.Load(r9 + 16);
        var c10a = Vector512.Load(r10);
        var c10b = Vector512.Load(r10 + 16);
        var c11a = Vector512.Load(r11);
        var c11b = Vector512.Load(r11 + 16);
        for (; k > 0; k--, a += 12, b += 32)
        {
            var ba = Vector512.Load(b);
            var bb = Vector512.Load(b + 16);
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
        c0a.Store(r0);
        c0b.Store(r0 + 16);
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
