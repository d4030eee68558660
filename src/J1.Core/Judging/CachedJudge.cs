using System.Text.Json;
using J1.Data;

namespace J1.Judging;

/// <summary>
/// Remembers what a judge said, by its identity (model, prompt, sampling, seed, votes) and the pair's texts, in memory or in a file of JSON lines that
/// the next run reads: an interrupted run goes on where it stopped. Safe to use from several threads; a file belongs to one judge at a time.
/// </summary>
public sealed class CachedJudge : IJudge, IDisposable
{
    private readonly IJudge _judge;
    private readonly Dictionary<string, PairJudgement> _known = new(StringComparer.Ordinal);
    private readonly FileStream? _file;
    private readonly Lock _lock = new();

    /// <param name="judge">Asked for what is not known.</param>
    /// <param name="path">The file; null remembers in memory only. A last line that was cut off by a kill is dropped.</param>
    /// <exception cref="DataException">A line of the file is not one of ours.</exception>
    public CachedJudge(IJudge judge, string? path = null)
    {
        ArgumentNullException.ThrowIfNull(judge);
        _judge = judge;
        if (path is null) return;
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            Load(path);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public string Identity => _judge.Identity;

    /// <summary>Judgements remembered.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _known.Count;
        }
    }

    public async ValueTask<IReadOnlyList<PairJudgement>> JudgeAsync(IReadOnlyList<PreferencePair> pairs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var identity = _judge.Identity;
        string[] keys = [.. pairs.Select(pair => Hashes.Of(identity, pair.Instruction, pair.ResponseA, pair.ResponseB))];
        var judgements = new PairJudgement?[pairs.Count];
        lock (_lock)
            for (var i = 0; i < pairs.Count; i++)
                judgements[i] = _known.GetValueOrDefault(keys[i]);
        int[] missing = [.. Enumerable.Range(0, pairs.Count).Where(i => judgements[i] is null).DistinctBy(i => keys[i])];
        if (missing.Length > 0)
        {
            var said = await _judge.JudgeAsync([.. missing.Select(i => pairs[i])], cancellationToken).ConfigureAwait(false);
            lock (_lock)
            {
                for (var j = 0; j < missing.Length; j++) Remember(keys[missing[j]], said[j]);
                for (var i = 0; i < pairs.Count; i++) judgements[i] ??= said[Array.FindIndex(missing, m => keys[m] == keys[i])];
            }
        }
        return [.. judgements.Select((judgement, i) => judgement! with { Id = pairs[i].Id })];
    }

    public void Dispose() => _file?.Dispose();

    private void Remember(string key, PairJudgement judgement)
    {
        // A failure of the host may pass; it is asked again.
        if (judgement.Invalid == InvalidReason.Failed || !_known.TryAdd(key, judgement) || _file is null) return;
        _file.Write([.. JsonSerializer.SerializeToUtf8Bytes(new Line(key, judgement), JudgingJson.Options), (byte)'\n']);
        _file.Flush();
    }

    private void Load(string path)
    {
        var bytes = new byte[_file!.Length];
        _file.ReadExactly(bytes);
        var (at, number) = (0, 0);
        for (int length; (length = bytes.AsSpan(at).IndexOf((byte)'\n')) >= 0; at += length + 1)
        {
            number++;
            Line? line = null;
            try
            {
                line = JsonSerializer.Deserialize<Line>(bytes.AsSpan(at, length), JudgingJson.Options);
            }
            catch (JsonException) { }
            if (line?.Key is null || line.Judgement is null)
                throw new DataException($"{path}:{number}: not a remembered judgement. Name a file that a cached judge wrote, or delete this one to ask anew.");
            _known[line.Key] = line.Judgement;
        }
        _file.SetLength(at);
        _file.Position = at;
    }

    private sealed record Line(string Key, PairJudgement Judgement);
}
