using System.Runtime.InteropServices;
using J1.Engines.Managed.Models;
using Architecture = J1.Engines.Managed.Models.Architecture;

namespace J1.Tests.Engines.Managed.Files;

/// <summary>
/// A llama2.c checkpoint, legacy ("version 0") or version 1: a few integers, then float32 tensors in a fixed order. Its rotation pairs neighbours,
/// so the rows of query and key are put into the order of halves.
/// </summary>
internal sealed class Llama2cFile : IWeightSource
{
    private readonly Dictionary<string, float[]> _values = [];
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly float[] _numbers;
    private int _at;

    public Llama2cFile(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var versioned = MemoryMarshal.Read<uint>(bytes) == 0x616b3432;
        var header = MemoryMarshal.Cast<byte, int>(bytes.AsSpan(versioned ? 8 : 0, 28));
        Config = new ModelConfig
        {
            Architecture = Architecture.Llama,
            HiddenSize = header[0],
            IntermediateSize = header[1],
            LayerCount = header[2],
            HeadCount = header[3],
            KeyValueHeadCount = header[4],
            HeadSize = header[0] / header[3],
            VocabularySize = Math.Abs(header[5]),
            ContextLength = header[6],
            RmsEpsilon = 1e-5f,
            TieEmbeddings = versioned ? bytes[36] == 1 : header[5] > 0,
            BosToken = 1,
            EndTokens = [2],
        };
        _numbers = MemoryMarshal.Cast<byte, float>(bytes.AsSpan(versioned ? 256 : 28)).ToArray();
        if (versioned)
            ReadVersion1();
        else
            ReadVersion0();
    }

    public ModelConfig Config { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public void Read(string name, Span<float> destination) => _values[name].CopyTo(destination);

    public void Dispose() { }

    private int C => Config.HiddenSize;

    private int KeyRows => Config.KeyValueHeadCount * Config.HeadSize;

    private void ReadVersion0()
    {
        Take("model.embed_tokens.weight", Config.VocabularySize, C);
        TakeLayers("input_layernorm", C);
        TakeAttention();
        TakeLayers("post_attention_layernorm", C);
        TakeFeedForward();
        Take("model.norm.weight", C);
        _at += Config.ContextLength * Config.HeadSize; // two tables of cosines and sines, half a head wide
        if (!Config.TieEmbeddings)
            Take("lm_head.weight", Config.VocabularySize, C);
    }

    private void ReadVersion1()
    {
        TakeLayers("input_layernorm", C);
        TakeLayers("post_attention_layernorm", C);
        Take("model.norm.weight", C);
        Take("model.embed_tokens.weight", Config.VocabularySize, C);
        TakeAttention();
        TakeFeedForward();
        if (!Config.TieEmbeddings)
            Take("lm_head.weight", Config.VocabularySize, C);
    }

    private void TakeAttention()
    {
        TakeLayers("self_attn.q_proj", C, C);
        TakeLayers("self_attn.k_proj", KeyRows, C);
        TakeLayers("self_attn.v_proj", KeyRows, C);
        TakeLayers("self_attn.o_proj", C, C);
    }

    private void TakeFeedForward()
    {
        TakeLayers("mlp.gate_proj", Config.IntermediateSize, C);
        TakeLayers("mlp.down_proj", C, Config.IntermediateSize);
        TakeLayers("mlp.up_proj", Config.IntermediateSize, C);
    }

    private void TakeLayers(string module, params int[] shape)
    {
        for (var layer = 0; layer < Config.LayerCount; layer++)
        {
            var values = Take($"model.layers.{layer}.{module}.weight", shape);
            if (module is "self_attn.q_proj" or "self_attn.k_proj")
                ToHalves(values);
        }
    }

    private float[] Take(string name, params int[] shape)
    {
        var info = new TensorInfo(name, shape);
        var values = _numbers.AsSpan(_at, (int)info.Count).ToArray();
        _at += values.Length;
        _tensors.Add(name, info);
        _values.Add(name, values);
        return values;
    }

    /// <summary>Row 2i + p of a head moves to row p D/2 + i.</summary>
    private void ToHalves(float[] values)
    {
        var rows = values.Chunk(C).ToArray();
        for (var row = 0; row < rows.Length; row++)
        {
            int head = row / Config.HeadSize, within = row % Config.HeadSize;
            rows[row].CopyTo(values, (head * Config.HeadSize + within % 2 * (Config.HeadSize / 2) + within / 2) * C);
        }
    }
}
