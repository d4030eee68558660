namespace J1.Engines.Managed.Files;

/// <summary>
/// Writes files that replace their older selves together: each is written beside its place and flushed to the disk, and only when all are there are they renamed,
/// in the order in which they were added. When anything fails before that, a full disk for one, the old files stay as they were.
/// </summary>
internal sealed class AtomicFiles(Func<string, Stream>? create = null) : IDisposable
{
    private const string Remedy = "Free some space or choose another folder, and save again.";

    private readonly Func<string, Stream> _create = create ?? (path => new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None));
    private readonly List<string> _paths = [];

    /// <summary>Makes a folder where it is missing.</summary>
    public static void CreateFolder(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ModelFileException(folder, $"the folder cannot be made: {error.Message}", "Choose another folder.", error);
        }
    }

    public void Add(string path, Action<Stream> write)
    {
        _paths.Add(path);
        try
        {
            using var stream = _create(Beside(path));
            write(stream);
            if (stream is FileStream file)
                file.Flush(flushToDisk: true);
            else
                stream.Flush();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            var kept = File.Exists(path) ? "; the older file is untouched" : "";
            throw new ModelFileException(path, $"could not be written{kept}: {error.Message}", Remedy, error);
        }
    }

    public void Commit()
    {
        while (_paths.Count > 0)
        {
            var path = _paths[0];
            try
            {
                File.Move(Beside(path), path, overwrite: true);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new ModelFileException(path, $"could not be put in its place: {error.Message}", Remedy, error);
            }

            _paths.RemoveAt(0);
        }
    }

    /// <summary>Removes what was written and not committed.</summary>
    public void Dispose()
    {
        foreach (var path in _paths)
        {
            try
            {
                File.Delete(Beside(path));
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // The next save writes over it.
            }
        }
    }

    private static string Beside(string path) => path + ".tmp";
}
