using System.Buffers.Binary;
using System.Text;
using J1.Engines;
using J1.Engines.Managed.Files;

namespace J1.Tests.Engines.Managed.Files;

public sealed class SafetensorsFileTests
{
    [Fact]
    public void Each_number_type_is_read_as_float32()
    {
        byte[] data = [.. BitConverter.GetBytes(1.5f), .. BitConverter.GetBytes(-2f), .. BitConverter.GetBytes((Half)0.25f), .. BitConverter.GetBytes((Half)(-3f)), 0x80, 0x3F, 0x20, 0xC1];
        using var folder = new ModelFolderCopy();
        var path = WriteFile(folder, """
            {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[1,2],"data_offsets":[8,12]},"c":{"dtype":"BF16","shape":[2,1],"data_offsets":[12,16]}}
            """, data);
        using var file = new SafetensorsFile(path);
        Assert.Equal([1.5f, -2f], file.ReadAll("a"));
        Assert.Equal([0.25f, -3f], file.ReadAll("b"));
        Assert.Equal([1f, -10f], file.ReadAll("c"));
        Assert.Equal([2, 1], file.Tensors["c"].Shape);
        Assert.Equal("pt", file.Metadata["format"]);
    }

    [Theory]
    [InlineData("F64", 8)]
    [InlineData("I64", 8)]
    [InlineData("F8_E4M3", 1)]
    public void Other_number_types_are_refused_by_name(string type, int bytes)
    {
        using var folder = new ModelFolderCopy();
        var path = WriteFile(folder, $$"""{"a":{"dtype":"{{type}}","shape":[1],"data_offsets":[0,{{bytes}}] } }""", new byte[bytes]);
        using var file = new SafetensorsFile(path);
        var error = Assert.Throws<ModelFileException>(() => file.Read("a", new float[1]));
        Assert.Contains($"tensor 'a' is of type {type}; expected F32, F16 or BF16", error.Message);
        Assert.Contains("m.safetensors", error.Message);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "overlap tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "shape [3] of F32 needs 12")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 6, "is truncated: tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "1 bytes behind its last tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "gap of 4 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "a size of -2")]
    [InlineData("""{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,8]}}""", 8, "a size of 99999999999")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", 8, "without dtype, shape and data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", 8, "not sound JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "'a' twice")]
    [InlineData("""[]""", 0, "not a JSON object")]
    [InlineData("""{"a":""", 0, "not sound JSON")]
    public void An_unsound_header_is_refused(string header, int dataLength, string message)
    {
        using var folder = new ModelFolderCopy();
        var path = WriteFile(folder, header, new byte[dataLength]);
        Assert.Contains(message, Assert.Throws<ModelFileException>(() => new SafetensorsFile(path)).Message);
    }

    [Fact]
    public void A_file_cut_off_anywhere_is_refused()
    {
        using var folder = new ModelFolderCopy();
        var path = WriteFile(folder, """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", new byte[8]);
        var whole = File.ReadAllBytes(path);
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            var error = Assert.Throws<ModelFileException>(() => new SafetensorsFile(path));
            Assert.Contains("m.safetensors", error.Message);
            Assert.Contains("Download or write the file again.", error.Message);
        }
    }

    [Fact]
    public void A_file_of_another_kind_and_a_missing_one_are_told_apart()
    {
        using var folder = new ModelFolderCopy();
        File.WriteAllText(folder.File("zip"), "PK this is not a safetensors file");
        Assert.Contains("does not start like a safetensors file", Assert.Throws<ModelFileException>(() => new SafetensorsFile(folder.File("zip"))).Message);
        Assert.Contains("does not exist", Assert.Throws<ModelFileException>(() => new SafetensorsFile(folder.File("none"))).Message);
    }

    [Fact]
    public void A_missing_tensor_is_named()
    {
        using var folder = new ModelFolderCopy();
        using var file = new SafetensorsFile(WriteFile(folder, "{}", []));
        Assert.Contains("no tensor 'x'", Assert.Throws<ModelFileException>(() => file.Read("x", [])).Message);
    }

    [Fact]
    public void A_damaged_header_never_fails_otherwise_than_by_a_model_file_error()
    {
        using var folder = new ModelFolderCopy();
        var path = WriteFile(folder, """
            {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[1,2],"data_offsets":[8,12]}}
            """, new byte[12]);
        var sound = File.ReadAllBytes(path);
        var random = new SplitMix(3);
        var refused = 0;
        for (var trial = 0; trial < 300; trial++)
        {
            var bytes = (byte[])sound.Clone();
            bytes[random.NextInt(bytes.Length)] = trial % 2 == 0 ? (byte)random.Next() : (byte)"0123456789{}[],:\"-.e"[random.NextInt(20)];
            File.WriteAllBytes(path, bytes);
            try
            {
                using var file = new SafetensorsFile(path);
            }
            catch (ModelFileException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 100, 300);
    }

    private static string WriteFile(ModelFolderCopy folder, string header, byte[] data)
    {
        var text = Encoding.UTF8.GetBytes(header);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        var path = folder.File("m.safetensors");
        File.WriteAllBytes(path, [.. length, .. text, .. data]);
        return path;
    }
}
