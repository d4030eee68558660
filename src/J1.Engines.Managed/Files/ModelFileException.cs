namespace J1.Engines.Managed.Files;

/// <summary>A model file that cannot be read or written. The message names the file, what was found, what was expected and the remedy.</summary>
public sealed class ModelFileException : Exception
{
    internal ModelFileException(string file, string problem, string remedy, Exception? inner = null)
        : base($"'{file}': {problem.TrimEnd('.')}. {remedy}", inner) => File = file;

    /// <summary>The file or folder at fault.</summary>
    public string File { get; }
}
