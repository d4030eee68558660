using System.Runtime.InteropServices;

namespace J1.Engines.Managed.Kernels;

/// <summary>Float memory outside the garbage collector, aligned to 64 bytes. Disposing it frees it; so does the finalizer.</summary>
public sealed unsafe class NativeBuffer : IDisposable
{
    private static long _liveBytes;

    /// <param name="length">Floats.</param>
    /// <param name="zeroed">Whether the memory starts as zeros; otherwise it is whatever was there.</param>
    public NativeBuffer(long length, bool zeroed = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        var bytes = checked((nuint)Math.Max(1, length) * sizeof(float));
        Pointer = (float*)NativeMemory.AlignedAlloc(bytes, 64);
        if (zeroed) NativeMemory.Clear(Pointer, bytes);
        Interlocked.Add(ref _liveBytes, (long)bytes);
    }

    ~NativeBuffer() => Free();

    /// <summary>Bytes held by all buffers of the process; tests watch it to see that nothing leaks.</summary>
    public static long LiveBytes => Interlocked.Read(ref _liveBytes);

    public long Length { get; }

    public float* Pointer { get; private set; }

    public Span<float> Span => new(Pointer, checked((int)Length));

    public Span<float> Slice(long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + length, Length);
        return new(Pointer + start, length);
    }

    public void Clear() => NativeMemory.Clear(Pointer, (nuint)Length * sizeof(float));

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (Pointer is null) return;
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
        Interlocked.Add(ref _liveBytes, -(Math.Max(1, Length) * sizeof(float)));
    }
}
