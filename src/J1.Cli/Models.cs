using J1.Engines;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Tokenizers;

namespace J1.Cli;

/// <summary>Models as the commands' arguments name them.</summary>
internal static class Models
{
    /// <summary>A model's tokenizer without its weights; null where it has none.</summary>
    /// <exception cref="ModelFileException">There is no model.</exception>
    public static BpeTokenizer? TokenizerOf(string path)
    {
        if (TokenizerReader.HasTokenizer(path)) return TokenizerReader.FromFolder(path);
        using var files = ModelReader.Open(path);
        return TokenizerOf(files);
    }

    /// <summary>The tokenizer of an opened model; null where it has none.</summary>
    public static BpeTokenizer? TokenizerOf(ModelFiles files) => files switch
    {
        { GgufMetadata: { } metadata } => metadata.ContainsKey("tokenizer.ggml.tokens") ? TokenizerReader.FromGguf(metadata) : null,
        _ => TokenizerReader.HasTokenizer(files.Path) ? TokenizerReader.FromFolder(files.Path) : null,
    };

    /// <summary>The log-probability of every token after the first, given all before it.</summary>
    public static float[] LogProbabilities(IEngine engine, int[] tokens, CancellationToken cancellationToken) =>
        tokens.Length < 2 ? [] : engine.Score([new TokenSequence(tokens, 1)], 1, cancellationToken)[0].LogProbs;
}
