using System.Runtime.InteropServices;
using J1.Engines;

namespace J1.Extensions.AI;

/// <summary>Tokens to text as they come: what may still change (bytes of an unfinished character, the beginning of a stop sequence) is held back.</summary>
internal sealed class StreamedText(ITokenizer tokenizer, IList<string>? stops = null)
{
    private const char Broken = '\uFFFD';

    private readonly List<int> _tokens = [];
    private readonly string[] _stops = [.. (stops ?? []).Where(stop => !string.IsNullOrEmpty(stop))];
    private string _text = "";
    private int _told;

    /// <summary>Tokens so far.</summary>
    public int Count => _tokens.Count;

    /// <summary>Whether a stop sequence was met; nothing comes after it.</summary>
    public bool HasStopped { get; private set; }

    /// <summary>The text that has become certain with this token; often empty.</summary>
    public string Add(int token)
    {
        _tokens.Add(token);
        _text = tokenizer.Decode(CollectionsMarshal.AsSpan(_tokens));
        var certain = _text.Length;
        foreach (var stop in _stops)
            if (_text.IndexOf(stop, Math.Min(_told, _text.Length), StringComparison.Ordinal) is >= 0 and var at && at <= certain) (certain, HasStopped) = (at, true);
        if (HasStopped) return Tell(certain);
        while (certain > 0 && _text[certain - 1] == Broken) certain--;
        foreach (var stop in _stops)
            for (var length = Math.Min(stop.Length - 1, _text.Length); length > 0; length--)
                if (_text.AsSpan(_text.Length - length).SequenceEqual(stop.AsSpan(0, length))) certain = Math.Min(certain, _text.Length - length);
        return Tell(certain);
    }

    /// <summary>What was held back, at the end.</summary>
    public string End() => HasStopped ? "" : Tell(_text.Length);

    private string Tell(int certain)
    {
        if (certain <= _told) return "";
        var piece = _text[_told..certain];
        _told = certain;
        return piece;
    }
}
