using J1.Engines;
using J1.Engines.Managed.Tokenizers;

namespace J1.Tests.Engines;

public sealed class TableEngineContract : EngineContract
{
    protected override ITrainableEngine Create(ulong seed)
    {
        var engine = new TableEngine(new IdTokenizer(VocabularySize, [0]), seed, ContextLength);
        var random = SplitMix.For(seed, 77);
        for (var last = 0; last < VocabularySize; last++)
            for (var next = 0; next < VocabularySize; next++)
                engine[last, next] = (float)random.NextNormal();
        return engine;
    }

    protected override IReadOnlyList<string> Groups(ITrainableEngine engine) => ["logits"];

    protected override float[] Read(ITrainableEngine engine, string group) =>
        [.. from last in Enumerable.Range(0, VocabularySize) from next in Enumerable.Range(0, VocabularySize) select ((TableEngine)engine)[last, next]];

    protected override void Write(ITrainableEngine engine, string group, float[] values)
    {
        for (var i = 0; i < values.Length; i++) ((TableEngine)engine)[i / VocabularySize, i % VocabularySize] = values[i];
    }

    // A table's gradients and moments are 16 KB; ten steps that kept what they used would show.
    protected override (long Bytes, long Slack) Held() => (GC.GetTotalMemory(forceFullCollection: true), 50_000);
}
