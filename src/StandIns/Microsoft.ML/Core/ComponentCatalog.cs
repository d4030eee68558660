using System.Reflection;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Runtime;

/// <summary>The custom mappings that a saved model may name, by their contract.</summary>
public sealed class ComponentCatalog
{
    private readonly Lock gate = new();
    private readonly HashSet<Assembly> assemblies = [];
    private readonly Dictionary<string, Type> factories = [];

    internal ComponentCatalog() { }

    public void RegisterAssembly(Assembly assembly, bool throwOnError = true)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        lock (gate)
        {
            if (!assemblies.Add(assembly)) return;
            foreach (var type in assembly.GetTypes())
            {
                if (type.GetCustomAttribute<CustomMappingFactoryAttributeAttribute>() is not { } attribute) continue;
                var usable = typeof(ICustomMappingFactory).IsAssignableFrom(type) && type.GetConstructor([]) != null;
                if (usable && factories.TryAdd(attribute.ContractName, type)) continue;
                if (!throwOnError) continue;
                throw new InvalidOperationException(usable
                    ? $"Duplicate registration of the contract '{attribute.ContractName}': {factories[attribute.ContractName]} and {type}."
                    : $"Custom mapping factory {type} must be a CustomMappingFactory with a public parameterless constructor.");
            }
        }
    }

    internal ICustomMappingFactory Factory(string contractName)
    {
        lock (gate)
            return factories.TryGetValue(contractName, out var type) ? (ICustomMappingFactory)Activator.CreateInstance(type)
                : throw new InvalidOperationException($"Unable to locate an extension for the contract '{contractName}'. Make sure that the assembly it is in is registered with the ComponentCatalog.");
    }
}
