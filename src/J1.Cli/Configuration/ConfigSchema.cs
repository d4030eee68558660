using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace J1.Cli.Configuration;

/// <summary>A text that names a file or folder, relative to the configuration file it stands in.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PathValueAttribute : Attribute;

/// <summary>A text that is a name, or a file where it has a slash or a dot.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PromptValueAttribute : Attribute;

/// <summary>On a section: one of its options is not a key there, because <paramref name="instead"/> sets it.</summary>
[AttributeUsage(AttributeTargets.Property, AllowMultiple = true)]
internal sealed class SetElsewhereAttribute(string property, string instead) : Attribute
{
    public string Property { get; } = property;

    public string Instead { get; } = instead;
}

/// <summary>A key of a section: a property of the C# record that the section is bound to.</summary>
internal sealed record SchemaKey(string Name, PropertyInfo Property)
{
    /// <summary>The value's type, without its nullability.</summary>
    public Type Type { get; } = Nullable.GetUnderlyingType(Property.PropertyType) ?? Property.PropertyType;

    public bool IsRequired { get; } = Property.IsDefined(typeof(RequiredMemberAttribute));

    public bool IsNullable { get; } = Nullable.GetUnderlyingType(Property.PropertyType) is not null
        || (!Property.PropertyType.IsValueType && new NullabilityInfoContext().Create(Property).WriteState == NullabilityState.Nullable);

    private readonly bool _isPath = Property.IsDefined(typeof(PathValueAttribute)), _isNameOrPath = Property.IsDefined(typeof(PromptValueAttribute));

    /// <summary>Whether <paramref name="text"/> as a value of this key names a file.</summary>
    public bool IsPath(string text) => _isPath || (_isNameOrPath && text.AsSpan().IndexOfAny("/.\\") >= 0);

    public IReadOnlyList<SetElsewhereAttribute> Elsewhere { get; } = [.. Property.GetCustomAttributes<SetElsewhereAttribute>()];
}

/// <summary>
/// What a section may hold, read off its record: keys are the settable properties in snake_case, defaults are their initial values, and
/// ranges are what the record's own <c>Validate</c> says. There is no second description to keep in step.
/// </summary>
internal static class ConfigSchema
{
    private static readonly ConcurrentDictionary<Type, IReadOnlyList<SchemaKey>> s_keys = new();

    public static IReadOnlyList<SchemaKey> KeysOf(Type section) => s_keys.GetOrAdd(section, static type =>
        [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.SetMethod is not null).Select(property => new SchemaKey(Names.Snake(property.Name), property))]);

    /// <summary>Whether a type is written as a section of its own.</summary>
    public static bool IsSection(Type type) => type.IsClass && type != typeof(string) && ItemTypeOf(type) is null;

    /// <summary>The type of a list's items, or null where the type is no list.</summary>
    public static Type? ItemTypeOf(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;

    /// <summary>The record with its defaults; required members are not set yet.</summary>
    public static object Defaults(Type section) => Activator.CreateInstance(section)!;

    /// <summary>All keys of a section and those below it as paths, for suggestions.</summary>
    public static IEnumerable<string> Paths(Type section, string prefix = "", SchemaKey? owner = null)
    {
        foreach (var key in KeysOf(section))
        {
            if (owner is not null && owner.Elsewhere.Any(other => other.Property == key.Property.Name)) continue;
            var path = YamlText.Join(prefix, key.Name);
            yield return path;
            if (!IsSection(key.Type)) continue;
            foreach (var below in Paths(key.Type, path, key)) yield return below;
        }
    }
}
