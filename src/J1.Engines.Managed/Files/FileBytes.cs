using Microsoft.Win32.SafeHandles;

namespace J1.Engines.Managed.Files;

/// <summary>Reads at an offset; safe from several threads at once.</summary>
internal static class FileBytes
{
    public static SafeFileHandle Open(string path)
    {
        try
        {
            return File.OpenHandle(path);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelFileException(path, "does not exist", "Check the path.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ModelFileException(path, $"cannot be opened: {error.Message}", "Check the path and the rights to it.", error);
        }
    }

    public static void Read(SafeFileHandle file, string path, Span<byte> destination, long offset)
    {
        while (destination.Length > 0)
        {
            var count = RandomAccess.Read(file, destination, offset);
            if (count == 0)
                throw new ModelFileException(path, $"ends at byte {offset}, {destination.Length} bytes too early", "It changed while it was read, or is truncated: download or write it again.");
            destination = destination[count..];
            offset += count;
        }
    }
}
