namespace J1.Data;

/// <summary>Input data that cannot be used. The message names the file, the line where there is one, what was expected, and the remedy.</summary>
public sealed class DataException : Exception
{
    public DataException(string message) : base(message) { }

    public DataException(string message, Exception inner) : base(message, inner) { }
}
