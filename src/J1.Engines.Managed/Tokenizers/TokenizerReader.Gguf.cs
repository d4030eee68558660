using System.Collections;
using System.Globalization;

namespace J1.Engines.Managed.Tokenizers;

public static partial class TokenizerReader
{
    private const int NormalToken = 1, UnknownTokenType = 2, ControlToken = 3, UserDefinedToken = 4;

    /// <summary>
    /// Reads the tokenizer in a GGUF file's metadata (keys <c>tokenizer.ggml.*</c> and <c>tokenizer.chat_template</c>; numbers may be of any numeric type, lists any list).
    /// <paramref name="chat"/> chooses the chat format; by default the file's template does. Throws <see cref="InvalidDataException"/> for what is malformed or not computed here.
    /// </summary>
    public static BpeTokenizer FromGguf(IReadOnlyDictionary<string, object> metadata, ChatFormat? chat = null)
    {
        var gguf = new GgufMetadata(metadata);
        var tokens = gguf.List("tokens", Convert.ToString).Select(token => token ?? "").ToArray();
        var ids = new Dictionary<string, int>(tokens.Length, StringComparer.Ordinal);
        for (var id = 0; id < tokens.Length; id++)
            ids.TryAdd(tokens[id], id);

        var model = gguf.Text("model") ?? throw new InvalidDataException("The GGUF metadata has no tokenizer.ggml.model; this file brings no tokenizer.");
        var description = model switch
        {
            "gpt2" => ByteLevelFromGguf(gguf, tokens, ids),
            "llama" => SentencePieceFromGguf(gguf, tokens, ids),
            _ => throw new InvalidDataException($"The GGUF tokenizer model '{model}' is not one that is computed here; supported are gpt2 (byte-level BPE) and llama (sentencepiece BPE)."),
        };

        var types = gguf.Has("token_type") ? gguf.List("token_type", Convert.ToInt32) : [];
        var added = new List<AddedToken>();
        for (var id = 0; id < Math.Min(types.Length, tokens.Length); id++)
            if (types[id] is UnknownTokenType or ControlToken or UserDefinedToken)
                added.Add(new AddedToken(id, tokens[id], IsControl: types[id] != UserDefinedToken));

        var ends = new List<int>();
        foreach (var key in (string[])["eos_token_id", "eot_token_id", "eom_token_id"])
            if (gguf.Number(key) is { } end)
                ends.Add(end);

        return Finish(description with
        {
            Added = added,
            Prefix = Flagged("add_bos_token", "bos_token_id", AddsBosByDefault(description)),
            Suffix = Flagged("add_eos_token", "eos_token_id", byDefault: false),
            EndTokens = ends,
            UnknownToken = gguf.Number("unknown_token_id"),
            ChatTemplate = gguf.TextAt("tokenizer.chat_template"),
        }, ids, chat);

        int[] Flagged(string flag, string token, bool byDefault) => (gguf.Flag(flag) ?? byDefault) && gguf.Number(token) is { } id ? [id] : [];
    }

    /// <summary>What llama.cpp does where the file does not say.</summary>
    private static bool AddsBosByDefault(TokenizerDescription description) =>
        description.Kind == VocabularyKind.SentencePiece || description.PreTokenizer == PreTokenizerKind.Llama3;

    private static TokenizerDescription ByteLevelFromGguf(GgufMetadata gguf, string[] tokens, Dictionary<string, int> ids)
    {
        var name = gguf.Text("pre") ?? throw new InvalidDataException(
            "The GGUF metadata has no tokenizer.ggml.pre, so how text is split is unknown. Convert the model again with a current llama.cpp.");
        var pre = name switch
        {
            "gpt-2" or "gpt2" => PreTokenizerKind.Gpt2,
            "smollm" => PreTokenizerKind.SmolLm,
            "llama-bpe" or "llama3" or "llama-v3" => PreTokenizerKind.Llama3,
            "qwen2" => PreTokenizerKind.Qwen2,
            _ => throw new InvalidDataException($"The GGUF pre-tokenizer '{name}' is not one that is computed here; supported are gpt-2, smollm, llama-bpe and qwen2."),
        };
        var merges = gguf.List("merges", Convert.ToString);
        var rules = new MergeRule[merges.Length];
        for (var rank = 0; rank < rules.Length; rank++)
        {
            var (left, right) = TokenizerJson.SplitMerge(merges[rank] ?? "", "tokenizer.ggml.merges");
            rules[rank] = TokenizerJson.Rule(left, right, rank, ids, "tokenizer.ggml.merges");
        }
        return new TokenizerDescription
        {
            Kind = VocabularyKind.ByteLevel,
            PreTokenizer = pre,
            Composes = pre == PreTokenizerKind.Qwen2,
            IgnoresMerges = pre == PreTokenizerKind.Llama3,
            Tokens = tokens,
            Merges = rules,
            Chat = ChatFormat.Plain,
        };
    }

    /// <summary>Sentencepiece files hold no merges: any two neighbours whose joined text is a token may merge, the token with the best score first.</summary>
    private static TokenizerDescription SentencePieceFromGguf(GgufMetadata gguf, string[] tokens, Dictionary<string, int> ids)
    {
        var scores = gguf.List("scores", Convert.ToSingle);
        if (scores.Length != tokens.Length)
            throw new InvalidDataException($"The GGUF metadata has {tokens.Length} tokens but {scores.Length} scores.");
        var types = gguf.Has("token_type") ? gguf.List("token_type", Convert.ToInt32) : [];

        var rules = new List<MergeRule>();
        var ranks = scores.Distinct().OrderDescending().Select((score, rank) => (score, rank)).ToDictionary(pair => pair.score, pair => pair.rank);
        for (var id = 0; id < tokens.Length; id++)
        {
            if (id < types.Length && types[id] != NormalToken)
                continue;
            var token = tokens[id];
            for (var cut = 1; cut < token.Length; cut++)
                if (!char.IsLowSurrogate(token[cut]) && ids.TryGetValue(token[..cut], out var left) && ids.TryGetValue(token[cut..], out var right))
                    rules.Add(new MergeRule(left, right, id, ranks[scores[id]]));
        }
        return new TokenizerDescription
        {
            Kind = VocabularyKind.SentencePiece,
            SpacePrefix = gguf.Flag("add_space_prefix") ?? true ? SpacePrefix.Every : SpacePrefix.None,
            StripsLeadingSpace = gguf.Flag("add_space_prefix") ?? true,
            Tokens = tokens,
            Merges = [.. rules.OrderBy(rule => rule.Rank)],
            Chat = ChatFormat.Plain,
        };
    }

    /// <summary>Typed access to <c>tokenizer.ggml.*</c>, whatever numeric type a file chose.</summary>
    private sealed class GgufMetadata(IReadOnlyDictionary<string, object> metadata)
    {
        public bool Has(string key) => metadata.ContainsKey(FullName(key));

        public string? Text(string key) => TextAt(FullName(key));

        public string? TextAt(string fullKey) => metadata.TryGetValue(fullKey, out var value) ? value as string : null;

        public bool? Flag(string key) => metadata.TryGetValue(FullName(key), out var value) ? Convert.ToBoolean(value, CultureInfo.InvariantCulture) : null;

        public int? Number(string key)
        {
            if (!metadata.TryGetValue(FullName(key), out var value))
                return null;
            var number = Convert.ToInt64(value, CultureInfo.InvariantCulture);
            return number is >= 0 and < int.MaxValue ? (int)number : null; // some files write "none" as -1
        }

        public T[] List<T>(string key, Func<object?, IFormatProvider?, T> convert)
        {
            if (!metadata.TryGetValue(FullName(key), out var value) || value is string || value is not IEnumerable items)
                throw new InvalidDataException($"The GGUF metadata has no list {FullName(key)}, which this tokenizer needs.");
            return [.. items.Cast<object?>().Select(item => convert(item, CultureInfo.InvariantCulture))];
        }

        private static string FullName(string key) => "tokenizer.ggml." + key;
    }
}
