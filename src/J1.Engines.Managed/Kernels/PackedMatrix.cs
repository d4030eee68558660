namespace J1.Engines.Managed.Kernels;

/// <summary>A weight matrix [rows, columns] laid out as the kernels read it, for products with few rows.</summary>
public sealed unsafe class PackedMatrix : IDisposable
{
    /// <param name="weights">Shape [rows, columns], contiguous; copied.</param>
    /// <param name="rows">Outputs (n).</param>
    /// <param name="columns">Inputs (k).</param>
    public PackedMatrix(float* weights, int rows, int columns)
    {
        (Rows, Columns, Bits) = (rows, columns, Gemm.SimdBits);
        if (Bits == 0)
        {
            Data = new NativeBuffer((long)rows * columns, zeroed: false);
            Buffer.MemoryCopy(weights, Data.Pointer, Data.Length * sizeof(float), Data.Length * sizeof(float));
            return;
        }

        var width = Bits == 512 ? Kernel512.Columns : Kernel256.Columns;
        var panels = (rows + width - 1) / width;
        Data = new NativeBuffer((long)panels * width * columns, zeroed: false);
        Workers.Run(panels, panel => Packing.Pack(
            weights + (long)panel * width * columns, columns, termsTogether: true, Math.Min(width, rows - panel * width), width, columns, Data.Pointer + (long)panel * width * columns));
    }

    /// <summary>Outputs (n).</summary>
    public int Rows { get; }

    /// <summary>Inputs (k).</summary>
    public int Columns { get; }

    internal int Bits { get; }

    internal NativeBuffer Data { get; }

    public void Dispose() => Data.Dispose();
}
