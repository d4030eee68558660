using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace J1.Engines.Managed.Kernels;

/// <summary>How the operands of <see cref="Gemm"/> lie in memory; C is always row-major [m, n].</summary>
public enum GemmLayout
{
    /// <summary>A[m, k] · B[n, k]ᵀ: forward, Y = X·Wᵀ.</summary>
    NT,

    /// <summary>A[m, k] · B[k, n]: backward to the input, dX = dY·W.</summary>
    NN,

    /// <summary>A[k, m]ᵀ · B[k, n]: backward to the weights, dW = dYᵀ·X.</summary>
    TN,
}

/// <summary>
/// Single-precision matrix product. Each element of C is one chain of fused multiply-adds over k in order, starting from 0 (or from C):
/// its bits depend on its own row of A and column of B alone, not on the other rows, the tile, the vector width or the number of threads.
/// </summary>
public static unsafe class Gemm
{
    // Below this many multiply-adds (some 4 microseconds of one core) a second thread costs more than it brings.
    private const long ParallelWork = 200_000;

    /// <summary>The vector width in bits that is used: 512, 256, or 0 for plain loops. From the processor, or lower by the environment variable J1_SIMD (512, 256, scalar); tests set it.</summary>
    internal static int SimdBits { get; set; } = Detect();

    /// <summary>C = A·B, or C += A·B, on all worker threads.</summary>
    /// <param name="layout">What A and B are.</param>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
    /// <param name="k">Terms of each sum.</param>
    /// <param name="a">A as stored, rows <paramref name="lda"/> floats apart.</param>
    /// <param name="lda">Row stride of A.</param>
    /// <param name="b">B as stored.</param>
    /// <param name="ldb">Row stride of B.</param>
    /// <param name="c">Shape [m, n].</param>
    /// <param name="ldc">Row stride of C.</param>
    /// <param name="accumulate">Whether C is added to.</param>
    public static void Multiply(GemmLayout layout, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc, bool accumulate) =>
        Multiply(layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, (long)m * n * k > ParallelWork ? Workers.Count : 1);

    /// <summary>The same on the calling thread alone, for use inside a worker.</summary>
    public static void MultiplyOnThisThread(GemmLayout layout, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc, bool accumulate) =>
        Multiply(layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, threads: 1);

    /// <summary>C[m, n] = or += A[m, k] · Bᵀ with B packed beforehand: no packing per call, which is what a few rows need.</summary>
    public static void MultiplyPacked(int m, float* a, int lda, PackedMatrix b, float* c, int ldc, bool accumulate = false)
    {
        ArgumentNullException.ThrowIfNull(b);
        var threads = (long)m * b.Rows * b.Columns > ParallelWork ? Workers.Count : 1;
        if (b.Bits == 0) Naive.Multiply(GemmLayout.NT, m, b.Rows, b.Columns, a, lda, b.Data.Pointer, b.Columns, c, ldc, accumulate);
        else if (m > 0) new Product(GemmLayout.NT, m, b.Rows, b.Columns, a, lda, b.Data.Pointer, b.Columns, c, ldc, accumulate, b.Bits, threads).RunPacked();
    }

    private static void Multiply(GemmLayout layout, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc, bool accumulate, int threads)
    {
        var bits = SimdBits; // once: a product must not change its mind half-way
        if (m == 0 || n == 0) return;
        if (bits == 0 || k == 0) Naive.Multiply(layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate);
        else new Product(layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, bits, threads).Run();
    }

    private static int Detect()
    {
        var best = Vector512.IsHardwareAccelerated && Avx512F.IsSupported ? 512
            : Vector256.IsHardwareAccelerated && Fma.IsSupported ? 256 : 0;
        return Environment.GetEnvironmentVariable("J1_SIMD") switch { "scalar" => 0, "256" => Math.Min(best, 256), _ => best };
    }
}
