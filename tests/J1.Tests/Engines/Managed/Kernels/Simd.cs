using J1.Engines.Managed.Kernels;

namespace J1.Tests.Engines.Managed.Kernels;

/// <summary>Runs a test's body as a lesser processor would. What is computed has the same bits everywhere, so other tests may run beside it.</summary>
internal static class Simd
{
    /// <summary>The vector widths this machine has, plain loops included.</summary>
    public static IEnumerable<int> Supported { get; } = ((int[])[512, 256, 0]).Where(bits => bits <= Gemm.SimdBits).ToArray();

    public static void With(int bits, int threads, Action body)
    {
        var before = (Gemm.SimdBits, Workers.Count);
        (Gemm.SimdBits, Workers.Count) = (bits, threads);
        try { body(); }
        finally { (Gemm.SimdBits, Workers.Count) = before; }
    }
}
