using J1.Engines.Managed.Files;
using J1.Engines.Managed.Models;

namespace J1.Tests.Engines.Managed.Files;

public sealed class SafetensorsWriterTests
{
    private static readonly TensorInfo[] s_tensors = [new("z", [2, 3]), new("a", [1])];

    private static readonly Dictionary<string, float[]> s_values = new() { ["z"] = [1, -2, 0.1f, 3e-8f, 70_000, float.NaN], ["a"] = [-0f] };

    private static void Read(string name, Span<float> destination) => s_values[name].CopyTo(destination);

    [Fact]
    public void What_is_written_is_read_back_to_the_bit()
    {
        using var folder = new ModelFolderCopy();
        SafetensorsWriter.Write(folder.File("m.safetensors"), s_tensors, Read);
        using var file = new SafetensorsFile(folder.File("m.safetensors"));
        Assert.Equal([2, 3], file.Tensors["z"].Shape);
        foreach (var (name, values) in s_values)
            Assert.Equal(values.Select(BitConverter.SingleToInt32Bits), file.ReadAll(name).Select(BitConverter.SingleToInt32Bits));
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(["m.safetensors"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Half_and_brain_numbers_are_rounded_to_the_nearest()
    {
        using var folder = new ModelFolderCopy();
        SafetensorsWriter.Write(folder.File("h"), s_tensors, Read, SafetensorsType.F16);
        using var half = new SafetensorsFile(folder.File("h"));
        Assert.Equal("F16", half.DataTypeOf("z"));
        Assert.Equal(s_values["z"].Select(value => (float)(Half)value), half.ReadAll("z"));

        SafetensorsWriter.Write(folder.File("b"), s_tensors, Read, SafetensorsType.BF16);
        using var brain = new SafetensorsFile(folder.File("b"));
        Assert.Equal([1, -2, 0.10009765625f, 3.0035153e-8f, 70_144, float.NaN], brain.ReadAll("z"));
    }

    [SharedFact("golden/hf")]
    public void A_golden_file_is_written_as_it_is()
    {
        var golden = Shared.PathTo("golden/hf/llama-gqa-untied/model.safetensors");
        using var file = new SafetensorsFile(golden);
        using var folder = new ModelFolderCopy();
        SafetensorsWriter.Write(folder.File("m"), file.Tensors.Values, file.Read);
        Assert.Equal(File.ReadAllBytes(golden), File.ReadAllBytes(folder.File("m")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(170)]
    public void A_full_disk_is_reported_and_the_old_file_stays(int room)
    {
        using var folder = new ModelFolderCopy();
        var path = folder.File("m.safetensors");
        File.WriteAllText(path, "old");
        var error = Assert.Throws<ModelFileException>(() => SafetensorsWriter.Write(path, s_tensors, Read, SafetensorsType.F32, FullDisk.For("m.safetensors", room)));
        Assert.Equal($"'{path}': could not be written; the older file is untouched: There is not enough space on the disk. Free some space or choose another folder, and save again.", error.Message);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [FullDeviceFact]
    public void A_device_without_space_is_reported_and_the_old_file_stays()
    {
        using var folder = new ModelFolderCopy();
        var path = folder.File("m.safetensors");
        File.WriteAllText(path, "old");
        File.CreateSymbolicLink(path + ".tmp", "/dev/full"); // where the new content is written first
        var error = Assert.Throws<ModelFileException>(() => SafetensorsWriter.Write(path, s_tensors, Read));
        Assert.IsAssignableFrom<IOException>(error.InnerException);
        Assert.Contains("the older file is untouched", error.Message);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void A_reader_that_fails_leaves_the_old_file_and_no_other()
    {
        using var folder = new ModelFolderCopy();
        var path = folder.File("m.safetensors");
        File.WriteAllText(path, "old");
        Assert.Throws<KeyNotFoundException>(() => SafetensorsWriter.Write(path, [new TensorInfo("none", [1])], Read));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }
}
