using System.Text;

namespace J1.Cli;

/// <summary>Files that are whole or not there.</summary>
internal static class Files
{
    /// <summary>Writes beside the place and renames: a kill at any moment leaves the old content or the new.</summary>
    public static void WriteAtomically(string path, string content)
    {
        var beside = path + ".tmp";
        using (var file = new FileStream(beside, FileMode.Create, FileAccess.Write))
        {
            file.Write(Encoding.UTF8.GetBytes(content));
            file.Flush(flushToDisk: true);
        }
        File.Move(beside, path, overwrite: true);
    }
}
