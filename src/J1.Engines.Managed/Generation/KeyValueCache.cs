using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;

namespace J1.Engines.Managed.Generation;

/// <summary>
/// Keys and values of one group of prompts, each shared beginning once, and of the tokens sampled after them. Keys lie as [D, tokens] and values as
/// [tokens, D], so that attention reads both in place: scores = q · keys, output = probabilities · values.
/// </summary>
internal sealed unsafe class KeyValueCache : IDisposable
{
    private readonly ModelConfig _config;
    private readonly NativeBuffer[] _promptKeys, _promptValues, _keys, _values;   // one a layer

    /// <param name="config">The shape.</param>
    /// <param name="promptRows">Packed prompt tokens (T).</param>
    /// <param name="slots">Samples.</param>
    /// <param name="capacity">Tokens a sample may get.</param>
    public KeyValueCache(ModelConfig config, int promptRows, int slots, int capacity)
    {
        (_config, PromptStride, Capacity) = (config, promptRows, (capacity + 31) / 32 * 32);
        ValueStride = (config.HeadSize + 31) / 32 * 32;
        var heads = (long)config.KeyValueHeadCount;
        NativeBuffer[] Layers(long floats) => [.. Enumerable.Range(0, config.LayerCount).Select(_ => new NativeBuffer(floats, zeroed: false))];
        _promptKeys = Layers(heads * config.HeadSize * promptRows + SmallProduct.Slack);
        _promptValues = Layers(heads * promptRows * ValueStride);
        _keys = Layers(slots * heads * config.HeadSize * Capacity);
        _values = Layers(slots * heads * Capacity * ValueStride);
    }

    /// <summary>Floats between a dimension of the prompts' keys and the next.</summary>
    public int PromptStride { get; }

    /// <summary>Floats between a dimension of a sample's keys and the next.</summary>
    public int Capacity { get; }

    /// <summary>Floats between a token's values and the next's.</summary>
    public int ValueStride { get; }

    /// <summary>Floats a sampled token takes.</summary>
    public static long FloatsPerToken(ModelConfig config) => (long)config.LayerCount * config.KeyValueHeadCount * (config.HeadSize + (config.HeadSize + 31) / 32 * 32);

    /// <summary>Shape [D, T].</summary>
    public float* PromptKeys(int layer, int head) => _promptKeys[layer].Pointer + (long)head * _config.HeadSize * PromptStride;

    /// <summary>Shape [T, D].</summary>
    public float* PromptValues(int layer, int head) => _promptValues[layer].Pointer + (long)head * PromptStride * ValueStride;

    /// <summary>Shape [D, capacity].</summary>
    public float* Keys(int layer, int slot, int head) => _keys[layer].Pointer + ((long)slot * _config.KeyValueHeadCount + head) * _config.HeadSize * Capacity;

    /// <summary>Shape [capacity, D].</summary>
    public float* Values(int layer, int slot, int head) => _values[layer].Pointer + ((long)slot * _config.KeyValueHeadCount + head) * Capacity * ValueStride;

    /// <summary>Takes in the prompts' keys and values of a layer.</summary>
    /// <param name="layer">From 0.</param>
    /// <param name="qkv">Shape [T, (H + 2 Hkv) D].</param>
    public void StorePrompts(int layer, float* qkv)
    {
        var (h, hkv, d) = (_config.HeadCount, _config.KeyValueHeadCount, _config.HeadSize);
        var wide = (h + 2 * hkv) * d;
        Workers.Run(hkv, head =>
        {
            float* keys = PromptKeys(layer, head), values = PromptValues(layer, head);
            Packing.Pack(qkv + (h + head) * d, wide, termsTogether: true, PromptStride, PromptStride, d, keys);
            for (var row = 0; row < PromptStride; row++)
                new ReadOnlySpan<float>(qkv + (long)row * wide + (h + hkv + head) * d, d).CopyTo(new Span<float>(values + (long)row * ValueStride, d));
        });
    }

    /// <summary>Takes in the keys and values of a sample's next token.</summary>
    /// <param name="layer">From 0.</param>
    /// <param name="slot">The sample.</param>
    /// <param name="index">Tokens it has already.</param>
    /// <param name="qkv">Shape [(H + 2 Hkv) D].</param>
    public void Store(int layer, int slot, int index, float* qkv)
    {
        var (h, hkv, d) = (_config.HeadCount, _config.KeyValueHeadCount, _config.HeadSize);
        for (var head = 0; head < hkv; head++)
        {
            float* keys = Keys(layer, slot, head) + index, key = qkv + (h + head) * d;
            for (var i = 0; i < d; i++) keys[(long)i * Capacity] = key[i];
            new ReadOnlySpan<float>(key + hkv * d, d).CopyTo(new Span<float>(Values(layer, slot, head) + (long)index * ValueStride, d));
        }
    }

    public void Dispose()
    {
        foreach (var buffer in _promptKeys.Concat(_promptValues).Concat(_keys).Concat(_values)) buffer.Dispose();
    }
}
