using System.Text.Json.Nodes;
using J1.Engines;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Models;

namespace J1.Tests.Engines.Managed.Files;

public sealed class HuggingFaceFolderTests
{
    private static ModelConfig Golden(string name)
    {
        using var model = ModelReader.Open(Shared.PathTo($"golden/hf/{name}"));
        Assert.Equal(ModelFormat.HuggingFace, model.Format);
        return model.Config;
    }

    [SharedFact("golden/hf")]
    public void The_new_layout_with_rope_parameters_is_read()
    {
        var config = Golden("llama-gqa-untied");
        Assert.Equal(
            new ModelConfig
            {
                Architecture = Architecture.Llama,
                HiddenSize = 48,
                IntermediateSize = 80,
                LayerCount = 2,
                HeadCount = 4,
                KeyValueHeadCount = 2,
                HeadSize = 12,
                VocabularySize = 384,
                ContextLength = 512,
                RmsEpsilon = 1e-5f,
                Rope = new RopeConfig { Theta = 10_000 },
                TieEmbeddings = false,
                BosToken = 0,
                PaddingToken = 1,
                EndTokens = config.EndTokens,
            },
            config);
        Assert.Equal([1], config.EndTokens);
    }

    [SharedFact("golden/hf")]
    public void The_published_layout_with_llama3_scaling_is_read()
    {
        var config = Golden("llama3-rope-scaled-tied");
        Assert.Equal(
            new RopeConfig { Theta = 500_000, Scaling = RopeScaling.Llama3, Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalContextLength = 64 },
            config.Rope);
        Assert.True(config.TieEmbeddings);
    }

    [SharedFact("golden/hf")]
    public void The_old_layout_with_linear_scaling_is_read() =>
        Assert.Equal(new RopeConfig { Theta = 10_000, Scaling = RopeScaling.Linear, Factor = 4 }, Golden("llama-rope-linear").Rope);

    [SharedFact("golden/hf")]
    public void Qwen2_and_Qwen3_are_read()
    {
        var two = Golden("qwen2-tied");
        Assert.Equal((Architecture.Qwen2, 8, true, 1_000_000.0), (two.Architecture, two.HeadSize, two.TieEmbeddings, two.Rope.Theta));
        var three = Golden("qwen3-untied");
        Assert.Equal((Architecture.Qwen3, 16, false, 1e-6f), (three.Architecture, three.HeadSize, three.TieEmbeddings, three.RmsEpsilon));
    }

    [SharedFact("golden/hf")]
    public void End_tokens_come_from_the_generation_config_first()
    {
        using var folder = new ModelFolderCopy("golden/hf/qwen2-tied");
        folder.SetConfig("eos_token_id", new JsonArray(5, 7), "generation_config.json");
        Assert.Equal([5, 7], Open(folder).EndTokens);
        File.Delete(folder.File("generation_config.json"));
        Assert.Equal([1], Open(folder).EndTokens);
    }

    [SharedFact("golden/hf")]
    public void Sharded_bfloat16_weights_are_the_float32_ones_rounded()
    {
        using var exact = new HuggingFaceFolder(Shared.PathTo("golden/hf/llama-gqa-untied"));
        using var rounded = new HuggingFaceFolder(Shared.PathTo("golden/hf/llama-bf16-sharded"));
        Assert.Equal(exact.Tensors.Keys.Order(StringComparer.Ordinal), rounded.Tensors.Keys.Order(StringComparer.Ordinal));
        foreach (var name in exact.Tensors.Keys)
            Assert.Equal(exact.ReadAll(name).Select(RoundToBrain), rounded.ReadAll(name));

        static float RoundToBrain(float value)
        {
            // The two neighbours of the value; the nearer one, or the even one.
            var low = BitConverter.SingleToUInt32Bits(value) >> 16;
            float below = BitConverter.UInt32BitsToSingle(low << 16), above = BitConverter.UInt32BitsToSingle((low + 1) << 16);
            double down = Math.Abs((double)value - below), up = Math.Abs((double)above - value);
            return down < up || (down == up && low % 2 == 0) ? below : above;
        }
    }

    [SharedFact("golden/hf")]
    public void Float16_weights_are_the_float32_ones_rounded()
    {
        using var exact = new HuggingFaceFolder(Shared.PathTo("golden/hf/llama-gqa-untied"));
        using var rounded = new HuggingFaceFolder(Shared.PathTo("golden/hf/llama-f16"));
        foreach (var name in exact.Tensors.Keys)
            Assert.Equal(exact.ReadAll(name).Select(value => (float)(Half)value), rounded.ReadAll(name));
    }

    [SharedTheory("golden/hf"), MemberData(nameof(RefusedFields))]
    public void What_would_change_the_computation_is_refused_by_name(string golden, string name, string value, string found)
    {
        using var folder = new ModelFolderCopy("golden/hf/" + golden);
        folder.SetConfig(name, JsonNode.Parse(value));
        var error = Assert.Throws<ModelFileException>(() => Open(folder));
        Assert.Contains("config.json", error.Message);
        Assert.Contains(found, error.Message);
        Assert.Contains(name, error.Message);
    }

    public static TheoryData<string, string, string, string> RefusedFields => new()
    {
        { "llama-gqa-untied", "hidden_act", "\"gelu\"", "'gelu'" },
        { "llama-gqa-untied", "attention_bias", "true", "true" },
        { "qwen3-untied", "attention_bias", "true", "true" },
        { "llama-gqa-untied", "mlp_bias", "true", "true" },
        { "llama-gqa-untied", "partial_rotary_factor", "0.5", "0.5" },
        { "llama-gqa-untied", "rope_parameters", """{"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4}""", "'yarn'" },
        { "llama-rope-linear", "rope_scaling", """{"type": "dynamic", "factor": 4}""", "'dynamic'" },
        { "llama-gqa-untied", "quantization_config", """{"quant_method": "gptq"}""", "'gptq'" },
        { "qwen2-tied", "layer_types", """["full_attention", "sliding_attention"]""", "'sliding_attention'" },
        { "llama-gqa-untied", "num_key_value_heads", "3", "is 3" },
        { "llama-gqa-untied", "hidden_size", "\"48\"", "whole number" },
        { "llama-gqa-untied", "vocab_size", "null", "missing" },
    };

    [SharedFact("golden/hf")]
    public void A_sliding_window_in_use_is_refused_and_an_unused_one_is_not()
    {
        using var folder = new ModelFolderCopy("golden/hf/qwen2-tied");
        folder.RemoveConfig("layer_types");
        folder.SetConfig("sliding_window", 128);
        Open(folder);
        folder.SetConfig("use_sliding_window", true);
        Open(folder); // max_window_layers is 28: no layer of these two slides
        folder.SetConfig("max_window_layers", 1);
        Assert.Contains("'sliding_window' is 128", Assert.Throws<ModelFileException>(() => Open(folder)).Message);
    }

    [SharedFact("golden/hf")]
    public void An_unknown_architecture_is_refused_by_name_with_the_supported_ones()
    {
        using var folder = new ModelFolderCopy("golden/hf/llama-gqa-untied");
        folder.SetConfig("architectures", new JsonArray("MambaForCausalLM"));
        folder.SetConfig("model_type", "mamba");
        var error = Assert.Throws<ModelFileException>(() => Open(folder));
        Assert.Contains("'mamba'", error.Message);
        Assert.Contains("MambaForCausalLM", error.Message);
        Assert.Contains("LlamaForCausalLM (llama), Qwen2ForCausalLM (qwen2), Qwen3ForCausalLM (qwen3)", error.Message);

        folder.SetConfig("model_type", "llama");
        folder.SetConfig("architectures", new JsonArray("LlamaForSequenceClassification"));
        Assert.Contains("the architecture 'LlamaForSequenceClassification'", Assert.Throws<ModelFileException>(() => Open(folder)).Message);
    }

    [SharedFact("golden/hf")]
    public void A_shape_that_disagrees_with_the_config_names_both()
    {
        using var folder = new ModelFolderCopy("golden/hf/llama-gqa-untied");
        folder.SetConfig("intermediate_size", 96);
        var error = Assert.Throws<ModelFileException>(() => Open(folder));
        Assert.Contains("model.safetensors", error.Message);
        Assert.Contains("'model.layers.0.mlp.gate_proj.weight' has shape [80, 48]; config.json asks for [96, 48]", error.Message);
    }

    [SharedFact("golden/hf")]
    public void A_missing_tensor_is_named_with_its_shape()
    {
        using var folder = new ModelFolderCopy("golden/hf/llama-gqa-untied");
        folder.SetConfig("num_hidden_layers", 3);
        Assert.Contains("no tensor 'model.layers.2.input_layernorm.weight'; config.json asks for one of shape [48]", Assert.Throws<ModelFileException>(() => Open(folder)).Message);
    }

    [SharedFact("golden/hf")]
    public void A_tensor_too_many_is_named()
    {
        using var folder = new ModelFolderCopy("golden/hf/qwen2-tied");
        folder.SetConfig("model_type", "llama");
        folder.SetConfig("architectures", new JsonArray("LlamaForCausalLM"));
        var error = Assert.Throws<ModelFileException>(() => Open(folder));
        Assert.Contains("'model.layers.0.self_attn.k_proj.bias' of shape [8]", error.Message);
    }

    [SharedFact("golden/hf")]
    public void A_missing_shard_and_a_tensor_missing_in_its_shard_are_named()
    {
        using var folder = new ModelFolderCopy("golden/hf/llama-bf16-sharded");
        File.Move(folder.File("model-00001-of-00003.safetensors"), folder.File("kept"));
        Assert.Contains("places tensor 'lm_head.weight' in it", Assert.Throws<ModelFileException>(() => Open(folder)).Message);
        File.Copy(folder.File("model-00002-of-00003.safetensors"), folder.File("model-00001-of-00003.safetensors"));
        Assert.Contains("has no tensor 'lm_head.weight'", Assert.Throws<ModelFileException>(() => Open(folder)).Message);
    }

    [Fact]
    public void A_folder_without_a_model_says_what_is_needed()
    {
        using var folder = new ModelFolderCopy();
        Assert.Contains("config.json", Assert.Throws<ModelFileException>(() => Open(folder)).Message);
        Assert.Contains("nowhere", Assert.Throws<ModelFileException>(() => ModelReader.Open(folder.File("nowhere"))).Message);
    }

    [SharedFact("golden/hf")]
    public void A_folder_without_weights_says_so()
    {
        using var folder = new ModelFolderCopy("golden/hf/llama-gqa-untied");
        File.Delete(folder.File("model.safetensors"));
        Assert.Contains("neither model.safetensors nor model.safetensors.index.json", Assert.Throws<ModelFileException>(() => Open(folder)).Message);
        File.WriteAllText(folder.File("pytorch_model.bin"), "");
        Assert.Contains("Convert the weights to safetensors", Assert.Throws<ModelFileException>(() => Open(folder)).Message);
    }

    [SharedFact("golden/hf")]
    public void A_stored_tied_head_is_accepted_while_it_equals_the_embedding()
    {
        using var folder = new ModelFolderCopy("golden/hf/qwen2-tied");
        using (var source = new SafetensorsFile(Shared.PathTo("golden/hf/qwen2-tied/model.safetensors")))
        {
            WriteWithHead(1);
            using (var model = ModelReader.Open(folder.Path))
                Assert.False(model.Weights.Tensors.ContainsKey("lm_head.weight"));
            WriteWithHead(2);

            void WriteWithHead(float scale) =>
                SafetensorsWriter.Write(folder.File("model.safetensors"), [.. source.Tensors.Values, new TensorInfo("lm_head.weight", [320, 56])], (name, destination) =>
                {
                    source.Read(name == "lm_head.weight" ? "model.embed_tokens.weight" : name, destination);
                    if (name == "lm_head.weight")
                        foreach (ref var value in destination)
                            value *= scale;
                });
        }

        Assert.Contains("'lm_head.weight' differs from 'model.embed_tokens.weight'", Assert.Throws<ModelFileException>(() => Open(folder)).Message);
    }

    [SharedFact("golden/hf")]
    public void Stored_rotation_frequencies_of_old_conversions_are_left_out()
    {
        using var folder = new ModelFolderCopy("golden/hf/llama-rope-linear");
        using (var source = new SafetensorsFile(Shared.PathTo("golden/hf/llama-rope-linear/model.safetensors")))
            SafetensorsWriter.Write(folder.File("model.safetensors"), [.. source.Tensors.Values, new TensorInfo("model.layers.0.self_attn.rotary_emb.inv_freq", [8])], (name, destination) =>
            {
                if (source.Tensors.ContainsKey(name))
                    source.Read(name, destination);
            });
        using var golden = ModelReader.Open(Shared.PathTo("golden/hf/llama-rope-linear"));
        using var model = ModelReader.Open(folder.Path);
        Weights.AssertEqual(golden.Weights, model.Weights);
    }

    [SharedFact("golden/hf")]
    public void A_damaged_config_never_fails_otherwise_than_by_a_model_file_error()
    {
        using var folder = new ModelFolderCopy("golden/hf/llama3-rope-scaled-tied");
        var sound = File.ReadAllBytes(folder.File("config.json"));
        var random = new SplitMix(11);
        var refused = 0;
        for (var trial = 0; trial < 300; trial++)
        {
            var bytes = (byte[])sound.Clone();
            bytes[random.NextInt(bytes.Length)] = (byte)"0123456789{}[],:\"x-.e"[random.NextInt(21)];
            File.WriteAllBytes(folder.File("config.json"), bytes);
            try
            {
                Open(folder);
            }
            catch (ModelFileException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 100, 300);
    }

    [SharedFact("golden/hf")]
    public void A_configuration_of_a_billion_layers_is_refused_at_once()
    {
        using var folder = new ModelFolderCopy("golden/hf/llama-gqa-untied");
        folder.SetConfig("num_hidden_layers", 1_000_000_000);
        Assert.Contains("model.layers.2.", Assert.Throws<ModelFileException>(() => Open(folder)).Message);
    }

    [SharedFact("golden/hf")]
    public void The_path_of_a_file_inside_a_model_folder_is_explained()
    {
        var path = Shared.PathTo("golden/hf/llama-gqa-untied/model.safetensors");
        Assert.Contains("Give the folder that holds it.", Assert.Throws<ModelFileException>(() => ModelReader.Open(path)).Message);
    }

    private static ModelConfig Open(ModelFolderCopy folder)
    {
        using var model = ModelReader.Open(folder.Path);
        return model.Config;
    }
}
