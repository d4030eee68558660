using J1.Engines.Managed.Kernels;

namespace J1.Engines.Managed.Models;

/// <summary>What the backward pass of one layer needs of its forward pass, for up to a number of rows (T).</summary>
internal sealed unsafe class Activations : IDisposable
{
    private readonly NativeBuffer[] _buffers;

    public Activations(ModelConfig config, int rows)
    {
        var (c, f, d) = (config.HiddenSize, config.IntermediateSize, config.HeadSize);
        int queries = config.HeadCount * d, keys = config.KeyValueHeadCount * d;
        var raw = config.HasQueryKeyNorm ? queries + keys : 0;
        long[] sizes = [c, 1, queries + 2 * keys, raw, config.HeadCount + config.KeyValueHeadCount, queries, c, 1, 2 * f];
        _buffers = [.. sizes.Select(size => new NativeBuffer(rows * size, zeroed: false))];
    }

    /// <summary>Floats that one row takes.</summary>
    public static long FloatsPerRow(ModelConfig config)
    {
        int queries = config.HeadCount * config.HeadSize, keys = config.KeyValueHeadCount * config.HeadSize;
        return 2L * config.HiddenSize + 2 + 2L * queries + 2L * keys + (config.HasQueryKeyNorm ? queries + keys : 0) + config.HeadCount + config.KeyValueHeadCount + 2L * config.IntermediateSize;
    }

    /// <summary>The layer's input, [T, C].</summary>
    public float* Input => _buffers[0].Pointer;

    /// <summary>1 / rms of the input, [T].</summary>
    public float* InputRms => _buffers[1].Pointer;

    /// <summary>Queries, keys and values as attention takes them, [T, (H + 2 Hkv) D].</summary>
    public float* QueryKeyValue => _buffers[2].Pointer;

    /// <summary>Queries and keys before their norm, [T, (H + Hkv) D]; only where there is one.</summary>
    public float* Raw => _buffers[3].Pointer;

    /// <summary>1 / rms of each query and key head, [T, H + Hkv].</summary>
    public float* HeadRms => _buffers[4].Pointer;

    /// <summary>What attention returned, [T, H D].</summary>
    public float* Attended => _buffers[5].Pointer;

    /// <summary>The residual stream between attention and feed-forward, [T, C].</summary>
    public float* Middle => _buffers[6].Pointer;

    /// <summary>1 / rms of the middle, [T].</summary>
    public float* MiddleRms => _buffers[7].Pointer;

    /// <summary>Gate and up projections, [T, 2 F].</summary>
    public float* GateUp => _buffers[8].Pointer;

    public void Dispose()
    {
        foreach (var buffer in _buffers) buffer.Dispose();
    }
}

/// <summary>Room for what one layer computes and nobody keeps, for up to a number of rows (T).</summary>
internal sealed unsafe class Workspace : IDisposable
{
    private readonly NativeBuffer _normed, _hidden, _wide, _keys, _values;

    public Workspace(ModelConfig config, int rows, bool backward)
    {
        var queries = config.HeadCount * config.HeadSize;
        _normed = new NativeBuffer((long)rows * Math.Max(config.HiddenSize, queries), zeroed: false);
        _hidden = new NativeBuffer((long)rows * config.IntermediateSize, zeroed: false);
        _wide = new NativeBuffer(backward ? (long)rows * (queries + 2 * config.KeyValueHeadCount * config.HeadSize) : 0, zeroed: false);
        _keys = new NativeBuffer(backward ? (long)rows * queries : 0, zeroed: false);
        _values = new NativeBuffer(backward ? (long)rows * queries : 0, zeroed: false);
    }

    /// <summary>Floats that one row takes in training.</summary>
    public static long FloatsPerRow(ModelConfig config)
    {
        int queries = config.HeadCount * config.HeadSize, keys = config.KeyValueHeadCount * config.HeadSize;
        return Math.Max(config.HiddenSize, queries) + config.IntermediateSize + 3L * queries + 2L * keys;
    }

    /// <summary>[T, max(C, H D)].</summary>
    public float* Normed => _normed.Pointer;

    /// <summary>[T, F].</summary>
    public float* Hidden => _hidden.Pointer;

    /// <summary>[T, (H + 2 Hkv) D].</summary>
    public float* Wide => _wide.Pointer;

    /// <summary>[T, H D].</summary>
    public float* Keys => _keys.Pointer;

    /// <summary>[T, H D].</summary>
    public float* Values => _values.Pointer;

    public void Dispose()
    {
        foreach (var buffer in (NativeBuffer[])[_normed, _hidden, _wide, _keys, _values]) buffer.Dispose();
    }
}
