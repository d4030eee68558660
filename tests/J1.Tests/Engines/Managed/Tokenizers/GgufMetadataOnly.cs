using System.Text;

namespace J1.Tests.Engines.Managed.Tokenizers;

/// <summary>Reads just a GGUF file's metadata, so that tokenizers are tested apart from the reader of weights.</summary>
internal static class GgufMetadataOnly
{
    public static Dictionary<string, object> Read(string path)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        Assert.Equal("GGUF"u8.ToArray(), reader.ReadBytes(4));
        reader.ReadUInt32(); // version
        reader.ReadUInt64(); // tensors
        var entries = reader.ReadInt64();
        var metadata = new Dictionary<string, object>();
        for (var i = 0L; i < entries; i++)
        {
            var key = Text(reader);
            metadata[key] = Value(reader, reader.ReadUInt32());
        }
        return metadata;
    }

    private static object Value(BinaryReader reader, uint type) => type switch
    {
        0 => reader.ReadByte(),
        1 => reader.ReadSByte(),
        2 => reader.ReadUInt16(),
        3 => reader.ReadInt16(),
        4 => reader.ReadUInt32(),
        5 => reader.ReadInt32(),
        6 => reader.ReadSingle(),
        7 => reader.ReadByte() != 0,
        8 => Text(reader),
        9 => List(reader),
        10 => reader.ReadUInt64(),
        11 => reader.ReadInt64(),
        12 => reader.ReadDouble(),
        _ => throw new InvalidDataException($"GGUF value type {type}"),
    };

    private static object[] List(BinaryReader reader)
    {
        var type = reader.ReadUInt32();
        var values = new object[reader.ReadInt64()];
        for (var i = 0; i < values.Length; i++)
            values[i] = Value(reader, type);
        return values;
    }

    private static string Text(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes((int)reader.ReadInt64()));
}
