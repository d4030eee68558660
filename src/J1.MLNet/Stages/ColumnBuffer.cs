using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Stages;

/// <summary>The values of one column in the rows of a batch.</summary>
internal abstract class ColumnBuffer
{
    public static ColumnBuffer Create(DataViewRow row, DataViewSchema.Column column, int size)
    {
        var type = column.Type is VectorDataViewType vector ? typeof(Vectors<>).MakeGenericType(vector.ItemType.RawType) : typeof(Scalars<>).MakeGenericType(column.Type.RawType);
        return (ColumnBuffer)Activator.CreateInstance(type, row, column, size)!;
    }

    /// <summary>Keeps the current row's value.</summary>
    public abstract void Fill(int slot);

    /// <summary>Gives what is kept.</summary>
    public abstract Delegate Getter(Func<int> slot);

    private sealed class Scalars<T>(DataViewRow row, DataViewSchema.Column column, int size) : ColumnBuffer
    {
        private readonly ValueGetter<T> _read = row.GetGetter<T>(column);
        private readonly T[] _values = new T[size];

        public override void Fill(int slot) => _read(ref _values[slot]);

        public override Delegate Getter(Func<int> slot) => (ValueGetter<T>)((ref T value) => value = _values[slot()]);
    }

    private sealed class Vectors<T>(DataViewRow row, DataViewSchema.Column column, int size) : ColumnBuffer
    {
        private readonly ValueGetter<VBuffer<T>> _read = row.GetGetter<VBuffer<T>>(column);
        private readonly VBuffer<T>[] _values = new VBuffer<T>[size];

        public override void Fill(int slot) => _read(ref _values[slot]);

        // A copy: whoever asks may write into what he gets.
        public override Delegate Getter(Func<int> slot) => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => _values[slot()].CopyTo(ref value));
    }
}
