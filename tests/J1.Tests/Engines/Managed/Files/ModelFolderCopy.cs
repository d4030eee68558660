using System.Text.Json.Nodes;
using J1.Engines.Managed.Models;

namespace J1.Tests.Engines.Managed.Files;

/// <summary>A scratch copy of a golden model folder that a test may spoil; deleted at the end.</summary>
internal sealed class ModelFolderCopy : IDisposable
{
    public ModelFolderCopy(string goldenFolder)
        : this()
    {
        foreach (var file in Directory.GetFiles(Shared.PathTo(goldenFolder)))
            System.IO.File.WriteAllBytes(File(System.IO.Path.GetFileName(file)), System.IO.File.ReadAllBytes(file));
    }

    public ModelFolderCopy() => Path = Directory.CreateTempSubdirectory("j1-files-").FullName;

    public string Path { get; }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void SetConfig(string name, JsonNode? value, string file = "config.json")
    {
        var config = JsonNode.Parse(System.IO.File.ReadAllText(File(file)))!.AsObject();
        config[name] = value;
        System.IO.File.WriteAllText(File(file), config.ToJsonString());
    }

    public void RemoveConfig(string name)
    {
        var config = JsonNode.Parse(System.IO.File.ReadAllText(File("config.json")))!.AsObject();
        Assert.True(config.Remove(name));
        System.IO.File.WriteAllText(File("config.json"), config.ToJsonString());
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

internal static class Weights
{
    public static float[] ReadAll(this IWeightSource source, string name)
    {
        var values = new float[source.Tensors[name].Count];
        source.Read(name, values);
        return values;
    }

    /// <summary>Same names, same shapes, same numbers to the bit.</summary>
    public static void AssertEqual(IWeightSource expected, IWeightSource actual)
    {
        Assert.Equal(expected.Tensors.Keys.Order(StringComparer.Ordinal), actual.Tensors.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, tensor) in expected.Tensors)
        {
            Assert.Equal(tensor.Shape, actual.Tensors[name].Shape);
            Assert.Equal(expected.ReadAll(name), actual.ReadAll(name));
        }
    }
}
