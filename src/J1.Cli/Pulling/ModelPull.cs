using System.Globalization;
using System.IO.Enumeration;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using J1.Cli.Running;

namespace J1.Cli.Pulling;

/// <summary>
/// Brings a model's files from a hub with Hugging Face's protocol into a folder. What was broken off goes on where it stopped; a file has its name only when it is whole and its checksum is
/// the one that the hub names. The token goes to the hub alone, not to where it redirects.
/// </summary>
internal sealed class ModelPull : IDisposable
{
    private const string Manifest = ".j1_pull.json", Unfinished = ".incomplete";
    private const int Tries = 5;
    private const int Mebibyte = 1 << 20;

    private readonly HttpClient _client;
    private readonly Uri _endpoint;
    private readonly RunDisplay _display;
    private readonly TimeProvider _time;

    /// <param name="endpoint">The hub's address.</param>
    /// <param name="token">For models that ask for one; null for none.</param>
    /// <param name="display">Told how far it is.</param>
    /// <param name="time">Between two tries.</param>
    public ModelPull(Uri endpoint, string? token, RunDisplay display, TimeProvider time)
    {
        (_endpoint, _display, _time) = (endpoint, display, time);
        // The handler drops the header where it follows a redirection.
        _client = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        if (token is not null) _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        _client.DefaultRequestHeaders.UserAgent.ParseAdd("j1");
    }

    public void Dispose() => _client.Dispose();

    /// <summary>Brings what is missing.</summary>
    /// <param name="model">OWNER/NAME.</param>
    /// <param name="revision">A branch, tag or commit.</param>
    /// <param name="include">Patterns of file names, as in *.gguf; none for what an engine reads.</param>
    /// <param name="folder">Where the files go.</param>
    /// <param name="cancellationToken">Stops; what is there is kept.</param>
    /// <exception cref="UsageException">There is no such model or file, or no leave to read it, or no room.</exception>
    /// <exception cref="IOException">The hub did not answer, or what it sent is not what it said.</exception>
    public async Task RunAsync(string model, string revision, IReadOnlyList<string> include, string folder, CancellationToken cancellationToken)
    {
        var (commit, all) = await ListAsync(model, revision, cancellationToken).ConfigureAwait(false);
        var files = Wanted(model, all, include);
        Directory.CreateDirectory(folder);
        var manifest = Path.Combine(folder, Manifest);
        var known = ReadManifest(manifest);
        var missing = files.Where(file => !(known.GetValueOrDefault(file.Name) == file.Checksum && File.Exists(At(folder, file)) && new FileInfo(At(folder, file)).Length == file.Size)).ToList();
        var needed = missing.Sum(file => file.Size - (File.Exists(At(folder, file) + Unfinished) ? new FileInfo(At(folder, file) + Unfinished).Length : 0));
        if (new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace is var free && free < needed)
            throw new UsageException($"{model} needs {Sizes.Text(needed)} more, and '{folder}' has room for {Sizes.Text(free)}.");
        _display.Say(string.Create(CultureInfo.InvariantCulture, $"{model} at {commit[..Math.Min(12, commit.Length)]}: {files.Count} files, {Sizes.Text(files.Sum(file => file.Size))}; {missing.Count} to bring, into {folder}"));
        foreach (var file in missing)
        {
            await BringAsync(model, commit, file, At(folder, file), cancellationToken).ConfigureAwait(false);
            known[file.Name] = file.Checksum;
            Files.WriteAtomically(manifest, JsonSerializer.Serialize(known, Json.Indented) + "\n");
        }
    }

    private async Task<(string Commit, List<HubFile> Files)> ListAsync(string model, string revision, CancellationToken cancellationToken)
    {
        var address = new Uri(_endpoint, $"api/models/{model}/revision/{Uri.EscapeDataString(revision)}?blobs=true");
        using var response = await SendAsync(() => new HttpRequestMessage(HttpMethod.Get, address), model, cancellationToken).ConfigureAwait(false);
        var text = await response.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            using var json = JsonDocument.Parse(text);
            var files = json.RootElement.GetProperty("siblings").EnumerateArray().Select(sibling =>
            {
                var lfs = sibling.TryGetProperty("lfs", out var large) && large.ValueKind == JsonValueKind.Object ? large.GetProperty("sha256").GetString() : null;
                return new HubFile(sibling.GetProperty("rfilename").GetString()!, sibling.GetProperty("size").GetInt64(), lfs is not null ? $"sha256:{lfs}" : $"git:{sibling.GetProperty("blobId").GetString()}");
            }).ToList();
            return (json.RootElement.GetProperty("sha").GetString()!, files);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new IOException($"{_endpoint} answered with something else than a model's files: {text[..Math.Min(text.Length, 200)]}", error);
        }
    }

    /// <summary>The named ones; by default the weights as safetensors and the small files around them, not the same weights in other formats.</summary>
    private static List<HubFile> Wanted(string model, List<HubFile> all, IReadOnlyList<string> include)
    {
        var wrong = all.Find(file => Path.IsPathRooted(file.Name) || file.Name.Split('/').Any(part => part is "" or "." or "..") || file.Name.AsSpan().IndexOfAny("\\:\0") >= 0);
        if (wrong is not null) throw new IOException($"{model} has a file with the name '{wrong.Name}', which leads out of its folder.");
        if (include.Count > 0)
        {
            var named = all.Where(file => include.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, file.Name))).ToList();
            return named.Count > 0 ? named : throw new UsageException($"{model} has no file like {string.Join(", ", include)}; it has {string.Join(", ", all.Select(file => file.Name).Take(20))}.");
        }
        var top = all.Where(file => !file.Name.Contains('/')).ToList();
        if (!top.Exists(file => file.Name.EndsWith(".safetensors", StringComparison.Ordinal)))
            throw new UsageException($"{model} has no .safetensors; say which files with --include, as in --include '*Q8_0.gguf'. It has {string.Join(", ", all.Select(file => file.Name).Take(20))}.");
        string[] read = [".safetensors", ".json", ".txt", ".jinja", ".md"];
        return [.. top.Where(file => read.Contains(Path.GetExtension(file.Name)) || file.Name.StartsWith("LICENSE", StringComparison.Ordinal))];
    }

    private async Task BringAsync(string model, string commit, HubFile file, string path, CancellationToken cancellationToken)
    {
        var part = path + Unfinished;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (!File.Exists(part) && File.Exists(path) && new FileInfo(path).Length == file.Size && Checksum(path, file) == file.Checksum) return;
        var address = new Uri(_endpoint, $"{model}/resolve/{commit}/{string.Join('/', file.Name.Split('/').Select(Uri.EscapeDataString))}");
        _display.Begin(file.Name, 0, (int)(file.Size / Mebibyte) + 1);
        for (var attempt = 1; !File.Exists(part) || new FileInfo(part).Length < file.Size || file.Size == 0; attempt++)
            try
            {
                await AppendAsync(model, address, file, part, cancellationToken).ConfigureAwait(false);
                if (file.Size == 0) break;
                if (new FileInfo(part).Length < file.Size) throw new IOException("the connection ended too early");
            }
            catch (Exception error) when ((error is HttpRequestException or IOException) && attempt < Tries)
            {
                _display.Say($"{file.Name}: {error.Message}; going on ({attempt + 1} of {Tries})");
                await Task.Delay(TimeSpan.FromSeconds(Math.Pow(2, attempt - 1)), _time, cancellationToken).ConfigureAwait(false);
            }
            catch (HttpRequestException error)
            {
                throw new IOException($"{file.Name} did not come in {Tries} tries: {error.Message} The same command goes on from there.", error);
            }
        if (Checksum(part, file) is var checksum && checksum != file.Checksum)
        {
            File.Delete(part);
            throw new IOException($"{file.Name} came with the checksum {checksum}, and the hub says {file.Checksum}. It was deleted; the same command brings it again.");
        }
        File.Move(part, path, overwrite: true);
        _display.Step((int)(file.Size / Mebibyte) + 1, "whole, checksum right");
    }

    /// <summary>From where the part ends.</summary>
    private async Task AppendAsync(string model, Uri address, HubFile file, string part, CancellationToken cancellationToken)
    {
        using var stream = new FileStream(part, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        if (stream.Length > file.Size) stream.SetLength(0);
        var from = stream.Length;
        using var response = await SendAsync(() =>
        {
            var request = new HttpRequestMessage(HttpMethod.Get, address);
            if (from > 0) request.Headers.Range = new RangeHeaderValue(from, null);
            return request;
        }, model, cancellationToken).ConfigureAwait(false);
        // A server that cannot begin in the middle begins at the beginning.
        stream.Position = response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == from ? from : 0;
        stream.SetLength(stream.Position);
        var body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            var buffer = new byte[Mebibyte];
            int read;
            while ((read = await body.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                if (stream.Position + read > file.Size) throw new IOException($"more came than the {file.Size} bytes that were announced");
                await stream.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                if (stream.Position < file.Size) _display.Step((int)(stream.Position / Mebibyte), $"MiB of {Sizes.Text(file.Size)}");
            }
        }
    }

    private async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> request, string model, CancellationToken cancellationToken)
    {
        using var message = request();
        HttpResponseMessage response;
        try
        {
            response = await _client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException error)
        {
            throw new HttpRequestException($"{_endpoint} cannot be reached: {error.Message}", error);
        }
        if (response.IsSuccessStatusCode) return response;
        using (response)
            throw response.StatusCode switch
            {
                HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new UsageException($"{_endpoint} gives no leave to read {model} ({(int)response.StatusCode}): there is no such model, or it asks for a token (HF_TOKEN), or for its licence to be agreed to on its page."),
                HttpStatusCode.NotFound => new UsageException($"{_endpoint} has no {message.RequestUri!.AbsolutePath.Split("/revision/")[0].TrimStart('/')}, or no such revision."),
                _ => new HttpRequestException($"{_endpoint} answered {(int)response.StatusCode} {response.ReasonPhrase}"),
            };
    }

    /// <summary>As the hub names it: SHA-256 for large files, and for small ones the name that git has for them.</summary>
    private static string Checksum(string path, HubFile file)
    {
        using var stream = File.OpenRead(path);
        if (file.Checksum.StartsWith("sha256:", StringComparison.Ordinal)) return $"sha256:{Convert.ToHexStringLower(SHA256.HashData(stream))}";
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {stream.Length}\0")));
        var buffer = new byte[Mebibyte];
        int read;
        while ((read = stream.Read(buffer)) > 0) hash.AppendData(buffer, 0, read);
        return $"git:{Convert.ToHexStringLower(hash.GetHashAndReset())}";
    }

    private static Dictionary<string, string> ReadManifest(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllText(path)) ?? [] : [];
        }
        catch (JsonException)
        {
            return []; // All is checked again.
        }
    }

    private static string At(string folder, HubFile file) => Path.Combine(folder, file.Name);

    private sealed record HubFile(string Name, long Size, string Checksum);
}
