using J1.Engines.Managed.Kernels;

namespace J1.Engines.Managed.Models;

/// <summary>Cosines and sines of every position and frequency; see <see cref="RopeConfig"/>.</summary>
internal sealed unsafe class RotaryTable : IDisposable
{
    private readonly NativeBuffer _cosines, _sines;   // [positions, D/2] each
    private readonly int _half;

    public RotaryTable(RopeConfig rope, int headSize, int positions)
    {
        _half = headSize / 2;
        _cosines = new NativeBuffer((long)positions * _half, zeroed: false);
        _sines = new NativeBuffer((long)positions * _half, zeroed: false);
        var frequencies = Frequencies(rope, headSize);
        Workers.Split(positions, 256, (from, to) =>
        {
            for (var position = from; position < to; position++)
                for (var i = 0; i < _half; i++)
                {
                    var (sine, cosine) = Math.SinCos(position * frequencies[i]);
                    _cosines.Pointer[(long)position * _half + i] = (float)cosine;
                    _sines.Pointer[(long)position * _half + i] = (float)sine;
                }
        });
    }

    /// <summary>Rotates neighbouring heads of one row by its position's angles (<paramref name="sign"/> 1), or back (-1).</summary>
    public void Rotate(float* heads, int count, int position, float sign)
    {
        for (var head = 0; head < count; head++)
            RowKernels.Rotate(heads + head * 2 * _half, _cosines.Pointer + (long)position * _half, _sines.Pointer + (long)position * _half, _half, sign);
    }

    public void Dispose()
    {
        _cosines.Dispose();
        _sines.Dispose();
    }

    // θ^(-2i/D); "linear" divides all by the factor, "llama3" only those whose wavelength exceeds the original context, with a ramp between.
    private static double[] Frequencies(RopeConfig rope, int headSize)
    {
        var frequencies = new double[headSize / 2];
        for (var i = 0; i < frequencies.Length; i++)
        {
            var frequency = Math.Pow(rope.Theta, -2.0 * i / headSize);
            var turns = rope.OriginalContextLength * frequency / (2 * Math.PI); // in the original context
            var keep = Math.Clamp((turns - rope.LowFrequencyFactor) / (rope.HighFrequencyFactor - rope.LowFrequencyFactor), 0, 1);
            frequencies[i] = rope.Scaling switch
            {
                RopeScaling.Linear => frequency / rope.Factor,
                RopeScaling.Llama3 => keep * frequency + (1 - keep) * frequency / rope.Factor,
                _ => frequency,
            };
        }
        return frequencies;
    }
}
