namespace J1.Engines;

/// <summary>
/// A small counter-based random generator (Steele, Lea and Flood's SplitMix64). State is one number, so a stream can be named by
/// what it is for (<see cref="For"/>) and never has to be saved: the same names give the same stream on every machine.
/// </summary>
public struct SplitMix(ulong state)
{
    private ulong _state = state;

    /// <summary>The stream that belongs to these numbers, for example (seed, step, prompt, sample).</summary>
    public static SplitMix For(ulong seed, ulong a, ulong b = 0, ulong c = 0)
    {
        var state = Mix(seed + 0x9E3779B97F4A7C15UL);
        state = Mix(state ^ Mix(a + 0xBF58476D1CE4E5B9UL));
        state = Mix(state ^ Mix(b + 0x94D049BB133111EBUL));
        return new SplitMix(Mix(state ^ Mix(c + 0xD6E8FEB86659FD93UL)));
    }

    /// <summary>64 random bits.</summary>
    public ulong Next() => Mix(_state += 0x9E3779B97F4A7C15UL);

    /// <summary>Uniform on [0, 1) with 53 bits.</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform on 0 .. <paramref name="count"/> - 1.</summary>
    public int NextInt(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        return (int)Math.BigMul(Next(), (ulong)count, out _);
    }

    /// <summary>Standard normal (Box and Muller).</summary>
    public double NextNormal() => Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble());

    /// <summary>Shuffles in place (Fisher and Yates).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = NextInt(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
