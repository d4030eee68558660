using System.Collections;

namespace Microsoft.ML.Data;

/// <summary>A vector, dense or sparse. Its arrays may be longer than what is in them, and are used again by whoever is given the buffer by reference.</summary>
public readonly struct VBuffer<T> : IEnumerable
{
    private readonly T[] values;
    private readonly int[] indices;
    private readonly int count;

    public readonly int Length;

    public VBuffer(int length, T[] values, int[] indices = null)
    {
        if (length < 0) throw new ArgumentOutOfRangeException(nameof(length));
        if ((values?.Length ?? 0) < length) throw new ArgumentException("Fewer values than the length says.", nameof(values));
        Length = count = length;
        this.values = values ?? [];
        this.indices = indices;
    }

    public VBuffer(int length, int count, T[] values, int[] indices)
    {
        if (length < 0) throw new ArgumentOutOfRangeException(nameof(length));
        if (count < 0 || count > length) throw new ArgumentOutOfRangeException(nameof(count));
        if ((values?.Length ?? 0) < count) throw new ArgumentException("Fewer values than the count says.", nameof(values));
        if (count < length && (indices?.Length ?? 0) < count) throw new ArgumentException("Fewer indices than the count says.", nameof(indices));
        Length = length;
        this.count = count;
        this.values = values ?? [];
        this.indices = indices;
    }

    public bool IsDense => count == Length;

    /// <summary>All values where dense, else those at <see cref="GetIndices"/>; the others are default.</summary>
    public ReadOnlySpan<T> GetValues() => values.AsSpan(0, count);

    /// <summary>Ascending; empty where dense.</summary>
    public ReadOnlySpan<int> GetIndices() => IsDense ? default : indices.AsSpan(0, count);

    public void CopyTo(ref VBuffer<T> destination)
    {
        var editor = VBufferEditor.Create(ref destination, Length, count);
        GetValues().CopyTo(editor.Values);
        if (!IsDense) GetIndices().CopyTo(editor.Indices);
        destination = editor.Commit();
    }

    public void CopyTo(Span<T> destination)
    {
        if (destination.Length < Length) throw new ArgumentException("Shorter than the vector.", nameof(destination));
        if (IsDense)
        {
            GetValues().CopyTo(destination);
            return;
        }
        destination[..Length].Clear();
        for (var i = 0; i < count; i++) destination[indices[i]] = values[i];
    }

    public IEnumerable<T> DenseValues()
    {
        for (var (i, k) = (0, 0); i < Length; i++)
            yield return IsDense ? values[i] : k < count && indices[k] == i ? values[k++] : default;
    }

    public T GetItemOrDefault(int index)
    {
        if (index < 0 || index >= Length) throw new ArgumentOutOfRangeException(nameof(index));
        if (IsDense) return values[index];
        var k = Array.BinarySearch(indices, 0, count, index);
        return k < 0 ? default : values[k];
    }

    public override string ToString() => IsDense ? $"Dense vector of size {Length}" : $"Sparse vector of size {Length}, {count} explicit values";

    IEnumerator IEnumerable.GetEnumerator() => DenseValues().GetEnumerator();

    internal T[] Values => values;
    internal int[] Indices => indices;
    internal int Count => count;
}

public static class VBufferEditor
{
    public static VBufferEditor<T> CreateFromBuffer<T>(ref VBuffer<T> destination) => Create(ref destination, destination.Length, destination.Count, keepOldOnResize: true);

    public static VBufferEditor<T> Create<T>(ref VBuffer<T> destination, int newLogicalLength, int? valuesCount = null, int? maxValuesCapacity = null,
        bool keepOldOnResize = false, bool requireIndicesOnDense = false)
    {
        var count = valuesCount ?? newLogicalLength;
        if (newLogicalLength < 0) throw new ArgumentOutOfRangeException(nameof(newLogicalLength));
        if (count < 0 || count > newLogicalLength) throw new ArgumentOutOfRangeException(nameof(valuesCount));
        var (values, newValues) = Room(destination.Values, count, keepOldOnResize);
        var indices = count < newLogicalLength || requireIndicesOnDense ? Room(destination.Indices, count, keepOldOnResize).Array : destination.Indices;
        return new VBufferEditor<T>(newLogicalLength, count, values, indices, newValues, count < newLogicalLength || requireIndicesOnDense);
    }

    private static (T[] Array, bool New) Room<T>(T[] old, int size, bool keep)
    {
        if (old?.Length >= size) return (old, false);
        if (!keep) return (new T[size], true);
        Array.Resize(ref old, size);
        return (old, true);
    }
}

public readonly ref struct VBufferEditor<T>
{
    private readonly int length;
    private readonly T[] values;
    private readonly int[] indices;

    internal VBufferEditor(int length, int count, T[] values, int[] indices, bool createdNewValues, bool withIndices)
    {
        this.length = length;
        this.values = values;
        this.indices = indices;
        CreatedNewValues = createdNewValues;
        Values = values.AsSpan(0, count);
        Indices = withIndices ? indices.AsSpan(0, count) : default;
    }

    public readonly Span<T> Values;
    public readonly Span<int> Indices;
    public bool CreatedNewValues { get; }

    public VBuffer<T> Commit() => new(length, Values.Length, values, indices);

    public VBuffer<T> CommitTruncated(int physicalValuesCount)
    {
        if (physicalValuesCount < 0 || physicalValuesCount > Values.Length) throw new ArgumentOutOfRangeException(nameof(physicalValuesCount));
        return new(length, physicalValuesCount, values, indices);
    }
}
