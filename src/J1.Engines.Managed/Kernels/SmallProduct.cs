namespace J1.Engines.Managed.Kernels;

/// <summary>
/// C = or += A · B for a few rows and a B whose rows are contiguous and read in place: what attention over a cache needs, where each B is read once.
/// The same chains of multiply-adds as <see cref="Gemm"/>, so the same bits; one thread.
/// </summary>
internal static unsafe class SmallProduct
{
    /// <summary>What a product may write beyond C's last column, and read beyond B's.</summary>
    public const int Slack = Kernel512.Columns - 1;

    /// <param name="rows">m.</param>
    /// <param name="terms">k.</param>
    /// <param name="a">Shape [m, k].</param>
    /// <param name="lda">Row stride of A.</param>
    /// <param name="b">Shape [k, n].</param>
    /// <param name="ldb">Row stride of B.</param>
    /// <param name="c">Shape [m, n]; up to <see cref="Slack"/> further columns get any values.</param>
    /// <param name="ldc">Row stride of C.</param>
    /// <param name="columns">n.</param>
    /// <param name="accumulate">Whether C is added to.</param>
    public static void Multiply(int rows, int terms, float* a, int lda, float* b, nint ldb, float* c, int ldc, int columns, bool accumulate)
    {
        var bits = Gemm.SimdBits;
        if (bits == 0)
        {
            Naive.Multiply(GemmLayout.NN, rows, columns, terms, a, lda, b, (int)ldb, c, ldc, accumulate);
            return;
        }
        var (most, width) = bits == 512 ? (Kernel512.Rows, Kernel512.Columns) : (Kernel256.Rows, Kernel256.Columns);
        var panel = Scratch.Floats(3, (long)most * terms);
        for (int row = 0, take; row < rows; row += take)
        {
            take = Product.Piece(bits, rows - row);
            Packing.Pack(a + (long)row * lda, lda, termsTogether: true, take, take, terms, panel);
            for (var column = 0; column < columns; column += width)
            {
                var target = c + (long)row * ldc + column;
                if (bits == 512) Kernel512.Run(take, terms, panel, b + column, ldb, target, ldc, accumulate);
                else Kernel256.Run(take, terms, panel, b + column, ldb, target, ldc, accumulate);
            }
        }
    }
}
