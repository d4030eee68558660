using System.Collections;
using Microsoft.ML.Data;

namespace Microsoft.ML;

/// <summary>What is known of a schema before any data is seen. As in the real library, a <see cref="Column"/> cannot be made from outside.</summary>
public sealed class SchemaShape : IReadOnlyList<SchemaShape.Column>
{
    private readonly Column[] columns;

    public SchemaShape(IEnumerable<Column> columns)
    {
        ArgumentNullException.ThrowIfNull(columns);
        this.columns = [.. columns];
        if (this.columns.Any(c => c.Name == null)) throw new ArgumentException("Some items are not initialized", nameof(columns));
    }

    public int Count => columns.Length;
    public Column this[int index] => columns[index];
    public IEnumerator<Column> GetEnumerator() => ((IEnumerable<Column>)columns).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static SchemaShape Create(DataViewSchema schema) => new(schema.Where(c => !c.IsHidden).Select(c => Column.Of(c.Name, c.Type, c.Annotations.Schema)));

    internal bool TryFindColumn(string name, out Column column)
    {
        column = columns.FirstOrDefault(c => c.Name == name);
        return column.Name != null;
    }

    internal Column Require(string role, string name) =>
        TryFindColumn(name, out var column) ? column : throw new ArgumentOutOfRangeException("inputSchema", $"Could not find {role} column '{name}'");

    /// <summary>These columns and those; a new one takes the place of an old one of its name.</summary>
    internal SchemaShape With(IEnumerable<Column> added)
    {
        var all = columns.ToDictionary(c => c.Name);
        foreach (var column in added) all[column.Name] = column;
        return new(all.Values);
    }

    public readonly struct Column
    {
        public readonly string Name;
        public readonly VectorKind Kind;

        /// <summary>The type of an item; of a key, the number it is stored as.</summary>
        public readonly DataViewType ItemType;

        public readonly bool IsKey;
        public readonly SchemaShape Annotations;

        internal Column(string name, VectorKind kind, DataViewType itemType, bool isKey, SchemaShape annotations = null)
        {
            ArgumentException.ThrowIfNullOrEmpty(name);
            Name = name;
            Kind = kind;
            ItemType = itemType ?? throw new ArgumentNullException(nameof(itemType));
            IsKey = isKey;
            Annotations = annotations ?? new SchemaShape([]);
        }

        internal static Column Of(string name, DataViewType type, DataViewSchema annotations = null)
        {
            var item = DataViewTypes.ItemTypeOf(type);
            var kind = type is VectorDataViewType vector ? vector.IsKnownSize ? VectorKind.Vector : VectorKind.VariableVector : VectorKind.Scalar;
            return new Column(name, kind, item is KeyDataViewType ? DataViewTypes.Of(item.RawType) : item, item is KeyDataViewType,
                annotations is { Count: > 0 } ? Create(annotations) : null);
        }

        internal Column Renamed(string name) => new(name, Kind, ItemType, IsKey, Annotations);

        internal string TypeText => Kind switch
        {
            VectorKind.Vector => $"Vector<{(IsKey ? $"Key<{ItemType}>" : ItemType)}>",
            VectorKind.VariableVector => $"VarVector<{(IsKey ? $"Key<{ItemType}>" : ItemType)}>",
            _ => IsKey ? $"Key<{ItemType}>" : $"{ItemType}",
        };

        public enum VectorKind
        {
            Scalar,
            Vector,
            VariableVector,
        }
    }
}
