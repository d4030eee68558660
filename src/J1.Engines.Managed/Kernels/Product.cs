using System.Runtime.CompilerServices;

namespace J1.Engines.Managed.Kernels;

/// <summary>
/// One matrix product and the way it is cut. The operand with fewer vectors (A's rows or B's columns) is packed whole and shared by the
/// threads; the other is cut into chunks, each packed into the memory of the thread that takes it and multiplied at once, so every
/// element is packed once. Long sums are cut into blocks that fit the caches; a block goes on from what C holds.
/// </summary>
internal sealed unsafe class Product(
    GemmLayout layout, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc, bool accumulate, int bits, int threads)
{
    // Terms of a block: a panel of A (12 rows) is then 30 KiB, a panel of B (32 columns) 80 KiB.
    private const int MostTerms = 640;

    // Terms of B packed at a time for few rows: they stay in the first-level cache.
    private const int FewTerms = 128;

    // Vectors of the shared operand at once: 10 MiB.
    private const int MostShared = 4096;

    // Panels in a chunk at most: with the longest block 240 KiB of A, 320 KiB of B.
    private const int MostRowPanels = 8, MostColumnPanels = 4;

    [ThreadStatic] private static NativeBuffer? _shared;
    [ThreadStatic] private static NativeBuffer? _local;

    private readonly int _rows = bits == 512 ? Kernel512.Rows : Kernel256.Rows;
    private readonly int _columns = bits == 512 ? Kernel512.Columns : Kernel256.Columns;

    /// <summary>C = or += A·B.</summary>
    public void Run()
    {
        var blocks = Count(k, MostTerms);
        var most = Count(Count(k, blocks), 16) * 16;
        for (var k0 = 0; k0 < k; k0 += most)
        {
            var terms = Math.Min(most, k - k0);
            if (m <= 2 * _rows) FewRows(k0, terms);
            else if (m <= n)
                for (var m0 = 0; m0 < m; m0 += MostShared) ShareRows(m0, Math.Min(m, m0 + MostShared), k0, terms);
            else
                for (var n0 = 0; n0 < n; n0 += MostShared) ShareColumns(n0, Math.Min(n, n0 + MostShared), k0, terms);
        }
    }

    /// <summary>C = A·Bᵀ where B is the panels of a <see cref="PackedMatrix"/>.</summary>
    public void RunPacked()
    {
        var panels = Count(n, _columns);
        var packedA = Buffer(ref _shared, (long)m * k);
        PackRows(0, m, 0, k, packedA);

        // A chunk is a run of panels: at most about 1 MiB of weights, read once.
        var perChunk = Math.Clamp(panels / (4 * threads), 1, Math.Max(1, 262_144 / (_columns * k)));
        For(Count(panels, perChunk), chunk =>
        {
            for (var column = chunk * perChunk * _columns; column < Math.Min(n, (chunk + 1) * perChunk * _columns); column += _columns)
                for (var row = 0; row < m; row += _rows)
                    Tile(row, Math.Min(_rows, m - row), column, 0, k, packedA + (long)row * k, k, 0, b + (long)column * k, _columns);
        });
    }

    // Every element of B is used once or twice, so reading it is all that counts: its rows are read in place where they are contiguous
    // and otherwise transposed in short stretches.
    private void FewRows(int k0, int terms)
    {
        var packedA = Buffer(ref _shared, (long)m * terms);
        PackRows(0, m, k0, terms, packedA);
        var panels = Count(n, _columns);
        var perChunk = Math.Clamp(panels / (4 * threads), 1, 32);
        For(Count(panels, perChunk), chunk =>
        {
            var packedB = Buffer(ref _local, FewTerms * _columns);
            for (var column = chunk * perChunk * _columns; column < Math.Min(n, (chunk + 1) * perChunk * _columns); column += _columns)
            {
                var inPlace = layout != GemmLayout.NT && column + _columns <= n;
                var step = inPlace ? terms : FewTerms;
                for (var from = 0; from < terms; from += step)
                {
                    var some = Math.Min(step, terms - from);
                    if (!inPlace) PackColumns(column, Math.Min(n, column + _columns), k0 + from, some, packedB);
                    for (var row = 0; row < m; row += _rows)
                        Tile(row, Math.Min(_rows, m - row), column, k0 + from, some, packedA + (long)row * terms, terms, from,
                            inPlace ? b + (nint)k0 * ldb + column : packedB, inPlace ? ldb : _columns);
                }
            }
        });
    }

    // A's rows m0 .. m1 are packed for all; a chunk is some columns of B.
    private void ShareRows(int m0, int m1, int k0, int terms)
    {
        var packedA = Buffer(ref _shared, (long)(m1 - m0) * terms);
        var part = MostRowPanels * _rows;
        For(Count(m1 - m0, part), i => PackRows(m0 + i * part, Math.Min(m1, m0 + (i + 1) * part), k0, terms, packedA + (long)i * part * terms));

        var width = Math.Clamp(Count(n, _columns) / (4 * threads), 1, MostColumnPanels) * _columns;
        For(Count(n, width), chunk =>
        {
            int n0 = chunk * width, n1 = Math.Min(n, n0 + width);
            var packedB = Buffer(ref _local, (long)width * terms);
            PackColumns(n0, n1, k0, terms, packedB);
            for (var row = m0; row < m1; row += _rows)
                for (var column = n0; column < n1; column += _columns)
                    Tile(row, Math.Min(_rows, m1 - row), column, k0, terms, packedA + (long)(row - m0) * terms, terms, 0, packedB + (long)(column - n0) * terms, _columns);
        });
    }

    // B's columns n0 .. n1 are packed for all; a chunk is some rows of A.
    private void ShareColumns(int n0, int n1, int k0, int terms)
    {
        var packedB = Buffer(ref _shared, (long)Count(n1 - n0, _columns) * _columns * terms);
        var part = MostColumnPanels * _columns;
        For(Count(n1 - n0, part), i => PackColumns(n0 + i * part, Math.Min(n1, n0 + (i + 1) * part), k0, terms, packedB + (long)i * part * terms));

        var height = Math.Clamp(Count(m, _rows) / (4 * threads), 1, MostRowPanels) * _rows;
        For(Count(m, height), chunk =>
        {
            int m0 = chunk * height, m1 = Math.Min(m, m0 + height);
            var packedA = Buffer(ref _local, (long)height * terms);
            PackRows(m0, m1, k0, terms, packedA);
            for (var column = n0; column < n1; column += _columns)
                for (var row = m0; row < m1; row += _rows)
                    Tile(row, Math.Min(_rows, m1 - row), column, k0, terms, packedA + (long)(row - m0) * terms, terms, 0, packedB + (long)(column - n0) * terms, _columns);
        });
    }

    // C's rows row .. row + rows and one panel's columns, over `count` terms from k0 on: a whole tile in C itself, an edge by way of the
    // stack. The panel of A holds `terms` terms, of which those from `from` on are meant; panelB starts at the first meant.
    [SkipLocalsInit]
    private void Tile(int row, int rows, int column, int k0, int count, float* panelA, int terms, int from, float* panelB, nint rowB)
    {
        var edge = stackalloc float[Kernel512.Rows * Kernel512.Columns];
        var width = Math.Min(_columns, n - column);
        var goesOn = accumulate || k0 > 0;
        for (int done = 0, take; done < rows; done += take, panelA += (long)take * terms)
        {
            take = Piece(rows - done);
            var target = c + (long)(row + done) * ldc + column;
            if (width == _columns)
            {
                Kernel(take, count, panelA + (long)from * take, panelB, rowB, target, ldc, goesOn);
                continue;
            }

            if (goesOn)
            {
                new Span<float>(edge, take * _columns).Clear();
                CopyRows(target, ldc, edge, _columns, take, width);
            }

            Kernel(take, count, panelA + (long)from * take, panelB, rowB, edge, _columns, goesOn);
            CopyRows(edge, _columns, target, ldc, take, width);
        }
    }

    private void Kernel(int rows, int count, float* panelA, float* panelB, nint rowB, float* target, nint stride, bool goesOn)
    {
        if (bits == 512) Kernel512.Run(rows, count, panelA, panelB, rowB, target, stride, goesOn);
        else Kernel256.Run(rows, count, panelA, panelB, rowB, target, stride, goesOn);
    }

    // The kernels exist for some row counts; a panel with fewer rows than the largest lies in such pieces, one after the other.
    private int Piece(int rows) => Piece(bits, rows);

    /// <summary>The rows of the largest kernel that <paramref name="rows"/> rows fill.</summary>
    public static int Piece(int bits, int rows) => bits == 512
        ? rows switch { >= 12 => 12, >= 8 => 8, >= 6 => 6, >= 4 => 4, _ => rows }
        : rows switch { >= 6 => 6, >= 4 => 4, _ => rows };

    private void PackRows(int m0, int m1, int k0, int terms, float* packed)
    {
        for (int row = m0, take; row < m1; row += take, packed += (long)take * terms)
        {
            take = Piece(m1 - row);
            var source = layout == GemmLayout.TN ? a + (long)k0 * lda + row : a + (long)row * lda + k0;
            Packing.Pack(source, lda, layout != GemmLayout.TN, take, take, terms, packed);
        }
    }

    private void PackColumns(int n0, int n1, int k0, int terms, float* packed)
    {
        for (var column = n0; column < n1; column += _columns, packed += (long)_columns * terms)
        {
            var source = layout == GemmLayout.NT ? b + (long)column * ldb + k0 : b + (long)k0 * ldb + column;
            Packing.Pack(source, ldb, layout == GemmLayout.NT, Math.Min(_columns, n1 - column), _columns, terms, packed);
        }
    }

    private void For(int chunks, Action<int> body)
    {
        if (threads > 1) Workers.Run(chunks, body);
        else
            for (var chunk = 0; chunk < chunks; chunk++) body(chunk);
    }

    private static void CopyRows(float* from, nint fromStride, float* to, nint toStride, int rows, int width)
    {
        for (var r = 0; r < rows; r++) new ReadOnlySpan<float>(from + r * fromStride, width).CopyTo(new Span<float>(to + r * toStride, width));
    }

    private static int Count(int length, int part) => (length + part - 1) / part;

    private static float* Buffer(ref NativeBuffer? buffer, long length)
    {
        if (buffer is null || buffer.Length < length)
        {
            buffer?.Dispose();
            buffer = new NativeBuffer(length, zeroed: false);
        }

        return buffer.Pointer;
    }
}
