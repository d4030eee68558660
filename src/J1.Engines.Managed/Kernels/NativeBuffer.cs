using System.Runtime.InteropServices;

namespace J1.Engines.Managed.Kernels;

/// <summary>
/// Float memory outside the garbage collector, aligned to 64 bytes. Disposing it frees it; so does the finalizer. On Linux a large buffer asks for huge pages:
/// touching new memory in pieces of 4 KB costs a training step as much time as its products do.
/// </summary>
public sealed unsafe partial class NativeBuffer : IDisposable
{
    private const nuint HugePage = 1 << 21;
    private const int AdviseHugePages = 14;

    private static long _liveBytes;

    /// <param name="length">Floats.</param>
    /// <param name="zeroed">Whether the memory starts as zeros; otherwise it is whatever was there.</param>
    public NativeBuffer(long length, bool zeroed = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        var bytes = checked((nuint)Math.Max(1, length) * sizeof(float));
        var isLarge = OperatingSystem.IsLinux() && bytes >= 2 * HugePage;
        Pointer = (float*)NativeMemory.AlignedAlloc(bytes, isLarge ? HugePage : 64);
        if (isLarge) AskForHugePages(bytes);
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

    // Advice: where it is not taken, or there is nobody to take it, pages are small.
    private void AskForHugePages(nuint bytes)
    {
        try
        {
            _ = Advise(Pointer, bytes, AdviseHugePages);
        }
        catch (Exception error) when (error is DllNotFoundException or EntryPointNotFoundException)
        {
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);

    private void Free()
    {
        if (Pointer is null) return;
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
        Interlocked.Add(ref _liveBytes, -(Math.Max(1, Length) * sizeof(float)));
    }
}
