using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace J1.Engines.Managed.Tokenizers;

/// <summary>
/// Byte-pair encoding as the published models have it: byte-level (GPT-2, SmolLM, Llama 3, Qwen2 and 3) or over characters with a byte
/// fallback (Llama 2). Read by <see cref="TokenizerReader"/>, trained by <see cref="BpeTrainer"/>. Safe to use from several threads.
/// </summary>
public sealed class BpeTokenizer : ITokenizer
{
    private const int CachedLength = 48, CacheCapacity = 100_000;
    private const char SpaceMark = '▁';

    private readonly TokenizerDescription _description;
    private readonly BpeMerger _merger;
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idsBySpan;
    private readonly byte[][] _bytes;
    private readonly bool[] _isControl;
    private readonly int[] _byteIds = new int[256];
    private readonly AddedTokenFinder _words;
    private readonly AddedTokenFinder _wordsAndControls;
    private readonly ConcurrentDictionary<string, int[]> _cache = new();
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cacheBySpan;

    internal BpeTokenizer(TokenizerDescription description)
    {
        _description = description;
        _merger = new BpeMerger(description.Merges);
        _ids = new Dictionary<string, int>(description.Tokens.Count, StringComparer.Ordinal);
        for (var id = 0; id < description.Tokens.Count; id++)
            if (description.Tokens[id].Length > 0)
                _ids.TryAdd(description.Tokens[id], id);
        _idsBySpan = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _cacheBySpan = _cache.GetAlternateLookup<ReadOnlySpan<char>>();

        for (var value = 0; value < 256; value++)
        {
            var name = description.Kind == VocabularyKind.ByteLevel
                ? ByteAlphabet.CharacterOf((byte)value).ToString()
                : string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");
            _byteIds[value] = _ids.GetValueOrDefault(name, -1);
        }

        _bytes = new byte[description.Tokens.Count][];
        _isControl = new bool[description.Tokens.Count];
        for (var id = 0; id < _bytes.Length; id++)
            _bytes[id] = BytesOf(description.Kind, description.Tokens[id]);
        foreach (var token in description.Added)
        {
            _bytes[token.Id] = Encoding.UTF8.GetBytes(token.Content);
            _isControl[token.Id] = token.IsControl;
        }
        _words = new AddedTokenFinder(description.Added.Where(token => !token.IsControl));
        _wordsAndControls = new AddedTokenFinder(description.Added);
    }

    public int VocabularySize => _description.Tokens.Count;

    public IReadOnlyList<int> EndTokens => _description.EndTokens;

    /// <summary>How <see cref="EncodeChat"/> writes conversations down.</summary>
    public ChatFormat Chat => _description.Chat;

    internal TokenizerDescription Description => _description;

    /// <summary>The id of a token by its exact text in the vocabulary (a control token's name, for one), or null.</summary>
    public int? Find(string token) => _ids.TryGetValue(token, out var id) ? id : null;

    /// <summary>Whether a token is a control token; false for ids beyond the vocabulary.</summary>
    public bool IsControl(int token) => (uint)token < (uint)_isControl.Length && _isControl[token];

    public int[] Encode(string text)
    {
        var output = new List<int>(text.Length / 3 + 4);
        EncodeInto(text, _words, isFirst: true, output);
        return [.. output];
    }

    /// <summary>Encodes text in which control tokens that are spelled out become those tokens. Only for text one trusts.</summary>
    public int[] EncodeWithSpecial(string text) => EncodeAsHuggingFace(text, addSpecialTokens: false);

    /// <summary>What Hugging Face's <c>encode</c> gives: control tokens in the text are parsed, and <paramref name="addSpecialTokens"/> puts the model's own around it (BOS, for most that have one).</summary>
    public int[] EncodeAsHuggingFace(string text, bool addSpecialTokens = true)
    {
        var output = new List<int>(text.Length / 3 + 4);
        if (addSpecialTokens)
            output.AddRange(_description.Prefix);
        EncodeInto(text, _wordsAndControls, isFirst: true, output);
        if (addSpecialTokens)
            output.AddRange(_description.Suffix);
        return [.. output];
    }

    public int[] EncodeChat(IReadOnlyList<ChatMessage> messages, string assistantPrefix = "")
    {
        var output = new List<int>();
        if (Chat.TakesTokenizerPrefix)
            output.AddRange(_description.Prefix);
        var text = new StringBuilder();
        var isFirst = true;
        foreach (var piece in Chat.Render(messages))
        {
            if (!piece.IsControl)
            {
                text.Append(piece.Text);
                continue;
            }
            Flush();
            isFirst = false;
            output.Add(Find(piece.Text) ?? throw new InvalidOperationException(
                $"The chat format {Chat.Name} needs the control token {piece.Text}, which this vocabulary of {VocabularySize} tokens does not have. Choose another format, for example ChatFormat.Plain."));
        }
        text.Append(assistantPrefix);
        Flush();
        return [.. output];

        void Flush()
        {
            EncodeInto(text.ToString(), _words, isFirst, output);
            text.Clear();
        }
    }

    public string Decode(ReadOnlySpan<int> tokens) => Decode(tokens, keepSpecial: false);

    /// <summary>Decodes tokens; <paramref name="keepSpecial"/> spells control tokens out. Ids beyond the vocabulary (a model's padding rows) decode to nothing.</summary>
    public string Decode(ReadOnlySpan<int> tokens, bool keepSpecial)
    {
        var decoder = new StreamingDecoder(this, keepSpecial);
        var text = new StringBuilder(tokens.Length * 4);
        foreach (var token in tokens)
            text.Append(decoder.Append(token));
        return text.Append(decoder.Flush()).ToString();
    }

    /// <summary>The bytes a token stands for; none for ids beyond the vocabulary.</summary>
    internal ReadOnlySpan<byte> BytesOf(int token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        return token < _bytes.Length ? _bytes[token] : [];
    }

    internal bool StripsLeadingSpace => _description.StripsLeadingSpace;

    private void EncodeInto(string text, AddedTokenFinder finder, bool isFirst, List<int> output)
    {
        text = PreTokenizer.WithoutLoneSurrogates(text);
        for (var at = 0; at < text.Length;)
        {
            var found = finder.Find(text, at, out var start, out var end);
            if (start > at)
                EncodeSegment(text[at..start], isFirst && at == 0, output);
            if (found is not null)
                output.Add(found.Id);
            at = end;
        }
    }

    private void EncodeSegment(string segment, bool isFirst, List<int> output)
    {
        if (_description.Composes)
            segment = UnicodeComposition.Compose(segment);
        if (_description.Kind == VocabularyKind.SentencePiece)
        {
            segment = segment.Replace(' ', SpaceMark);
            var prefixed = _description.SpacePrefix switch
            {
                SpacePrefix.Every => true,
                SpacePrefix.EveryWithout => segment[0] != SpaceMark,
                SpacePrefix.FirstWithout => isFirst && segment[0] != SpaceMark,
                _ => false,
            };
            if (prefixed)
                segment = SpaceMark + segment;
        }

        ReadOnlySpan<char> rest = segment;
        while (!rest.IsEmpty)
        {
            var length = PreTokenizer.Next(_description.PreTokenizer, rest);
            EncodePiece(rest[..length], output);
            rest = rest[length..];
        }
    }

    private void EncodePiece(ReadOnlySpan<char> piece, List<int> output)
    {
        if (piece.Length > CachedLength)
        {
            output.AddRange(MergePiece(piece));
            return;
        }
        if (!_cacheBySpan.TryGetValue(piece, out var ids))
        {
            ids = MergePiece(piece).ToArray();
            if (_cache.Count < CacheCapacity)
                _cacheBySpan.TryAdd(piece, ids);
        }
        output.AddRange(ids);
    }

    private ReadOnlySpan<int> MergePiece(ReadOnlySpan<char> piece)
    {
        var symbols = new List<int>(piece.Length + 8);
        if (_description.Kind == VocabularyKind.ByteLevel)
        {
            if (_description.IgnoresMerges && WholePiece(piece) is { } whole)
                return new[] { whole };
            AddByteSymbols(piece, symbols);
        }
        else
            AddCharacterSymbols(piece, symbols);
        var span = CollectionsMarshal.AsSpan(symbols);
        return span[.._merger.Merge(span)];
    }

    private int? WholePiece(ReadOnlySpan<char> piece)
    {
        var written = new StringBuilder(piece.Length);
        foreach (var value in Utf8(piece))
            written.Append(ByteAlphabet.CharacterOf(value));
        return Find(written.ToString()) is { } id && !_isControl[id] ? id : null;
    }

    /// <summary>Bytes without a token of their own are left out, as they are by Hugging Face: vocabularies lack only bytes that no text has.</summary>
    private void AddByteSymbols(ReadOnlySpan<char> piece, List<int> symbols)
    {
        foreach (var value in Utf8(piece))
            if (_byteIds[value] >= 0)
                symbols.Add(_byteIds[value]);
    }

    private void AddCharacterSymbols(ReadOnlySpan<char> piece, List<int> symbols)
    {
        for (var at = 0; at < piece.Length;)
        {
            var length = char.IsHighSurrogate(piece[at]) && at + 1 < piece.Length ? 2 : 1;
            var character = piece.Slice(at, length);
            at += length;
            if (_idsBySpan.TryGetValue(character, out var id))
            {
                symbols.Add(id);
                continue;
            }
            var bytes = Utf8(character);
            if (Array.TrueForAll(bytes, value => _byteIds[value] >= 0))
            {
                foreach (var value in bytes)
                    symbols.Add(_byteIds[value]);
            }
            else if (_description.UnknownToken is { } unknown && (symbols.Count == 0 || symbols[^1] != unknown))
                symbols.Add(unknown);
        }
    }

    private static byte[] Utf8(ReadOnlySpan<char> text)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }

    private static byte[] BytesOf(VocabularyKind kind, string token)
    {
        if (kind == VocabularyKind.ByteLevel)
            return ByteAlphabet.BytesOf(token) ?? Encoding.UTF8.GetBytes(token);
        if (token is ['<', '0', 'x', _, _, '>'] && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            return [value];
        return Encoding.UTF8.GetBytes(token.Replace(SpaceMark, ' '));
    }
}
