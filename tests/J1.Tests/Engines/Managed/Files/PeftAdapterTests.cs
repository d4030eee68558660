using System.Text.Json.Nodes;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Models;

namespace J1.Tests.Engines.Managed.Files;

public sealed class PeftAdapterTests
{
    private static ModelConfig Base()
    {
        using var model = ModelReader.Open(Shared.PathTo("golden/hf/llama-gqa-untied"));
        return model.Config;
    }

    [SharedFact("golden/hf")]
    public void The_reference_adapters_are_read()
    {
        using var all = new PeftAdapter(Shared.PathTo("golden/hf/lora-all-linear"), Base());
        Assert.Equal((4, 8f, false, "../llama-gqa-untied"), (all.Config.Rank, all.Config.Alpha, all.Config.RankStabilized, all.Config.BaseModel));
        Assert.Equal(PeftConfig.AllModules, all.Config.TargetModules);
        Assert.Equal(2 * 7 * 2, all.Tensors.Count);
        Assert.Equal([4, 48], all.Tensors["base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight"].Shape);
        Assert.Contains(all.ReadAll("base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight"), value => value != 0);

        using var attention = new PeftAdapter(Shared.PathTo("golden/hf/lora-rs-attention"), Base());
        Assert.Equal((3, 12f, true), (attention.Config.Rank, attention.Config.Alpha, attention.Config.RankStabilized));
        Assert.Equal(["q_proj", "v_proj"], attention.Config.TargetModules);
    }

    [SharedTheory("golden/hf"), InlineData("lora-all-linear"), InlineData("lora-rs-attention")]
    public void An_adapter_saved_and_opened_again_is_the_same(string name)
    {
        using var golden = new PeftAdapter(Shared.PathTo($"golden/hf/{name}"));
        using var folder = new ModelFolderCopy();
        PeftAdapter.Save(folder.Path, golden.Config, golden.Tensors.Values, golden.Read);
        using var saved = new PeftAdapter(folder.Path, Base());
        Assert.Equal(golden.Config with { TargetModules = saved.Config.TargetModules }, saved.Config);
        Assert.Equal(golden.Config.TargetModules, saved.Config.TargetModules);
        Weights.AssertEqual(golden, saved);
        Assert.Equal(File.ReadAllBytes(Shared.PathTo($"golden/hf/{name}/adapter_model.safetensors")), File.ReadAllBytes(folder.File("adapter_model.safetensors")));

        // Every field that we write, the reference library writes with the same value.
        var theirs = JsonNode.Parse(File.ReadAllText(Shared.PathTo($"golden/hf/{name}/adapter_config.json")))!.AsObject();
        foreach (var (field, value) in JsonNode.Parse(File.ReadAllText(folder.File("adapter_config.json")))!.AsObject())
        {
            Assert.True(theirs.ContainsKey(field), field);
            if (field == "target_modules")
                Assert.Equal(Names(theirs[field]!), Names(value!));
            else
                Assert.True(JsonNode.DeepEquals(theirs[field], value), $"{field}: {value?.ToJsonString()}, expected {theirs[field]?.ToJsonString()}");
        }

        static IEnumerable<string> Names(JsonNode list) => list.AsArray().Select(item => item!.GetValue<string>()).Order(StringComparer.Ordinal);
    }

    [SharedTheory("golden/hf")]
    [InlineData("use_dora", "true")]
    [InlineData("use_qalora", "true")]
    [InlineData("bias", "\"all\"")]
    [InlineData("lora_bias", "true")]
    [InlineData("modules_to_save", "[\"lm_head\"]")]
    [InlineData("rank_pattern", "{\"q_proj\": 2}")]
    [InlineData("alpha_pattern", "{\"q_proj\": 2}")]
    [InlineData("layers_to_transform", "[0]")]
    [InlineData("layers_to_transform", "0")]
    [InlineData("fan_in_fan_out", "true")]
    [InlineData("peft_type", "\"LOHA\"")]
    [InlineData("task_type", "\"SEQ_CLS\"")]
    [InlineData("init_lora_weights", "\"pissa\"")]
    [InlineData("target_modules", "\".*_proj\"")]
    [InlineData("target_modules", "[\"q_proj\", \"lm_head\"]")]
    [InlineData("a_field_of_tomorrow", "3")]
    public void What_is_not_plain_LoRA_is_refused_by_name(string field, string value)
    {
        using var folder = new ModelFolderCopy("golden/hf/lora-all-linear");
        folder.SetConfig(field, JsonNode.Parse(value), "adapter_config.json");
        var error = Assert.Throws<ModelFileException>(() => new PeftAdapter(folder.Path));
        Assert.Contains("adapter_config.json", error.Message);
        Assert.Contains($"'{field}' is ", error.Message);
        Assert.Contains("Supported: ", error.Message);
    }

    [SharedFact("golden/hf")]
    public void Tensors_that_disagree_with_the_settings_are_named()
    {
        using var folder = new ModelFolderCopy("golden/hf/lora-all-linear");
        folder.SetConfig("r", 5, "adapter_config.json");
        Assert.Contains("has shape [4, 80]; rank r = 5 asks for [5, in]", Fails(folder));
        folder.SetConfig("r", 4, "adapter_config.json");
        folder.SetConfig("target_modules", new JsonArray("q_proj"), "adapter_config.json");
        Assert.Contains("mlp.down_proj.lora_A.weight', but target_modules are q_proj", Fails(folder));
        File.Copy(Shared.PathTo("golden/hf/lora-rs-attention/adapter_model.safetensors"), folder.File("adapter_model.safetensors"), overwrite: true);
        folder.SetConfig("r", 3, "adapter_config.json");
        folder.SetConfig("target_modules", new JsonArray("q_proj", "v_proj", "o_proj"), "adapter_config.json");
        Assert.Contains("no adapter of o_proj in layer 0", Fails(folder));
    }

    [SharedFact("golden/hf")]
    public void An_adapter_of_another_base_model_is_refused()
    {
        using var other = ModelReader.Open(Shared.PathTo("golden/hf/qwen2-tied"));
        var error = Assert.Throws<ModelFileException>(() => new PeftAdapter(Shared.PathTo("golden/hf/lora-rs-attention"), other.Config));
        Assert.Contains("q_proj.lora_A.weight' has shape [3, 48]; the base model's matrix 'model.layers.0.self_attn.q_proj.weight' is [56, 56]", error.Message);

        var deeper = Base() with { LayerCount = 3 };
        Assert.Contains("layer 2", Assert.Throws<ModelFileException>(() => new PeftAdapter(Shared.PathTo("golden/hf/lora-rs-attention"), deeper)).Message);
    }

    [SharedFact("golden/hf")]
    public void Missing_files_are_named()
    {
        using var folder = new ModelFolderCopy("golden/hf/lora-all-linear");
        Assert.True(PeftAdapter.Exists(folder.Path));
        File.Delete(folder.File("adapter_model.safetensors"));
        Assert.Contains("no adapter_model.safetensors", Fails(folder));
        File.Delete(folder.File("adapter_config.json"));
        Assert.Contains("no adapter_config.json", Fails(folder));
        Assert.False(PeftAdapter.Exists(folder.Path));
    }

    [SharedFact("golden/hf")]
    public void A_full_disk_leaves_the_older_adapter_whole()
    {
        using var folder = new ModelFolderCopy("golden/hf/lora-all-linear");
        using (var other = new PeftAdapter(Shared.PathTo("golden/hf/lora-rs-attention")))
        {
            var error = Assert.Throws<ModelFileException>(() => PeftAdapter.Save(folder.Path, other.Config, other.Tensors.Values, other.Read, FullDisk.For("adapter_config.json", 20)));
            Assert.Contains("adapter_config.json", error.Message);
        }

        using var kept = new PeftAdapter(folder.Path, Base());
        using var golden = new PeftAdapter(Shared.PathTo("golden/hf/lora-all-linear"));
        Weights.AssertEqual(golden, kept);
    }

    private static string Fails(ModelFolderCopy folder) => Assert.Throws<ModelFileException>(() => new PeftAdapter(folder.Path)).Message;
}
