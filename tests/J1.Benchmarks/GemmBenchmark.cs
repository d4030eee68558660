using System.Diagnostics;
using J1.Engines;
using J1.Engines.Managed.Kernels;

namespace J1.Benchmarks;

/// <summary>
/// Matrix products as a share of the machine's own peak of fused multiply-adds, which is measured beside each of them. A round is peak,
/// product, peak, product, ..; the medians over the rounds are printed. Arguments: [rounds, default 7] [words a row must contain].
/// </summary>
internal sealed unsafe class GemmBenchmark : IBenchmark
{
    private const double ShortestSample = 0.02;

    private static readonly (int M, int N, int K, string Kinds)[] Shapes =
    [
        (2048, 1536, 576, "nt nn tn"),
        (2048, 576, 576, "nt nn tn"),
        (2048, 576, 1536, "nt nn tn"),
        (512, 49152, 576, "nt"),
        (512, 576, 49152, "nn"),
        (49152, 576, 512, "tn"),
        (256, 512, 128, "nt nn tn"),
        (64, 1536, 576, "nt nn pre"),
        (32, 1536, 576, "nt nn pre"),
        (16, 1536, 576, "nt nn tn pre"),
        (8, 1536, 576, "nt nn pre"),
        (1, 1536, 576, "nt nn pre"),
        (1, 49152, 576, "nt pre"),
        (32, 49152, 576, "nt pre"),
    ];

    public string Name => "gemm";

    public string About => "matrix products, GF/s and share of the measured multiply-add peak, one thread and all";

    public void Run(TextWriter output, IReadOnlyList<string> arguments)
    {
        var rounds = arguments.Count > 0 && int.TryParse(arguments[0], out var asked) ? asked : 7;
        var all = Workers.Count;
        output.WriteLine($"{Gemm.SimdBits}-bit vectors, {all} threads, median of {rounds} rounds");
        output.WriteLine($"{"M x N x K",-20}{"kind",5}{"1 thread",12}{"of peak",9}{"GB/s",7}{$"{all} threads",13}{"of peak",9}{"peak 1",9}{$"peak {all}",9}");
        using var a = Numbers(49152L * 1536, 1);
        using var b = Numbers(49152L * 1536, 2);
        using var c = Numbers(49152L * 1536, 3);
        foreach (var (m, n, k, kinds) in Shapes)
        {
            using var packed = kinds.Contains("pre", StringComparison.Ordinal) ? new PackedMatrix(b.Pointer, n, k) : null;
            foreach (var kind in kinds.Split(' '))
            {
                var line = $"{$"{m}x{n}x{k}",-20}{kind,5}";
                if (!arguments.Where(argument => !int.TryParse(argument, out _)).All(word => line.Contains(word, StringComparison.Ordinal))) continue;
                Action product = kind switch
                {
                    "nt" => () => Gemm.Multiply(GemmLayout.NT, m, n, k, a.Pointer, k, b.Pointer, k, c.Pointer, n, false),
                    "nn" => () => Gemm.Multiply(GemmLayout.NN, m, n, k, a.Pointer, k, b.Pointer, n, c.Pointer, n, false),
                    "tn" => () => Gemm.Multiply(GemmLayout.TN, m, n, k, a.Pointer, m, b.Pointer, n, c.Pointer, n, true),
                    _ => () => Gemm.MultiplyPacked(m, a.Pointer, k, packed!, c.Pointer, n),
                };
                var rates = Measure(rounds, all, product, 2.0 * m * n * k);
                var bytes = 4.0 * n * k / (2.0 * m * n * k) * rates.One;
                output.WriteLine($"{line}{rates.One,12:F0}{rates.ShareOne,9:P0}{bytes,7:F0}{rates.All,13:F0}{rates.ShareAll,9:P0}{rates.PeakOne,9:F0}{rates.PeakAll,9:F0}");
            }
        }

        Workers.Count = all;
    }

    private static (double One, double ShareOne, double All, double ShareAll, double PeakOne, double PeakAll) Measure(int rounds, int threads, Action product, double operations)
    {
        var columns = new double[6][];
        for (var i = 0; i < 6; i++) columns[i] = new double[rounds];
        product();
        for (var round = 0; round < rounds; round++)
        {
            Workers.Count = 1;
            var peakOne = Rate(() => FmaPeak.Work(), FmaPeak.Operations);
            var one = Rate(product, operations);
            Workers.Count = threads;
            var peakAll = Rate(() => Workers.Run(4 * threads, _ => FmaPeak.Work()), 4 * threads * FmaPeak.Operations);
            var all = Rate(product, operations);
            double[] values = [one, one / peakOne, all, all / peakAll, peakOne, peakAll];
            for (var i = 0; i < 6; i++) columns[i][round] = values[i];
        }

        foreach (var column in columns) Array.Sort(column);
        return (columns[0][rounds / 2], columns[1][rounds / 2], columns[2][rounds / 2], columns[3][rounds / 2], columns[4][rounds / 2], columns[5][rounds / 2]);
    }

    // GF/s of the best of three samples: what disturbs a sample only ever slows it down.
    private static double Rate(Action action, double operations)
    {
        var best = 0.0;
        for (var sample = 0; sample < 3; sample++)
        {
            var calls = 0;
            var watch = Stopwatch.StartNew();
            do
            {
                action();
                calls++;
            }
            while (watch.Elapsed.TotalSeconds < ShortestSample);
            best = Math.Max(best, calls * operations / watch.Elapsed.TotalSeconds * 1e-9);
        }

        return best;
    }

    private static NativeBuffer Numbers(long length, ulong seed)
    {
        var buffer = new NativeBuffer(length, zeroed: false);
        var random = SplitMix.For(seed, 0);
        for (long i = 0; i < length; i++) buffer.Pointer[i] = (random.Next() >> 40) * (1f / (1 << 24)) - 0.5f;
        return buffer;
    }
}
