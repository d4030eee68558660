using System.Text;
using System.Text.Json;
using J1.Data;

namespace J1.Cli;

/// <summary>JSONL files, split on '\n' only.</summary>
internal static class JsonLines
{
    /// <summary>The rows with their line numbers (from 1); empty lines are left out.</summary>
    /// <exception cref="DataException">A line is no JSON object, or the file cannot be read; the message names both.</exception>
    public static IEnumerable<(int Line, JsonElement Row)> Read(string file)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DataException(error is FileNotFoundException or DirectoryNotFoundException ? $"'{file}': there is no such file." : $"'{file}': {error.Message}", error);
        }

        var start = bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
        for (var line = 1; start < bytes.Length; line++)
        {
            var length = bytes.AsSpan(start).IndexOf((byte)'\n');
            var end = length < 0 ? bytes.Length : start + length;
            if (Parse(file, line, bytes.AsMemory(start..end)) is { } row) yield return (line, row);
            start = end + 1;
        }
    }

    private static JsonElement? Parse(string file, int line, ReadOnlyMemory<byte> text)
    {
        if (text.Span.Trim(" \r\t"u8).IsEmpty) return null;
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new DataException($"{file}:{line}: is no JSON object, but {document.RootElement.ValueKind}.");
        }
        catch (JsonException error)
        {
            throw new DataException($"{file}:{line}:{(error.BytePositionInLine ?? 0) + 1}: is not JSON: {error.Message.Split(" LineNumber")[0]}", error);
        }
    }
}
