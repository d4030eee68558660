namespace J1.Tests.Engines.Managed.Files;

public sealed class Llama2cFileTests
{
    [SharedFact("models/stories260K")]
    public void Both_versions_of_stories260K_hold_the_same_weights()
    {
        using var legacy = new Llama2cFile(Shared.PathTo("models/stories260K/stories260K.bin"));
        using var versioned = new Llama2cFile(Shared.PathTo("models/stories260K/stories260K.v1.bin"));
        Assert.Equal(legacy.Config with { EndTokens = versioned.Config.EndTokens }, versioned.Config);
        Weights.AssertEqual(legacy, versioned);
        Assert.Equal((64, 172, 5, 8, 4, 8), (legacy.Config.HiddenSize, legacy.Config.IntermediateSize, legacy.Config.LayerCount, legacy.Config.HeadCount, legacy.Config.KeyValueHeadCount, legacy.Config.HeadSize));
        Assert.True(legacy.Config.TieEmbeddings);
        Assert.Equal(260_032, legacy.Tensors.Values.Sum(tensor => tensor.Count));
    }
}
