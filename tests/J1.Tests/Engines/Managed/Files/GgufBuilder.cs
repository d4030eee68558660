using System.Text;
using J1.Engines.Managed.Files;

namespace J1.Tests.Engines.Managed.Files;

/// <summary>Writes small GGUF files, sound or not, for tests.</summary>
internal sealed class GgufBuilder
{
    private readonly List<(string Name, int[] Sizes, uint Type, byte[] Data)> _tensors = [];

    public Dictionary<string, object> Metadata { get; } = [];

    public uint Version { get; init; } = 3;

    public string Magic { get; init; } = "GGUF";

    public GgufBuilder Add(string name, int[] sizes, uint type, byte[] data)
    {
        _tensors.Add((name, sizes, type, data));
        return this;
    }

    public GgufBuilder Add(string name, int[] sizes, float[] values) => Add(name, sizes, (uint)GgmlType.F32, [.. values.SelectMany(BitConverter.GetBytes)]);

    public GgufBuilder Remove(string name)
    {
        Assert.Equal(1, _tensors.RemoveAll(tensor => tensor.Name == name));
        return this;
    }

    /// <summary>One layer, C 8, F 4, H 2 on Hkv 1, D 4, V 5; each number is its own index.</summary>
    public static GgufBuilder TinyLlama(int headSize = 4)
    {
        var builder = new GgufBuilder
        {
            Metadata =
            {
                ["general.architecture"] = "llama",
                ["llama.block_count"] = 1u,
                ["llama.context_length"] = 64u,
                ["llama.embedding_length"] = 2u * (uint)headSize,
                ["llama.feed_forward_length"] = 4u,
                ["llama.attention.head_count"] = 2u,
                ["llama.attention.head_count_kv"] = 1u,
                ["llama.attention.layer_norm_rms_epsilon"] = 1e-5f,
            },
        };
        var hidden = 2 * headSize;
        Counted("token_embd.weight", hidden, 5);
        Counted("blk.0.attn_norm.weight", hidden);
        Counted("blk.0.attn_q.weight", hidden, hidden);
        Counted("blk.0.attn_k.weight", hidden, headSize);
        Counted("blk.0.attn_v.weight", hidden, headSize);
        Counted("blk.0.attn_output.weight", hidden, hidden);
        Counted("blk.0.ffn_norm.weight", hidden);
        Counted("blk.0.ffn_gate.weight", hidden, 4);
        Counted("blk.0.ffn_up.weight", hidden, 4);
        Counted("blk.0.ffn_down.weight", 4, hidden);
        Counted("output_norm.weight", hidden);
        return builder;

        void Counted(string name, params int[] sizes) =>
            builder.Add(name, sizes, [.. Enumerable.Range(0, sizes.Aggregate(1, (product, size) => product * size)).Select(i => (float)i)]);
    }

    public byte[] ToBytes()
    {
        var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(Encoding.ASCII.GetBytes(Magic));
        writer.Write(Version);
        writer.Write((ulong)_tensors.Count);
        writer.Write((ulong)Metadata.Count);
        foreach (var (key, value) in Metadata)
        {
            Text(writer, key);
            writer.Write(TypeOf(value.GetType()));
            Value(writer, value);
        }

        ulong offset = 0;
        foreach (var (name, sizes, type, data) in _tensors)
        {
            Text(writer, name);
            writer.Write((uint)sizes.Length);
            foreach (var size in sizes)
                writer.Write((ulong)size);
            writer.Write(type);
            writer.Write(offset);
            offset += Aligned((ulong)data.Length);
        }

        foreach (var (_, _, _, data) in _tensors)
        {
            writer.Write(new byte[(int)(Aligned((ulong)stream.Position) - (ulong)stream.Position)]);
            writer.Write(data);
        }

        return stream.ToArray();
    }

    public string WriteTo(ModelFolderCopy folder, string name = "m.gguf")
    {
        File.WriteAllBytes(folder.File(name), ToBytes());
        return folder.File(name);
    }

    private static ulong Aligned(ulong position) => (position + 31) / 32 * 32;

    private static void Text(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static uint TypeOf(Type type) => type switch
    {
        _ when type == typeof(byte) => 0,
        _ when type == typeof(sbyte) => 1,
        _ when type == typeof(ushort) => 2,
        _ when type == typeof(short) => 3,
        _ when type == typeof(uint) => 4,
        _ when type == typeof(int) => 5,
        _ when type == typeof(float) => 6,
        _ when type == typeof(bool) => 7,
        _ when type == typeof(string) => 8,
        _ when type.IsArray => 9,
        _ when type == typeof(ulong) => 10,
        _ when type == typeof(long) => 11,
        _ when type == typeof(double) => 12,
        _ => throw new ArgumentException(type.Name),
    };

    private static void Value(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case byte number: writer.Write(number); break;
            case sbyte number: writer.Write(number); break;
            case ushort number: writer.Write(number); break;
            case short number: writer.Write(number); break;
            case uint number: writer.Write(number); break;
            case int number: writer.Write(number); break;
            case float number: writer.Write(number); break;
            case bool flag: writer.Write(flag); break;
            case string text: Text(writer, text); break;
            case ulong number: writer.Write(number); break;
            case long number: writer.Write(number); break;
            case double number: writer.Write(number); break;
            case Array list:
                writer.Write(TypeOf(list.GetType().GetElementType()!));
                writer.Write((ulong)list.Length);
                foreach (var item in list)
                    Value(writer, item);
                break;
            default: throw new ArgumentException(value.GetType().Name);
        }
    }
}
