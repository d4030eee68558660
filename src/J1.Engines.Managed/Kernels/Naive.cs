namespace J1.Engines.Managed.Kernels;

/// <summary>Every kernel as plain loops: what the fast ones are tested against, and what runs on a processor without vectors.</summary>
public static unsafe class Naive
{
    /// <summary>See <see cref="Gemm"/>.</summary>
    public static void Multiply(GemmLayout layout, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc, bool accumulate)
    {
        for (var i = 0; i < m; i++)
            for (var j = 0; j < n; j++)
            {
                var sum = accumulate ? c[(long)i * ldc + j] : 0;
                for (var p = 0; p < k; p++)
                {
                    var x = layout == GemmLayout.TN ? a[(long)p * lda + i] : a[(long)i * lda + p];
                    var y = layout == GemmLayout.NT ? b[(long)j * ldb + p] : b[(long)p * ldb + j];
                    sum = MathF.FusedMultiplyAdd(x, y, sum);
                }
                c[(long)i * ldc + j] = sum;
            }
    }
}
