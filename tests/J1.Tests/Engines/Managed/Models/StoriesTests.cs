using System.Text.Json;
using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Tokenizers;
using J1.Tests.Engines.Managed.Files;

namespace J1.Tests.Engines.Managed.Models;

/// <summary>stories260K, a small model that somebody trained, against a double-precision forward pass and llama2.c's own text.</summary>
public sealed class StoriesTests
{
    private const string Folder = "models/stories260K";

    [SharedFact(Folder)]
    public void Two_hundred_greedy_tokens_and_their_log_probabilities_are_the_references()
    {
        using var engine = Open();
        var reference = JsonDocument.Parse(File.ReadAllBytes(Shared.PathTo($"{Folder}/reference.json"))).RootElement;
        var texts = new List<string>();
        foreach (var run in reference.GetProperty("greedy").EnumerateArray())
        {
            int[] prompt = Ints(run.GetProperty("prompt_ids")), tokens = Ints(run.GetProperty("token_ids"));
            var logProbs = run.GetProperty("logprobs").EnumerateArray().Select(e => e.GetDouble()).ToArray();
            Assert.Equal(prompt, tokens[..prompt.Length]);
            var sample = engine.Generate([prompt], 1, SamplingOptions.Greedy(tokens.Length - prompt.Length), 0)[0][0];
            Assert.Equal(tokens[prompt.Length..], sample.Tokens);
            for (var t = 0; t < sample.Tokens.Length; t++) Assert.Equal(logProbs[prompt.Length - 1 + t], sample.LogProbs[t], 1e-4);
            var scores = engine.Score([new TokenSequence(tokens, 1)])[0].LogProbs;
            for (var t = 0; t < scores.Length; t++) Assert.Equal(logProbs[t], scores[t], 1e-4);
            texts.Add(Text([.. prompt, .. sample.Tokens]));
        }
        Assert.Contains(File.ReadAllText(Shared.PathTo($"{Folder}/expected_greedy_200.txt")), texts);
    }

    [SharedFact(Folder)]
    public void The_first_distribution_is_the_references()
    {
        using var engine = Open();
        var logits = JsonDocument.Parse(File.ReadAllBytes(Shared.PathTo($"{Folder}/reference.json"))).RootElement.GetProperty("logits_after_bos").EnumerateArray().Select(e => e.GetDouble()).ToArray();
        var logSum = Math.Log(logits.Sum(Math.Exp));
        var scores = engine.Score([.. Enumerable.Range(0, logits.Length).Select(next => TokenSequence.Of([1], [next]))]);
        for (var next = 0; next < logits.Length; next++) Assert.Equal(logits[next] - logSum, scores[next].LogProbs[0], 1e-4);
        Assert.Equal(-logits.Sum(z => Math.Exp(z - logSum) * (z - logSum)), scores[0].Entropies[0], 1e-4);
    }

    private static ManagedEngine Open()
    {
        using var file = new Llama2cFile(Shared.PathTo($"{Folder}/stories260K.bin"));
        return ManagedEngine.Open(file.Config, file, new IdTokenizer(file.Config.VocabularySize, file.Config.EndTokens));
    }

    // As run.c prints: the vocabulary's own bytes, one space dropped after the first token.
    private static string Text(int[] tokens)
    {
        using var file = new BinaryReader(File.OpenRead(Shared.PathTo($"{Folder}/tok512.bin")));
        file.ReadInt32();
        var pieces = new byte[512][];
        for (var id = 0; id < pieces.Length; id++)
        {
            file.ReadSingle();
            pieces[id] = file.ReadBytes(file.ReadInt32());
            if (id is >= 3 and < 259) pieces[id] = [(byte)(id - 3)];
        }
        var text = System.Text.Encoding.UTF8.GetString([.. tokens.Skip(1).SelectMany(token => pieces[token])]);
        return text.StartsWith(' ') ? text[1..] : text;
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];
}
