using System.Text.Json.Nodes;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Models;

namespace J1.Tests.Engines.Managed.Files;

public sealed class HuggingFaceWriterTests
{
    [SharedTheory("golden/hf")]
    [InlineData("llama-gqa-untied")]
    [InlineData("llama3-rope-scaled-tied")]
    [InlineData("llama-rope-linear")]
    [InlineData("qwen2-tied")]
    [InlineData("qwen3-untied")]
    public void A_model_saved_and_opened_again_is_the_same(string name)
    {
        using var golden = ModelReader.Open(Shared.PathTo($"golden/hf/{name}"));
        using var folder = new ModelFolderCopy();
        Save(golden, folder);
        using var saved = ModelReader.Open(folder.Path);
        Assert.Equal(golden.Config with { EndTokens = saved.Config.EndTokens }, saved.Config);
        Assert.Equal(golden.Config.EndTokens, saved.Config.EndTokens);
        Weights.AssertEqual(golden.Weights, saved.Weights);
    }

    [SharedTheory("golden/hf")]
    [InlineData("llama3-rope-scaled-tied")]
    [InlineData("llama-rope-linear")]
    [InlineData("qwen2-tied")]
    public void The_configuration_says_what_the_reference_library_wrote(string name)
    {
        using var folder = new ModelFolderCopy();
        using (var model = ModelReader.Open(Shared.PathTo($"golden/hf/{name}")))
            Save(model, folder);
        var golden = JsonNode.Parse(File.ReadAllText(Shared.PathTo($"golden/hf/{name}/config.json")))!.AsObject();
        var saved = JsonNode.Parse(File.ReadAllText(folder.File("config.json")))!.AsObject();
        if (golden["rope_scaling"] is JsonObject rope && rope.Remove("type", out var kind))
            rope["rope_type"] = kind; // the old name of the field
        golden["max_window_layers"] = saved["max_window_layers"]?.DeepClone(); // without effect while no window is used

        foreach (var (field, value) in saved)
            if (golden.ContainsKey(field))
                Assert.True(JsonNode.DeepEquals(golden[field], value), $"{field}: {value?.ToJsonString()}, expected {golden[field]?.ToJsonString()}");
        Assert.Empty(saved.Select(field => field.Key).Except(golden.Select(field => field.Key)).Except(["head_dim"]));
        Assert.Empty(golden.Where(field => field.Value is not null).Select(field => field.Key)
            .Except(saved.Select(field => field.Key)).Except(["layer_types", "pad_token_id", "pretraining_tp", "transformers_version"]));
    }

    [SharedFact("golden/hf")]
    public void Floats_are_written_so_that_Python_reads_floats()
    {
        using var folder = new ModelFolderCopy();
        using (var model = ModelReader.Open(Shared.PathTo("golden/hf/llama3-rope-scaled-tied")))
            Save(model, folder);
        var text = File.ReadAllText(folder.File("config.json"));
        foreach (var line in (string[])["\"rope_theta\": 500000.0", "\"factor\": 8.0", "\"low_freq_factor\": 1.0", "\"rms_norm_eps\": 1E-05", "\"torch_dtype\": \"float32\"", "\"architectures\": [\n    \"LlamaForCausalLM\""])
            Assert.Contains(line, text);
    }

    [SharedFact("golden/hf")]
    public void Several_end_tokens_and_a_tokenizer_are_kept()
    {
        using var folder = new ModelFolderCopy();
        using (var model = ModelReader.Open(Shared.PathTo("golden/hf/qwen2-tied")))
            HuggingFaceWriter.Save(folder.Path, model.Config with { EndTokens = [3, 9], BosToken = null }, model.Weights.Tensors.Values, model.Weights.Read, """{"version": "1.0 ü"}""");
        using var saved = ModelReader.Open(folder.Path);
        Assert.Equal([3, 9], saved.Config.EndTokens);
        Assert.Null(saved.Config.BosToken);
        Assert.Equal("""{"version": "1.0 ü"}""", File.ReadAllText(folder.File("tokenizer.json")));
    }

    [SharedTheory("golden/hf")]
    [InlineData("model.safetensors", 100_000)]
    [InlineData("generation_config.json", 10)]
    [InlineData("config.json", 100)]
    public void A_full_disk_at_any_file_leaves_the_older_model_whole(string name, long room)
    {
        using var folder = new ModelFolderCopy("golden/hf/llama-gqa-untied");
        var before = Contents(folder);
        using (var model = ModelReader.Open(Shared.PathTo("golden/hf/qwen3-untied")))
        {
            var error = Assert.Throws<ModelFileException>(() =>
                HuggingFaceWriter.Save(folder.Path, model.Config, model.Weights.Tensors.Values, model.Weights.Read, null, FullDisk.For(name, room)));
            Assert.Contains(name, error.Message);
            Assert.Contains("not enough space", error.Message);
        }

        Assert.Equal(before, Contents(folder));
    }

    [SharedFact("golden/hf")]
    public void Tensors_that_are_not_the_configuration_s_are_refused_before_anything_is_written()
    {
        using var folder = new ModelFolderCopy();
        using var model = ModelReader.Open(Shared.PathTo("golden/hf/llama-gqa-untied"));
        var error = Assert.Throws<ModelFileException>(() =>
            HuggingFaceWriter.Save(folder.Path, model.Config with { LayerCount = 3 }, model.Weights.Tensors.Values, model.Weights.Read));
        Assert.Contains("model.layers.2.input_layernorm.weight", error.Message);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_named()
    {
        using var folder = new ModelFolderCopy();
        File.WriteAllText(folder.File("taken"), "");
        var config = new PeftConfig { Rank = 1, Alpha = 1, TargetModules = ["q_proj"] };
        TensorInfo[] tensors = [Lora("A", 1, 4), Lora("B", 4, 1)];
        var error = Assert.Throws<ModelFileException>(() => PeftAdapter.Save(folder.File("taken"), config, tensors, (_, _) => { }));
        Assert.Contains("taken", error.Message);
        Assert.Contains("cannot be made", error.Message);

        static TensorInfo Lora(string side, params int[] shape) => new($"base_model.model.model.layers.0.self_attn.q_proj.lora_{side}.weight", shape);
    }

    private static void Save(ModelFiles model, ModelFolderCopy folder) =>
        HuggingFaceWriter.Save(folder.Path, model.Config, model.Weights.Tensors.Values, model.Weights.Read);

    private static List<(string, string)> Contents(ModelFolderCopy folder) =>
        [.. Directory.GetFiles(folder.Path).Order(StringComparer.Ordinal).Select(file => (file, Convert.ToBase64String(File.ReadAllBytes(file))))];
}
