using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

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
/// its bits depend on its own row of A and column of B alone, not on the other rows, the tile, or the number of threads.
/// </summary>
public static unsafe class Gemm
{
    private const int BlockK = 512, BlockN = 1024, BlockM = 96;

    [ThreadStatic] private static Scratch? _packedA;
    [ThreadStatic] private static Scratch? _packedB;

    /// <summary>The vector width in bits that is used: 512, 256, or 0 for plain loops. From the processor, or lower by the environment variable J1_SIMD; tests set it.</summary>
    internal static int SimdBits { get; set; } = Detect();

    private static int PanelColumns => SimdBits == 512 ? Kernel512.Columns : Kernel256.Columns;

    private static int PanelRows => SimdBits == 512 ? Kernel512.Rows : Kernel256.Rows;

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
        Multiply(layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, parallel: (long)m * n * k > 200_000);

    /// <summary>The same on the calling thread alone, for use inside a worker.</summary>
    public static void MultiplyOnThisThread(GemmLayout layout, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc, bool accumulate) =>
        Multiply(layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, parallel: false);

    /// <summary>C[m, n] = A[m, k] · Bᵀ with B packed beforehand: no packing per call, which is what a few rows need.</summary>
    public static void MultiplyPacked(int m, float* a, int lda, PackedMatrix b, float* c, int ldc)
    {
        ArgumentNullException.ThrowIfNull(b);
        if (b.Bits != SimdBits) throw new InvalidOperationException("The matrix was packed for another vector width.");
        var (n, k) = (b.Rows, b.Columns);
        if (SimdBits == 0)
        {
            Naive.Multiply(GemmLayout.NT, m, n, k, a, lda, b.Data.Pointer, k, c, ldc, accumulate: false);
            return;
        }
        var columns = PanelColumns;
        var panels = (n + columns - 1) / columns;
        var rowPanels = (m + PanelRows - 1) / PanelRows;
        var packed = Buffer(ref _packedA, (long)rowPanels * PanelRows * k);
        for (var panel = 0; panel < rowPanels; panel++)
            PackRows(GemmLayout.NT, a, lda, panel * PanelRows, Math.Min(PanelRows, m - panel * PanelRows), 0, k, packed + (long)panel * PanelRows * k);

        // A chunk is a run of panels: about 1 MiB of weights, read once.
        var perChunk = Math.Max(1, Math.Min((panels + 3) / 4, 262_144 / (columns * k) + 1));
        Workers.Run((panels + perChunk - 1) / perChunk, chunk =>
        {
            for (var panel = chunk * perChunk; panel < Math.Min(panels, (chunk + 1) * perChunk); panel++)
                for (var rows = 0; rows < m; rows += PanelRows)
                    Tile(Math.Min(PanelRows, m - rows), Math.Min(columns, n - panel * columns), k, packed + (long)rows * k, b.Data.Pointer + (long)panel * columns * k, c + (long)rows * ldc + panel * columns, ldc, first: true);
        });
    }

    private static void Multiply(GemmLayout layout, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc, bool accumulate, bool parallel)
    {
        if (m == 0 || n == 0) return;
        if (SimdBits == 0 || k == 0)
        {
            Naive.Multiply(layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate);
            return;
        }
        var columns = PanelColumns;
        var threads = parallel ? Workers.Count : 1;
        for (var n0 = 0; n0 < n; n0 += BlockN)
        {
            var width = Math.Min(BlockN, n - n0);
            var panels = (width + columns - 1) / columns;
            for (var k0 = 0; k0 < k; k0 += BlockK)
            {
                var depth = Math.Min(BlockK, k - k0);
                var first = k0 == 0 && !accumulate;
                var packedB = Buffer(ref _packedB, (long)panels * columns * depth);
                var (bStart, kStart) = (n0, k0);
                For(threads, panels, panel => PackColumns(layout, b, ldb, bStart + panel * columns, Math.Min(columns, bStart + width - (bStart + panel * columns)), kStart, depth, packedB + (long)panel * columns * depth));

                var blockM = Math.Max(PanelRows, Math.Min(BlockM, (m / (2 * threads) + PanelRows - 1) / PanelRows * PanelRows));
                For(threads, (m + blockM - 1) / blockM, chunk =>
                {
                    var m0 = chunk * blockM;
                    var rowsHere = Math.Min(blockM, m - m0);
                    var packedA = Buffer(ref _packedA, (long)(rowsHere + PanelRows) * depth);
                    for (var row = 0; row < rowsHere; row += PanelRows)
                        PackRows(layout, a, lda, m0 + row, Math.Min(PanelRows, rowsHere - row), kStart, depth, packedA + (long)row * depth);
                    for (var panel = 0; panel < panels; panel++)
                        for (var row = 0; row < rowsHere; row += PanelRows)
                            Tile(Math.Min(PanelRows, rowsHere - row), Math.Min(columns, width - panel * columns), depth,
                                packedA + (long)row * depth, packedB + (long)panel * columns * depth, c + (long)(m0 + row) * ldc + bStart + panel * columns, ldc, first);
                });
            }
        }
    }

    private static void For(int threads, int chunks, Action<int> body)
    {
        if (threads > 1) Workers.Run(chunks, body);
        else
            for (var chunk = 0; chunk < chunks; chunk++) body(chunk);
    }

    // One tile of at most PanelRows × PanelColumns. A full one works in C itself; an edge works in a stack tile.
    [SkipLocalsInit]
    private static void Tile(int rows, int width, int k, float* a, float* b, float* c, int ldc, bool first)
    {
        var columns = PanelColumns;
        float* tile = stackalloc float[Kernel512.Rows * Kernel512.Columns];
        var at = a;
        var done = 0;
        while (done < rows)
        {
            var take = Largest(rows - done);
            var target = c + (long)done * ldc;
            if (width == columns)
            {
                if (first) Clear(target, take, columns, ldc);
                Run(take, k, at, b, target, ldc);
            }
            else
            {
                for (var r = 0; r < take; r++)
                    for (var j = 0; j < columns; j++)
                        tile[r * columns + j] = first || j >= width ? 0 : target[(long)r * ldc + j];
                Run(take, k, at, b, tile, columns);
                for (var r = 0; r < take; r++)
                    for (var j = 0; j < width; j++)
                        target[(long)r * ldc + j] = tile[r * columns + j];
            }
            at += (long)take * k;
            done += take;
        }
    }

    private static void Clear(float* c, int rows, int columns, int ldc)
    {
        for (var r = 0; r < rows; r++) new Span<float>(c + (long)r * ldc, columns).Clear();
    }

    private static void Run(int rows, int k, float* a, float* b, float* c, nint ldc)
    {
        if (SimdBits == 512) Kernel512.Run(rows, k, a, b, c, ldc);
        else Kernel256.Run(rows, k, a, b, c, ldc);
    }

    // The kernels exist for some row counts; the rest are sums of these.
    private static int Largest(int rows) => SimdBits == 512
        ? rows switch { >= 12 => 12, >= 8 => 8, >= 6 => 6, >= 4 => 4, _ => rows }
        : rows switch { >= 6 => 6, >= 4 => 4, _ => rows };

    // A panel of up to PanelRows rows of A as consecutive sub-panels [k][take], in the row counts the kernels take.
    private static void PackRows(GemmLayout layout, float* a, int lda, int row, int rows, int k0, int depth, float* packed)
    {
        for (var done = 0; done < rows;)
        {
            var take = Largest(rows - done);
            if (layout == GemmLayout.TN)
            {
                var source = a + (long)k0 * lda + row + done;
                for (var p = 0; p < depth; p++, source += lda, packed += take)
                    for (var r = 0; r < take; r++) packed[r] = source[r];
            }
            else
            {
                for (var r = 0; r < take; r++)
                {
                    var source = a + (long)(row + done + r) * lda + k0;
                    var target = packed + r;
                    for (var p = 0; p < depth; p++, target += take) *target = source[p];
                }
                packed += (long)take * depth;
            }
            done += take;
        }
    }

    // A panel [k][columns] of B, zero beyond the matrix's edge.
    internal static void PackColumns(GemmLayout layout, float* b, int ldb, int column, int width, int k0, int depth, float* packed)
    {
        var columns = PanelColumns;
        if (layout == GemmLayout.NT)
        {
            if (width < columns) new Span<float>(packed, columns * depth).Clear();
            for (var j0 = 0; j0 < width; j0 += 8)
            {
                // 8 source rows at a time, so that each written cache line is filled while it is near.
                var take = Math.Min(8, width - j0);
                for (var j = j0; j < j0 + take; j++)
                {
                    var source = b + (long)(column + j) * ldb + k0;
                    var target = packed + j;
                    for (var p = 0; p < depth; p++, target += columns) *target = source[p];
                }
            }
        }
        else
            for (var p = 0; p < depth; p++)
            {
                var source = new ReadOnlySpan<float>(b + (long)(k0 + p) * ldb + column, width);
                var target = new Span<float>(packed + (long)p * columns, columns);
                source.CopyTo(target);
                target[width..].Clear();
            }
    }

    private static float* Buffer(ref Scratch? scratch, long length)
    {
        if (scratch is null || scratch.Buffer.Length < length)
        {
            scratch?.Buffer.Dispose();
            scratch = new Scratch(new NativeBuffer(length, zeroed: false));
        }
        return scratch.Buffer.Pointer;
    }

    private static int Detect()
    {
        var best = Vector512.IsHardwareAccelerated && System.Runtime.Intrinsics.X86.Avx512F.IsSupported ? 512
            : Vector256.IsHardwareAccelerated && System.Runtime.Intrinsics.X86.Fma.IsSupported ? 256 : 0;
        return Environment.GetEnvironmentVariable("J1_SIMD") switch { "scalar" => 0, "256" => Math.Min(best, 256), _ => best };
    }

    private sealed record Scratch(NativeBuffer Buffer);
}

/// <summary>A weight matrix [rows, columns] laid out as the kernels read it, for products with few rows.</summary>
public sealed unsafe class PackedMatrix : IDisposable
{
    public PackedMatrix(float* weights, int rows, int columns)
    {
        (Rows, Columns, Bits) = (rows, columns, Gemm.SimdBits);
        if (Bits == 0)
        {
            Data = new NativeBuffer((long)rows * columns, zeroed: false);
            new Span<float>(weights, rows * columns).CopyTo(Data.Span);
            return;
        }
        var width = Bits == 512 ? Kernel512.Columns : Kernel256.Columns;
        var panels = (rows + width - 1) / width;
        Data = new NativeBuffer((long)panels * width * columns, zeroed: false);
        Workers.Run(panels, panel => Gemm.PackColumns(GemmLayout.NT, weights, columns, panel * width, Math.Min(width, rows - panel * width), 0, columns, Data.Pointer + (long)panel * width * columns));
    }

    /// <summary>Outputs (n).</summary>
    public int Rows { get; }

    /// <summary>Inputs (k).</summary>
    public int Columns { get; }

    internal int Bits { get; }

    internal NativeBuffer Data { get; }

    public void Dispose() => Data.Dispose();
}
