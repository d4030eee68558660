using System.Text.Json;
using J1.Engines;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines.Managed.Files;

public sealed class GgufFileTests
{
    private const string SmolModel = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

    [SharedFact("golden/gguf/blocks.json")]
    public void Every_block_type_is_dequantised_as_the_gguf_package_does()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Shared.PathTo("golden/gguf/blocks.json")));
        var seen = new List<GgmlType>();
        foreach (var golden in json.RootElement.GetProperty("types").EnumerateArray())
        {
            var type = (GgmlType)golden.GetProperty("ggml_type").GetUInt32();
            var bytes = golden.GetProperty("bytes").GetBytesFromBase64();
            var expected = golden.GetProperty("values").EnumerateArray().Select(value => value.GetSingle()).ToArray();
            Assert.Equal(golden.GetProperty("type").GetString(), type.ToString());
            Assert.Equal((golden.GetProperty("block_values").GetInt32(), golden.GetProperty("block_bytes").GetInt32()), GgmlTypes.BlockOf(type));

            var actual = new float[expected.Length];
            GgmlBlocks.Dequantize(type, bytes, actual);
            for (var i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs(expected[i] - actual[i]) <= MathF.BitIncrement(Math.Abs(expected[i])) - Math.Abs(expected[i]), $"{type}[{i}]: {actual[i]:R}, expected {expected[i]:R}");
            seen.Add(type);
        }

        Assert.Equal(Enum.GetValues<GgmlType>().Where(type => type != GgmlType.F32), seen.Order());
    }

    [SharedTheory("golden/gguf"), InlineData("qwen2-tied"), InlineData("qwen3-untied")]
    public void A_qwen_file_holds_the_same_model_as_its_folder(string name)
    {
        using var file = ModelReader.Open(Shared.PathTo($"golden/gguf/{name}.gguf"));
        using var folder = ModelReader.Open(Shared.PathTo($"golden/hf/{name}"));
        Weights.AssertEqual(folder.Weights, file.Weights);
        // The file has a tokenizer, and with it end tokens, of its own.
        Assert.Equal(folder.Config with { EndTokens = file.Config.EndTokens, PaddingToken = file.Config.PaddingToken }, file.Config);
        Assert.Equal([2], file.Config.EndTokens);
        Assert.Equal(ModelFormat.Gguf, file.Format);
    }

    [SharedFact(SmolModel)]
    public void SmolLM2_opens_with_its_published_shape()
    {
        using var model = ModelReader.Open(Shared.PathTo("models/smollm2-135m-instruct"));
        Assert.Equal(
            new ModelConfig
            {
                Architecture = Architecture.Llama,
                HiddenSize = 576,
                IntermediateSize = 1536,
                LayerCount = 30,
                HeadCount = 9,
                KeyValueHeadCount = 3,
                HeadSize = 64,
                VocabularySize = 49152,
                ContextLength = 8192,
                RmsEpsilon = 1e-5f,
                Rope = new RopeConfig { Theta = 100_000 },
                TieEmbeddings = true,
                BosToken = 1,
                PaddingToken = 2,
                EndTokens = model.Config.EndTokens,
            },
            model.Config);
        Assert.Equal([2], model.Config.EndTokens);
        Assert.Equal(134_515_008, model.Weights.Tensors.Values.Sum(tensor => tensor.Count));
        Assert.Equal("SmolLM2-135M-Instruct.Q4_1.gguf", Path.GetFileName(model.Path));
        Assert.Equal(49152, Assert.IsType<string[]>(model.GgufMetadata!["tokenizer.ggml.tokens"]).Length);

        var file = Assert.IsType<GgufFile>(model.Weights);
        Assert.Equal(("Q8_0", "Q4_1", "F32"), (file.DataTypeOf("model.embed_tokens.weight"), file.DataTypeOf("model.layers.29.mlp.down_proj.weight"), file.DataTypeOf("model.norm.weight")));
        Assert.All(file.ReadAll("model.layers.29.self_attn.k_proj.weight"), value => Assert.InRange(value, -10f, 10f));
    }

    [Fact]
    public void Query_and_key_rows_of_llama_files_are_put_into_the_order_of_halves()
    {
        using var folder = new ModelFolderCopy();
        using var file = new GgufFile(GgufBuilder.TinyLlama().WriteTo(folder));
        // Rows of 8 numbers; row r of the file starts with 8 r. Neighbours (0 1)(2 3) become halves (0 2)(1 3).
        Assert.Equal([0f, 2, 1, 3, 4, 6, 5, 7], RowsOf("model.layers.0.self_attn.q_proj.weight"));
        Assert.Equal([0f, 2, 1, 3], RowsOf("model.layers.0.self_attn.k_proj.weight"));
        Assert.Equal([0f, 1, 2, 3], RowsOf("model.layers.0.self_attn.v_proj.weight"));

        float[] RowsOf(string name) => [.. file.ReadAll(name).Chunk(8).Select(row => row[0] / 8)];
    }

    [Fact]
    public void Metadata_of_all_types_is_read()
    {
        var builder = GgufBuilder.TinyLlama();
        var values = new Dictionary<string, object>
        {
            ["u8"] = (byte)200,
            ["i8"] = (sbyte)-3,
            ["u16"] = (ushort)60_000,
            ["i16"] = (short)-300,
            ["u32"] = 4_000_000_000u,
            ["i32"] = -70_000,
            ["u64"] = ulong.MaxValue,
            ["i64"] = long.MinValue,
            ["f32"] = 0.1f,
            ["f64"] = 0.1,
            ["bool"] = true,
            ["text"] = "naïve 你好",
            ["texts"] = new[] { "a", "", "ü" },
            ["ints"] = new[] { 1, -2 },
            ["floats"] = new[] { 1.5f, -2f },
            ["flags"] = new[] { true, false },
            ["nested"] = new[] { new[] { 1, 2 }, new[] { 3 } },
            ["empty"] = Array.Empty<ulong>(),
        };
        foreach (var (key, value) in values)
            builder.Metadata.Add(key, value);
        using var folder = new ModelFolderCopy();
        using var file = new GgufFile(builder.WriteTo(folder));
        foreach (var (key, value) in values)
            Assert.Equal(value, file.Metadata[key]);
    }

    [Fact]
    public void Version_2_is_read_and_an_output_matrix_unties_the_head()
    {
        using var folder = new ModelFolderCopy();
        var builder = new GgufBuilder { Version = 2 };
        var three = GgufBuilder.TinyLlama();
        using (var file = new GgufFile(three.WriteTo(folder)))
            Assert.True(file.Config.TieEmbeddings);
        three.Add("output.weight", [8, 5], new float[40]);
        var bytes = three.ToBytes();
        bytes[4] = 2;
        File.WriteAllBytes(folder.File("two.gguf"), bytes);
        using (var file = new GgufFile(folder.File("two.gguf")))
            Assert.False(file.Config.TieEmbeddings);
    }

    [Fact]
    public void Rope_scaling_is_read_from_metadata()
    {
        using var folder = new ModelFolderCopy();
        var builder = GgufBuilder.TinyLlama();
        builder.Metadata["llama.rope.freq_base"] = 5000f;
        builder.Metadata["llama.rope.scaling.type"] = "linear";
        builder.Metadata["llama.rope.scaling.factor"] = 4f;
        using (var file = new GgufFile(builder.WriteTo(folder)))
            Assert.Equal(new RopeConfig { Theta = 5000, Scaling = RopeScaling.Linear, Factor = 4 }, file.Config.Rope);

        builder.Metadata["llama.rope.scaling.type"] = "yarn";
        Assert.Contains("'llama.rope.scaling.type' is 'yarn'", Fails(folder, builder));
    }

    [Theory]
    [InlineData(500_000, 64, 8, 8192)]
    [InlineData(500_000, 128, 32, 8192)]
    [InlineData(10_000, 16, 4, 100)]
    public void Factors_of_Llama_3_become_its_scaling(double theta, int headSize, double factor, int original)
    {
        var rope = new RopeConfig { Theta = theta, Scaling = RopeScaling.Llama3, Factor = factor, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalContextLength = original };
        var factors = PublishedFactors(rope, headSize);
        using var folder = new ModelFolderCopy();
        var builder = GgufBuilder.TinyLlama(headSize).Add("rope_freqs.weight", [headSize / 2], factors);
        builder.Metadata["llama.rope.freq_base"] = (float)theta;
        using (var file = new GgufFile(builder.WriteTo(folder)))
            Assert.Equal(rope, file.Config.Rope);

        factors[^1] *= 2;
        builder.Remove("rope_freqs.weight").Add("rope_freqs.weight", [headSize / 2], factors);
        Assert.Contains("'rope_freqs.weight' holds position factors that are not those of Llama 3", Fails(folder, builder));
    }

    /// <summary>As Meta published it: three branches over the wavelength.</summary>
    private static float[] PublishedFactors(RopeConfig rope, int headSize)
    {
        double low = rope.OriginalContextLength / rope.LowFrequencyFactor, high = rope.OriginalContextLength / rope.HighFrequencyFactor;
        var factors = new float[headSize / 2];
        for (var i = 0; i < factors.Length; i++)
        {
            var wave = 2 * Math.PI / Math.Pow(rope.Theta, -2.0 * i / headSize);
            var smooth = (rope.OriginalContextLength / wave - rope.LowFrequencyFactor) / (rope.HighFrequencyFactor - rope.LowFrequencyFactor);
            factors[i] = (float)(wave < high ? 1 : wave > low ? rope.Factor : 1 / ((1 - smooth) / rope.Factor + smooth));
        }

        return factors;
    }

    [Fact]
    public void A_token_list_shorter_than_the_embedding_is_padding_and_a_longer_one_an_error()
    {
        using var folder = new ModelFolderCopy();
        var builder = GgufBuilder.TinyLlama();
        builder.Metadata["tokenizer.ggml.tokens"] = new[] { "a", "b" };
        using (var file = new GgufFile(builder.WriteTo(folder)))
            Assert.Equal(5, file.Config.VocabularySize);
        builder.Metadata["tokenizer.ggml.tokens"] = new[] { "a", "b", "c", "d", "e", "f" };
        Assert.Contains("lists 6 tokens, and the embedding 'token_embd.weight' has rows for 5", Fails(folder, builder));
    }

    [Fact]
    public void An_unknown_architecture_is_refused_by_name_with_the_supported_ones()
    {
        using var folder = new ModelFolderCopy();
        var builder = GgufBuilder.TinyLlama();
        builder.Metadata["general.architecture"] = "mamba";
        var message = Fails(folder, builder);
        Assert.Contains("'mamba'", message);
        Assert.Contains("Supported: llama, qwen2, qwen3.", message);
    }

    [Theory]
    [InlineData(17, "IQ2_XS (type 17)")]
    [InlineData(77, "unknown to this program (type 77)")]
    public void An_unknown_quantisation_is_refused_by_name_and_number(uint type, string name)
    {
        using var folder = new ModelFolderCopy();
        var message = Fails(folder, GgufBuilder.TinyLlama().Remove("blk.0.ffn_up.weight").Add("blk.0.ffn_up.weight", [8, 4], type, new byte[64]));
        Assert.Contains($"'blk.0.ffn_up.weight' is stored as {name}", message);
        Assert.Contains("Q4_K", message);
    }

    [Theory]
    [InlineData("llama.expert_count", 8u, "'llama.expert_count' is 8")]
    [InlineData("llama.rope.dimension_count", 2u, "'llama.rope.dimension_count' is 2")]
    [InlineData("llama.attention.sliding_window", 32u, "'llama.attention.sliding_window' is 32")]
    [InlineData("llama.attention.head_count_kv", 3u, "'llama.attention.head_count_kv' is 3")]
    [InlineData("llama.block_count", 0u, "'llama.block_count' is 0")]
    [InlineData("llama.feed_forward_length", "many", "'llama.feed_forward_length' is many; expected a number")]
    public void What_is_not_computed_or_makes_no_sense_is_refused_by_key(string key, object value, string message)
    {
        using var folder = new ModelFolderCopy();
        var builder = GgufBuilder.TinyLlama();
        builder.Metadata[key] = value;
        Assert.Contains(message, Fails(folder, builder));
    }

    [Fact]
    public void A_missing_key_a_missing_tensor_a_wrong_shape_and_a_tensor_too_many_are_named()
    {
        using var folder = new ModelFolderCopy();
        var builder = GgufBuilder.TinyLlama();
        builder.Metadata.Remove("llama.context_length");
        Assert.Contains("no metadata key 'llama.context_length'", Fails(folder, builder));
        Assert.Contains("no tensor 'model.norm.weight'", Fails(folder, GgufBuilder.TinyLlama().Remove("output_norm.weight")));
        Assert.Contains(
            "'model.layers.0.mlp.up_proj.weight' has shape [3, 8]; its metadata asks for [4, 8]",
            Fails(folder, GgufBuilder.TinyLlama().Remove("blk.0.ffn_up.weight").Add("blk.0.ffn_up.weight", [8, 3], new float[24])));
        Assert.Contains("a tensor 'model.layers.0.self_attn.q_proj.bias'", Fails(folder, GgufBuilder.TinyLlama().Add("blk.0.attn_q.bias", [8], new float[8])));
    }

    [Fact]
    public void A_wrong_magic_and_a_wrong_version_are_refused()
    {
        using var folder = new ModelFolderCopy();
        Assert.Contains("starts with the bytes 47474D4C", Fails(folder, new GgufBuilder { Magic = "GGML" }));
        Assert.Contains("version 1", Fails(folder, new GgufBuilder { Version = 1 }));
        Assert.Contains("big-endian", Fails(folder, new GgufBuilder { Version = 0x03000000 }));
        Assert.Contains("does not exist", Assert.Throws<ModelFileException>(() => new GgufFile(folder.File("none.gguf"))).Message);
    }

    [Fact]
    public void A_file_cut_off_anywhere_is_refused()
    {
        using var folder = new ModelFolderCopy();
        var whole = GgufBuilder.TinyLlama().ToBytes();
        for (var length = 0; length < whole.Length; length += 7)
        {
            File.WriteAllBytes(folder.File("cut.gguf"), whole[..length]);
            var message = Assert.Throws<ModelFileException>(() => new GgufFile(folder.File("cut.gguf"))).Message;
            Assert.Contains("cut.gguf", message);
            Assert.Contains("truncated", message);
        }
    }

    [Fact]
    public void A_folder_with_several_files_asks_which()
    {
        using var folder = new ModelFolderCopy();
        GgufBuilder.TinyLlama().WriteTo(folder, "a.gguf");
        using (var model = ModelReader.Open(folder.Path))
            Assert.Equal(folder.File("a.gguf"), model.Path);
        GgufBuilder.TinyLlama().WriteTo(folder, "b.gguf");
        Assert.Contains("2 .gguf files: a.gguf, b.gguf", Assert.Throws<ModelFileException>(() => ModelReader.Open(folder.Path)).Message);
    }

    [Fact]
    public void A_damaged_header_never_fails_otherwise_than_by_a_model_file_error()
    {
        using var folder = new ModelFolderCopy();
        var builder = GgufBuilder.TinyLlama();
        builder.Metadata["tokenizer.ggml.tokens"] = new[] { "a", "b" };
        builder.Metadata["tokenizer.ggml.eos_token_id"] = 1;
        var sound = builder.ToBytes();
        var random = new SplitMix(7);
        var refused = 0;
        for (var trial = 0; trial < 400; trial++)
        {
            var bytes = (byte[])sound.Clone();
            for (var change = random.NextInt(3); change >= 0; change--)
                bytes[random.NextInt(1200)] = (byte)random.Next();
            File.WriteAllBytes(folder.File("damaged.gguf"), bytes);
            try
            {
                using var file = new GgufFile(folder.File("damaged.gguf"));
            }
            catch (ModelFileException error)
            {
                Assert.Contains("damaged.gguf", error.Message);
                refused++;
            }
        }

        Assert.InRange(refused, 100, 400);
    }

    [Fact]
    public void Lists_nested_without_end_are_refused()
    {
        using var folder = new ModelFolderCopy();
        var builder = GgufBuilder.TinyLlama();
        object deep = new[] { 1 };
        for (var i = 0; i < 10; i++)
        {
            var outer = Array.CreateInstance(deep.GetType(), 1);
            outer.SetValue(deep, 0);
            deep = outer;
        }

        builder.Metadata["deep"] = deep;
        Assert.Contains("'deep' more than 8 deep", Fails(folder, builder));
    }

    [SharedFact("golden/gguf")]
    public void The_metadata_serve_the_tokenizer()
    {
        using var model = ModelReader.Open(Shared.PathTo("golden/gguf/qwen2-tied.gguf"));
        var tokenizer = TokenizerReader.FromGguf(model.GgufMetadata!);
        using var golden = JsonDocument.Parse(File.ReadAllText(Shared.PathTo("golden/gguf/qwen2-tied.json")));
        foreach (var one in golden.RootElement.GetProperty("cases").EnumerateArray())
            Assert.Equal(one.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), tokenizer.EncodeWithSpecial(one.GetProperty("text").GetString()!));
    }

    private static string Fails(ModelFolderCopy folder, GgufBuilder builder)
    {
        var path = builder.WriteTo(folder, "wrong.gguf");
        var message = Assert.Throws<ModelFileException>(() => new GgufFile(path)).Message;
        Assert.Contains("wrong.gguf", message);
        return message;
    }
}
