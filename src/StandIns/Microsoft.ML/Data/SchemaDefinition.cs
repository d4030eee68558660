using System.Reflection;

namespace Microsoft.ML.Data;

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class ColumnNameAttribute(string name) : Attribute
{
    internal string Name => name;
}

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class NoColumnAttribute : Attribute;

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class VectorTypeAttribute : Attribute
{
    public VectorTypeAttribute() : this([0]) { }
    public VectorTypeAttribute(int size) : this([size]) { }

    public VectorTypeAttribute(params int[] dimensions)
    {
        if (dimensions.Any(d => d < 0)) throw new ArgumentOutOfRangeException(nameof(dimensions), "Should contain only non-negative values");
        Dimensions = dimensions;
    }

    internal int[] Dimensions { get; }
}

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class KeyTypeAttribute : Attribute
{
    public KeyTypeAttribute() => throw new NotSupportedException("Using KeyType without the Count parameter is not supported");
    public KeyTypeAttribute(ulong count) => Count = count;

    internal ulong Count { get; }
}

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class LoadColumnAttribute : Attribute
{
    public LoadColumnAttribute(int fieldIndex) => Fields = [fieldIndex];
    public LoadColumnAttribute(int start, int end) => Fields = [.. Enumerable.Range(start, end - start + 1)];
    public LoadColumnAttribute(int[] columnIndexes) => Fields = columnIndexes;

    internal int[] Fields { get; }
}

/// <summary>How the public fields and properties of a class are columns. Not saved with a model, here as there.</summary>
public sealed class SchemaDefinition : List<SchemaDefinition.Column>
{
    private SchemaDefinition() { }

    public Column this[string columnName]
    {
        get => Find(c => c.ColumnName == columnName) ?? throw new ArgumentOutOfRangeException(nameof(columnName), $"Column '{columnName}' not found");
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            value.ColumnName = columnName;
            var index = FindIndex(c => c.ColumnName == columnName);
            if (index < 0) Add(value);
            else this[index] = value;
        }
    }

    public static SchemaDefinition Create(Type userType, Direction direction = Direction.Both)
    {
        ArgumentNullException.ThrowIfNull(userType);
        var definition = new SchemaDefinition();
        var properties = userType.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.GetIndexParameters().Length == 0
            && (direction.HasFlag(Direction.Read) && p.GetGetMethod() != null || direction.HasFlag(Direction.Write) && p.GetSetMethod() != null));
        foreach (var member in userType.GetFields(BindingFlags.Public | BindingFlags.Instance).Concat<MemberInfo>(properties))
        {
            if (member.GetCustomAttribute<NoColumnAttribute>() != null) continue;
            var name = member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name;
            if (definition.Exists(c => c.ColumnName == name)) throw new ArgumentOutOfRangeException(nameof(userType), $"Duplicate column name '{name}' detected, this is disallowed");
            definition.Add(new Column { MemberName = member.Name, ColumnName = name, ColumnType = TypeOf(member) });
        }
        return definition;
    }

    private static DataViewType TypeOf(MemberInfo member)
    {
        var type = TypedRows.MemberType(member);
        var isVector = TypedRows.ItemType(type, out var itemType);
        var item = DataViewTypes.Of(itemType)
            ?? throw new ArgumentOutOfRangeException("userType", $"Could not determine an IDataView type and registered custom types for member {member.Name}");
        if (member.GetCustomAttribute<KeyTypeAttribute>() is { } key)
            item = KeyDataViewType.Largest(itemType) != null ? new KeyDataViewType(itemType, key.Count)
                : throw new ArgumentOutOfRangeException("userType", $"Member {member.Name} marked with KeyType attribute, but does not appear to be a valid kind of data for a key type");
        if (isVector) return new VectorDataViewType(item, member.GetCustomAttribute<VectorTypeAttribute>()?.Dimensions ?? [0]);
        return member.GetCustomAttribute<VectorTypeAttribute>() == null ? item
            : throw new ArgumentOutOfRangeException("userType", $"Member {member.Name} marked with VectorTypeAttribute, but does not appear to be a vector type");
    }

    [Flags]
    public enum Direction
    {
        Read = 1,
        Write = 2,
        Both = Read | Write,
    }

    public sealed class Column
    {
        private readonly DataViewSchema.Annotations.Builder annotations = new();

        internal Column() { }

        public string MemberName { get; internal set; }
        public string ColumnName { get; set; }
        public DataViewType ColumnType { get; set; }
        public DataViewSchema.Annotations Annotations => annotations.ToAnnotations();

        public void AddAnnotation<T>(string kind, T value, DataViewType annotationType)
        {
            if (Annotations.Schema.GetColumnOrNull(kind) != null) throw new InvalidOperationException("Column already contains an annotation of this kind.");
            annotations.Add(kind, annotationType, (ref T target) => target = value);
        }
    }
}
