namespace Microsoft.ML.Data;

/// <summary>Shared by all our rows: which columns are active, and the two ways to ask for a getter wrongly.</summary>
internal sealed class ActiveColumns
{
    private readonly DataViewSchema schema;
    private readonly bool[] active;

    public ActiveColumns(DataViewSchema schema, IEnumerable<DataViewSchema.Column> columns)
    {
        this.schema = schema;
        active = new bool[schema.Count];
        foreach (var column in columns)
        {
            if (column.Index >= active.Length || schema[column.Index].Name != column.Name) throw new ArgumentOutOfRangeException(nameof(columns), $"Column '{column.Name}' is not one of this view's.");
            active[column.Index] = true;
        }
    }

    public IEnumerable<DataViewSchema.Column> Columns => schema.Where(c => active[c.Index]);
    public bool this[int index] => active[index];

    public bool IsActive(DataViewSchema.Column column) => column.Index < active.Length ? active[column.Index]
        : throw new ArgumentOutOfRangeException(nameof(column), $"Column '{column.Name}' is not one of this row's.");

    public ValueGetter<TValue> Getter<TValue>(DataViewSchema.Column column, Func<int, Delegate> getters)
    {
        if (!IsActive(column)) throw new ArgumentOutOfRangeException(nameof(column), $"requested column not active: '{column.Name}'");
        var type = schema[column.Index].Type;
        if (typeof(TValue) != type.RawType) throw new InvalidOperationException($"Invalid TValue in GetGetter for column '{column.Name}': '{typeof(TValue)}', expected type: '{type.RawType}'.");
        return (ValueGetter<TValue>)getters(column.Index);
    }
}

/// <summary>A getter of a type that is known at run time only.</summary>
internal static class Getters
{
    public static Delegate Of(DataViewRow row, DataViewSchema.Column column) =>
        (Delegate)typeof(DataViewRow).GetMethod(nameof(DataViewRow.GetGetter)).MakeGenericMethod(column.Type.RawType)
            .Invoke(row, System.Reflection.BindingFlags.DoNotWrapExceptions, null, [column], null);
}

/// <summary>Values of one column in slots: what a cache, a shuffle and rows on their way between threads keep.</summary>
internal abstract class ColumnBuffer
{
    public static ColumnBuffer For(DataViewType type) => (ColumnBuffer)Activator.CreateInstance(typeof(ColumnBuffer<>).MakeGenericType(type.RawType));

    /// <summary>What puts the row's current value into a slot.</summary>
    public abstract Action<int> Filler(Delegate getter);

    public abstract Delegate Getter(Func<int> slot);
}

internal sealed class ColumnBuffer<T> : ColumnBuffer
{
    private static readonly CopyValue Copy = CreateCopy();
    private T[] values = [];

    private delegate void CopyValue(in T source, ref T target);

    public override Action<int> Filler(Delegate getter)
    {
        var get = (ValueGetter<T>)getter;
        return slot =>
        {
            if (slot >= values.Length) Array.Resize(ref values, Math.Max(16, Math.Max(slot + 1, 2 * values.Length)));
            get(ref values[slot]);
        };
    }

    public override Delegate Getter(Func<int> slot) => (ValueGetter<T>)((ref T value) => Copy(in values[slot()], ref value));

    private static CopyValue CreateCopy()
    {
        if (!typeof(T).IsGenericType || typeof(T).GetGenericTypeDefinition() != typeof(VBuffer<>)) return (in T source, ref T target) => target = source;
        var method = typeof(ColumnBuffer<T>).GetMethod(nameof(CopyVector), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static);
        return method.MakeGenericMethod(typeof(T).GetGenericArguments()[0]).CreateDelegate<CopyValue>();
    }

    private static void CopyVector<TItem>(in VBuffer<TItem> source, ref VBuffer<TItem> target) => source.CopyTo(ref target);
}

/// <summary>Some columns of many rows, in memory.</summary>
internal sealed class RowBlock
{
    private readonly Dictionary<int, ColumnBuffer> buffers;
    private readonly ColumnBuffer<DataViewRowId> ids = new();
    private readonly ColumnBuffer<long> positions = new();

    public RowBlock(IEnumerable<DataViewSchema.Column> columns) => buffers = columns.ToDictionary(c => c.Index, c => ColumnBuffer.For(c.Type));

    public int Count { get; set; }

    public Action<int> Filler(DataViewRow row, DataViewSchema schema)
    {
        var fillers = buffers.Select(b => b.Value.Filler(Getters.Of(row, schema[b.Key])))
            .Append(ids.Filler(row.GetIdGetter()))
            .Append(positions.Filler((ValueGetter<long>)((ref long value) => value = row.Position))).ToArray();
        return slot =>
        {
            foreach (var fill in fillers) fill(slot);
            Count = Math.Max(Count, slot + 1);
        };
    }

    public Delegate Getter(int column, Func<int> slot) => buffers[column].Getter(slot);
    public ValueGetter<DataViewRowId> IdGetter(Func<int> slot) => (ValueGetter<DataViewRowId>)ids.Getter(slot);

    public long PositionOf(int slot)
    {
        var value = 0L;
        ((ValueGetter<long>)positions.Getter(() => slot))(ref value);
        return value;
    }
}

/// <summary>One row of a block at a time, wherever <see cref="Slot"/> points.</summary>
internal sealed class BlockRow(DataViewSchema schema, RowBlock block, ActiveColumns active) : DataViewRow
{
    public int Slot { get; set; }
    public override long Position => block.PositionOf(Slot);
    public override long Batch => 0;
    public override DataViewSchema Schema => schema;
    public override ValueGetter<DataViewRowId> GetIdGetter() => block.IdGetter(() => Slot);
    public override bool IsColumnActive(DataViewSchema.Column column) => active.IsActive(column);
    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => active.Getter<TValue>(column, c => block.Getter(c, () => Slot));
}
