namespace J1.Engines.Managed.Kernels;

/// <summary>Memory that a thread keeps for what it does again and again; it grows to the largest need and is never shared.</summary>
internal static unsafe class Scratch
{
    [ThreadStatic] private static NativeBuffer?[]? _buffers;

    /// <summary>At least <paramref name="length"/> floats with any content, valid until this thread asks for the same slot again.</summary>
    /// <param name="slot">0 to 3; what is used at the same time has different slots.</param>
    /// <param name="length">Floats.</param>
    public static float* Floats(int slot, long length)
    {
        ref var buffer = ref (_buffers ??= new NativeBuffer?[4])[slot];
        if (buffer is null || buffer.Length < length)
        {
            buffer?.Dispose();
            buffer = new NativeBuffer(length, zeroed: false);
        }
        return buffer.Pointer;
    }
}
