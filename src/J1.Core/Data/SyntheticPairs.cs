using System.Text.Json;
using J1.Judging;

namespace J1.Data;

/// <summary>What came of a run so far.</summary>
/// <param name="Done">Sources done.</param>
/// <param name="Sources">Sources in all.</param>
/// <param name="Pairs">Pairs made.</param>
/// <param name="Skipped">Sources of which no pair could be made, by reason.</param>
public sealed record SynthesisProgress(int Done, int Sources, int Pairs, IReadOnlyDictionary<PairSkip, int> Skipped);

/// <summary>Builds a file of pairs, and goes on where it was stopped.</summary>
public static class SyntheticPairs
{
    /// <summary>
    /// Makes pairs of all sources and writes them to <paramref name="path"/>, where they appear when all are done. What is done meanwhile lies in <c>path.partial</c>:
    /// killed at any moment, the same call goes on from there and comes to the same file.
    /// </summary>
    /// <param name="path">A file of JSON lines, as <see cref="PreferencePairs.Read"/> reads it; replaced where it exists.</param>
    /// <param name="sources">Ids are unique.</param>
    /// <param name="builder">Makes the pairs.</param>
    /// <param name="atOnce">Sources a call of the builder; another number draws other samples. Default 8.</param>
    /// <param name="onProgress">Told after every call.</param>
    /// <param name="cancellationToken">Stops after the call that runs; what it made is kept.</param>
    /// <exception cref="DataException">The partial file is of other sources or settings, or of none; or an id is there twice.</exception>
    public static async Task<SynthesisProgress> WriteAsync(string path, IReadOnlyList<PairSource> sources, IPairBuilder builder, int atOnce = 8, Action<SynthesisProgress>? onProgress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentOutOfRangeException.ThrowIfLessThan(atOnce, 1);
        if (sources.GroupBy(source => source.Id, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new DataException($"The id '{twice.Key}' is there {twice.Count()} times; ids must be unique within the sources. Rename or remove one.");

        var chunks = sources.Chunk(atOnce).ToArray();
        var name = Hashes.Of("synthesis", builder.Identity, atOnce, Hashes.Of([.. sources.SelectMany(source => (object?[])[source.Id, source.Instruction, source.Response, source.Answer, source.Source, source.Category])]));
        var built = new List<BuiltPair>(sources.Count);
        var partial = path + ".partial";
        using (var file = new FileStream(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read))
        {
            var done = Resume(file, partial, name, chunks, built);
            if (done > 0) onProgress?.Invoke(Progress(built, sources.Count));
            for (; done < chunks.Length; done++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var made = await builder.BuildAsync(chunks[done], cancellationToken).ConfigureAwait(false);
                Append(file, made);
                built.AddRange(made);
                onProgress?.Invoke(Progress(built, sources.Count));
            }
        }
        PreferencePairs.Write(path, built.Select(one => one.Pair).OfType<PreferencePair>());
        File.Delete(partial);
        return Progress(built, sources.Count);
    }

    private static SynthesisProgress Progress(List<BuiltPair> built, int sources) =>
        new(built.Count, sources, built.Count(one => one.Pair is not null), built.Where(one => one.Skip is not null).GroupBy(one => one.Skip!.Value).ToDictionary(group => group.Key, group => group.Count()));

    /// <summary>Reads the whole calls of a stopped run. The first line names the run; every other is what one call made.</summary>
    private static int Resume(FileStream file, string path, string name, PairSource[][] chunks, List<BuiltPair> built)
    {
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        var (at, done, isFirst) = (0, 0, true);
        for (int length; (length = bytes.AsSpan(at).IndexOf((byte)'\n')) >= 0; at += length + 1)
        {
            var line = bytes.AsSpan(at, length);
            if (isFirst)
            {
                if (Read<Header>(line)?.Synthesis is not { } other) throw new DataException($"{path} is not what a stopped run left. Move it away.");
                if (other != name) throw new DataException($"{path} is of a run with other sources or settings. Delete it to begin anew, or write to another file.");
                isFirst = false;
                continue;
            }
            var made = Read<BuiltPair[]>(line);
            if (made is null || done == chunks.Length || !made.Select(one => one.Id).SequenceEqual(chunks[done].Select(source => source.Id), StringComparer.Ordinal))
                throw new DataException($"{path}:{done + 2} is not what a stopped run left. Delete the file to begin anew.");
            built.AddRange(made);
            done++;
        }
        // A last line that was cut off is made again.
        file.SetLength(at);
        file.Position = at;
        if (isFirst) Append(file, new Header(name));
        return done;
    }

    private static T? Read<T>(ReadOnlySpan<byte> line) where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(line, JudgingJson.Options);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static void Append<T>(FileStream file, T value)
    {
        file.Write([.. JsonSerializer.SerializeToUtf8Bytes(value, JudgingJson.Options), (byte)'\n']);
        file.Flush();
    }

    private sealed record Header(string? Synthesis);
}
