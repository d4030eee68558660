using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace J1.StandIns.Tests;

/// <summary>The stand-in offers nothing that the real assemblies do not, and hides what they hide.</summary>
public sealed class ApiTests
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static bool IsStandIn => typeof(MLContext).Assembly == typeof(IDataView).Assembly;

    private static Assembly[] Upstream =>
        [.. new[] { typeof(IDataView), typeof(ITransformer), typeof(MLContext), typeof(CustomMappingCatalog) }.Select(t => t.Assembly).Distinct()];

    /// <summary>Where the listing differs from the stand-in, the test writes the new one beside the assembly: copy it over after a look at the difference.</summary>
    [Fact]
    public void Every_public_member_of_the_stand_in_is_one_of_the_real_library()
    {
        var listed = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "api.txt"));
        var members = Upstream.SelectMany(a => a.GetExportedTypes()).SelectMany(Members).Order(StringComparer.Ordinal).Distinct().ToArray();
        Assert.Empty(listed.Except(members));
        if (!IsStandIn) return;
        File.WriteAllLines(Path.Combine(AppContext.BaseDirectory, "api.received.txt"), members);
        Assert.Empty(members.Except(listed));
    }

    internal static IEnumerable<string> Members(Type type)
    {
        yield return $"{Kind(type)} {Name(type)}";
        if (type.BaseType == typeof(MulticastDelegate)) yield break;
        foreach (var field in type.GetFields(Declared).Where(f => (f.IsPublic || f.IsFamily) && !f.IsSpecialName))
            yield return $"{Name(type)}.{field.Name} : {Name(field.FieldType)}{(field.IsLiteral && type.IsEnum ? $" = {field.GetRawConstantValue()}" : "")}";
        foreach (var constructor in type.GetConstructors(Declared).Where(c => c.IsPublic || c.IsFamily)) yield return $"{Name(type)}.new({Parameters(constructor)})";
        foreach (var method in type.GetMethods(Declared).Where(m => (m.IsPublic || m.IsFamily) && !IsObjects(m)))
            yield return $"{Name(type)}.{method.Name}{(method.IsGenericMethod ? $"`{method.GetGenericArguments().Length}" : "")}({Parameters(method)}) : {Name(method.ReturnType)}";
    }

    /// <summary>What every type has, or inherits in one implementation and declares in the other.</summary>
    private static bool IsObjects(MethodInfo method) =>
        method.Name is "ToString" or "GetHashCode" or "Equals" or "op_Equality" or "op_Inequality" or "CompareTo" or "GetEnumerator" or "Dispose";

    private static string Kind(Type type) => type.IsInterface ? "interface" : type.IsEnum ? "enum" : type.IsValueType ? "struct"
        : type.BaseType == typeof(MulticastDelegate) ? "delegate" : type.IsAbstract && type.IsSealed ? "static class" : type.IsAbstract ? "abstract class" : type.IsSealed ? "sealed class" : "class";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p =>
        $"{Name(p.ParameterType)} {p.Name}{(p.HasDefaultValue ? $" = {Convert.ToString(p.RawDefaultValue, System.Globalization.CultureInfo.InvariantCulture) ?? "default"}" : "")}"));

    private static string Name(Type type) => type.IsByRef ? $"{Name(type.GetElementType()!)}&" : type.IsArray ? $"{Name(type.GetElementType()!)}[]"
        : type.IsGenericParameter ? type.Name
        : $"{(type.IsNested ? Name(type.DeclaringType!) + "." : type.Namespace + ".")}{type.Name}{(type.IsGenericType ? $"<{string.Join(", ", type.GetGenericArguments().Select(Name))}>" : "")}";

    [Fact]
    public void What_a_library_outside_cannot_use_there_it_cannot_use_here()
    {
        Assert.Empty(typeof(SchemaShape.Column).GetConstructors());
        Assert.Equal(["Dispose"], typeof(ModelSaveContext).GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Select(m => m.Name));
        Assert.Empty(typeof(ModelSaveContext).GetConstructors());
        Assert.Equal(["RegisterAssembly"], typeof(ComponentCatalog).GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Select(m => m.Name));
        Assert.DoesNotContain(typeof(ExtensionBaseAttribute).GetConstructors(Declared), c => c.IsPublic || c.IsFamily);
        Assert.Empty(typeof(DataViewSchema.Column).GetConstructors());
        Assert.Empty(typeof(DataViewSchema).GetConstructors());
        Assert.Empty(typeof(BinaryClassificationMetrics).GetConstructors());
        Assert.DoesNotContain(typeof(TransformsCatalog).GetProperties(), p => typeof(IHostEnvironment).IsAssignableFrom(p.PropertyType));
        Assert.DoesNotContain(Upstream.SelectMany(a => a.GetExportedTypes()), t => t.Name is "ModelLoadContext" or "LoadableClassAttributeBase" or "Contracts" or "IHostEnvironmentInternal" or "ITransformerChainAccessor");
    }

    [Fact]
    public void Members_that_are_explicit_there_are_explicit_here()
    {
        Assert.Null(typeof(MLContext).GetMethod("Register"));
        Assert.Null(typeof(TransformerChain<ITransformer>).GetMethod("Save"));
        Assert.Null(typeof(TransformerChain<ITransformer>).GetProperty("IsRowToRowMapper"));
    }
}
