using System.Linq.Expressions;
using System.Reflection;

namespace Microsoft.ML.Data;

/// <summary>A column that is a field or property of a class.</summary>
internal sealed record TypedColumn(string Name, DataViewType Type, DataViewSchema.Annotations Annotations, MemberInfo Member);

/// <summary>Between objects and rows: text is string or memory, a vector is an array or a buffer, everything else is itself.</summary>
internal static class TypedRows
{
    public static Type MemberType(MemberInfo member) => member is FieldInfo field ? field.FieldType : ((PropertyInfo)member).PropertyType;

    /// <summary>The type of an item, and whether the member is a vector of them.</summary>
    public static bool ItemType(Type type, out Type item)
    {
        var isVector = type.IsArray || type.IsGenericType && type.GetGenericTypeDefinition() == typeof(VBuffer<>);
        item = !isVector ? type : type.IsArray ? type.GetElementType() : type.GetGenericArguments()[0];
        return isVector;
    }

    public static TypedColumn[] Bind(Type rowType, SchemaDefinition definition, SchemaDefinition.Direction direction)
    {
        definition ??= SchemaDefinition.Create(rowType, direction);
        return [.. definition.Select(column =>
        {
            var member = rowType.GetField(column.MemberName) ?? (MemberInfo)rowType.GetProperty(column.MemberName)
                ?? throw new ArgumentOutOfRangeException("userSchemaDefinition", $"No field or property with name '{column.MemberName}' found in type '{rowType}'");
            var isVector = ItemType(MemberType(member), out var itemType);
            var raw = DataViewTypes.Of(itemType)?.RawType ?? itemType;
            var matches = column.ColumnType is VectorDataViewType vector ? isVector && vector.ItemType.RawType == raw : !isVector && column.ColumnType.RawType == raw;
            if (!matches) throw new ArgumentOutOfRangeException("userSchemaDefinition", $"Column '{column.ColumnName}' is supposed to be {column.ColumnType}, but type of associated field '{column.MemberName}' is {MemberType(member)}");
            return new TypedColumn(column.ColumnName, column.ColumnType, column.Annotations, member);
        })];
    }

    public static DataViewSchema ToSchema(IEnumerable<TypedColumn> columns)
    {
        var builder = new DataViewSchema.Builder();
        foreach (var column in columns) builder.AddColumn(column.Name, column.Type, column.Annotations);
        return builder.ToSchema();
    }

    /// <summary>A getter of the column in whatever object is current.</summary>
    public static Delegate Getter<TRow>(TypedColumn column, Func<TRow> current)
    {
        ItemType(MemberType(column.Member), out var item);
        if (column.Type is KeyDataViewType key) return Call<Delegate>(nameof(KeyGetterOf), [typeof(TRow), item], column.Member, current, key.Count);
        return Call<Delegate>(nameof(GetterOf), [typeof(TRow), MemberType(column.Member), item], column.Member, current);
    }

    /// <summary>Puts the row's column into an object.</summary>
    public static Action<TRow> Setter<TRow>(TypedColumn column, DataViewRow row, DataViewSchema.Column source)
    {
        ItemType(MemberType(column.Member), out var item);
        return Call<Action<TRow>>(nameof(SetterOf), [typeof(TRow), MemberType(column.Member), item], column.Member, row, source);
    }

    /// <summary>The column's value as <typeparamref name="T"/>, made anew for each row.</summary>
    public static Func<T> Reader<T>(DataViewRow row, DataViewSchema.Column column)
    {
        ItemType(typeof(T), out var item);
        return Call<Func<T>>(nameof(ReaderOf), [typeof(T), item], row, column);
    }

    /// <summary>Whether a column of this type can be read as <paramref name="type"/>.</summary>
    public static bool Fits(DataViewType column, Type type)
    {
        var isVector = ItemType(type, out var item);
        var raw = DataViewTypes.Of(item)?.RawType ?? item;
        return column is VectorDataViewType vector ? isVector && vector.ItemType.RawType == raw : !isVector && column.RawType == raw;
    }

    private static TResult Call<TResult>(string method, Type[] types, params object[] arguments)
    {
        var definition = typeof(TypedRows).GetMethod(method, BindingFlags.NonPublic | BindingFlags.Static);
        return (TResult)definition.MakeGenericMethod(types).Invoke(null, BindingFlags.DoNotWrapExceptions, null, arguments, null);
    }

    private static Delegate GetterOf<TRow, TMember, TItem>(MemberInfo member, Func<TRow> current)
    {
        var row = Expression.Parameter(typeof(TRow));
        var read = Expression.Lambda<Func<TRow, TMember>>(Expression.MakeMemberAccess(row, member), row).Compile();
        return read switch
        {
            Func<TRow, string> text => (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = text(current()).AsMemory()),
            Func<TRow, string[]> texts => (ValueGetter<VBuffer<ReadOnlyMemory<char>>>)((ref VBuffer<ReadOnlyMemory<char>> value) =>
            {
                var array = texts(current()) ?? [];
                var editor = VBufferEditor.Create(ref value, array.Length);
                for (var i = 0; i < array.Length; i++) editor.Values[i] = array[i].AsMemory();
                value = editor.Commit();
            }),
            Func<TRow, TItem[]> items => (ValueGetter<VBuffer<TItem>>)((ref VBuffer<TItem> value) =>
            {
                var array = items(current()) ?? [];
                var editor = VBufferEditor.Create(ref value, array.Length);
                array.CopyTo(editor.Values);
                value = editor.Commit();
            }),
            Func<TRow, VBuffer<TItem>> buffer => (ValueGetter<VBuffer<TItem>>)((ref VBuffer<TItem> value) => buffer(current()).CopyTo(ref value)),
            _ => (ValueGetter<TMember>)((ref TMember value) => value = read(current())),
        };
    }

    /// <summary>An object's key counts from 0, a row's from 1; what is out of range is missing.</summary>
    private static ValueGetter<TKey> KeyGetterOf<TRow, TKey>(MemberInfo member, Func<TRow> current, ulong count) where TKey : System.Numerics.INumber<TKey>
    {
        var row = Expression.Parameter(typeof(TRow));
        var read = Expression.Lambda<Func<TRow, TKey>>(Expression.MakeMemberAccess(row, member), row).Compile();
        return (ref TKey value) => value = read(current()) is var key && ulong.CreateTruncating(key) < count ? key + TKey.One : TKey.Zero;
    }

    private static Action<TRow> SetterOf<TRow, TMember, TItem>(MemberInfo member, DataViewRow row, DataViewSchema.Column source)
    {
        var (target, value) = (Expression.Parameter(typeof(TRow)), Expression.Parameter(typeof(TMember)));
        var write = Expression.Lambda<Action<TRow, TMember>>(Expression.Assign(Expression.MakeMemberAccess(target, member), value), target, value).Compile();
        if (typeof(TMember).IsArray) return Filler<TRow, TMember, TItem>(Expression.Lambda<Func<TRow, TMember>>(Expression.MakeMemberAccess(target, member), target).Compile(), write, row, source);
        var read = ReaderOf<TMember, TItem>(row, source);
        return item => write(item, read());
    }

    /// <summary>An array that the object has already is filled again where it is of the right length; none is as good as an empty one.</summary>
    private static Action<TRow> Filler<TRow, TMember, TItem>(Func<TRow, TMember> peek, Action<TRow, TMember> write, DataViewRow row, DataViewSchema.Column source)
    {
        var read = ReaderOf<TItem[], TItem>(row, source);
        return item =>
        {
            var (values, array) = (read(), (TItem[])(object)peek(item));
            if (values.Length != (array?.Length ?? 0)) array = values;
            else if (array != null) values.CopyTo(array, 0);
            write(item, (TMember)(object)array);
        };
    }

    private static Func<T> ReaderOf<T, TItem>(DataViewRow row, DataViewSchema.Column column)
    {
        if (typeof(T) == typeof(string))
        {
            var getter = row.GetGetter<ReadOnlyMemory<char>>(column);
            return (Func<T>)(object)(() =>
            {
                ReadOnlyMemory<char> text = default;
                getter(ref text);
                return text.ToString();
            });
        }
        if (typeof(T) == typeof(string[]))
        {
            var getter = row.GetGetter<VBuffer<ReadOnlyMemory<char>>>(column);
            VBuffer<ReadOnlyMemory<char>> buffer = default;
            return (Func<T>)(object)(() =>
            {
                getter(ref buffer);
                return buffer.DenseValues().Select(t => t.ToString()).ToArray();
            });
        }
        if (typeof(T) == typeof(TItem[]))
        {
            var getter = row.GetGetter<VBuffer<TItem>>(column);
            VBuffer<TItem> buffer = default;
            return (Func<T>)(object)(() =>
            {
                getter(ref buffer);
                var array = new TItem[buffer.Length];
                buffer.CopyTo(array);
                return array;
            });
        }
        var plain = row.GetGetter<T>(column);
        return () =>
        {
            T value = default;
            plain(ref value);
            return value;
        };
    }
}

/// <summary>Fills objects from rows. A member without a column is an error, unless such are to be ignored.</summary>
internal sealed class TypedReader<TRow>
{
    private readonly (TypedColumn Member, DataViewSchema.Column Column)[] pairs;

    public TypedReader(DataViewSchema schema, SchemaDefinition definition, bool ignoreMissing)
    {
        var found = new List<(TypedColumn, DataViewSchema.Column)>();
        foreach (var member in TypedRows.Bind(typeof(TRow), definition, SchemaDefinition.Direction.Write))
        {
            if (schema.GetColumnOrNull(member.Name) is not { } column)
            {
                if (ignoreMissing) continue;
                throw new ArgumentOutOfRangeException(nameof(schema), $"Could not find column '{member.Name}'");
            }
            if (!TypedRows.Fits(column.Type, TypedRows.MemberType(member.Member)))
                throw new InvalidOperationException($"Can't bind the IDataView column '{column.Name}' of type '{column.Type}' to field or property '{member.Member.Name}' of type '{TypedRows.MemberType(member.Member)}'.");
            found.Add((member, column));
        }
        pairs = [.. found];
    }

    public IEnumerable<DataViewSchema.Column> Columns => pairs.Select(p => p.Column);

    public Action<TRow> Bind(DataViewRow row)
    {
        var setters = pairs.Select(p => TypedRows.Setter<TRow>(p.Member, row, p.Column)).ToArray();
        return item =>
        {
            foreach (var set in setters) set(item);
        };
    }
}
