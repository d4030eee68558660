using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using J1.Cli;
using J1.Cli.Commands;

namespace J1.Tests.Cli;

/// <summary>Against a hub on this machine.</summary>
public sealed class PullTests : IDisposable
{
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, byte[]> _files = new()
    {
        ["config.json"] = "{}"u8.ToArray(),
        ["model.safetensors"] = [.. Enumerable.Range(0, 3_000_000).Select(i => (byte)(i * 7 + i / 251))],
        ["empty.txt"] = [],
        ["pytorch_model.bin"] = [1, 2, 3],
        ["onnx/model.onnx"] = [4, 5],
        ["model Q8.gguf"] = [6, 7, 8, 9],
    };

    private readonly List<LocalRequest> _asked = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_model_comes_whole_with_its_checksums_and_is_not_brought_twice()
    {
        using var hub = Hub();
        Assert.Equal((ExitCode.Done, _folder.At("models/meta/tiny") + "\n"), await PullAsync(hub, "meta/tiny"));
        Assert.Equal([".j1_pull.json", "config.json", "empty.txt", "model.safetensors"], Directory.GetFiles(_folder.At("models/meta/tiny")).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Equal(_files["model.safetensors"], await File.ReadAllBytesAsync(_folder.At("models/meta/tiny/model.safetensors")));
        Assert.Contains(_asked, request => request.Path == "/api/models/meta/tiny/revision/main" && request.Query == "blobs=true");
        Assert.Contains(_asked, request => request.Path == $"/meta/tiny/resolve/{Commit}/model.safetensors");

        _asked.Clear();
        await PullAsync(hub, "meta/tiny");
        Assert.Single(_asked);
    }

    [Fact]
    public async Task What_was_broken_off_goes_on_where_it_stopped()
    {
        var cuts = 0;
        using var hub = Hub(request => request.Path.EndsWith("model.safetensors", StringComparison.Ordinal) && cuts++ == 0 ? 1_234_567 : null);
        await PullAsync(hub, "meta/tiny");
        Assert.Equal(["", "bytes=1234567-"], _asked.Where(request => request.Path.EndsWith("model.safetensors", StringComparison.Ordinal)).Select(request => request.Headers.GetValueOrDefault("range", "")));
        Assert.Equal(_files["model.safetensors"], await File.ReadAllBytesAsync(_folder.At("models/meta/tiny/model.safetensors")));

        // A process that died left its part; the next goes on from it.
        File.Delete(_folder.At("models/meta/tiny/model.safetensors"));
        await File.WriteAllBytesAsync(_folder.At("models/meta/tiny/model.safetensors.incomplete"), _files["model.safetensors"][..5]);
        _asked.Clear();
        await PullAsync(hub, "meta/tiny");
        Assert.Equal("bytes=5-", _asked[^1].Headers["range"]);
        Assert.Equal(_files["model.safetensors"], await File.ReadAllBytesAsync(_folder.At("models/meta/tiny/model.safetensors")));
    }

    [Fact]
    public async Task A_server_that_cannot_begin_in_the_middle_is_read_from_the_beginning()
    {
        using var hub = Hub(ranges: false);
        _folder.Write("models/meta/tiny/model.safetensors.incomplete", "half");
        await PullAsync(hub, "meta/tiny");
        Assert.Equal(_files["model.safetensors"], await File.ReadAllBytesAsync(_folder.At("models/meta/tiny/model.safetensors")));
    }

    [Theory]
    [InlineData("model.safetensors", "sha256:")]
    [InlineData("config.json", "git:")]
    public async Task What_is_not_what_the_hub_says_is_never_taken_for_it(string file, string kind)
    {
        using var hub = Hub();
        var right = _files[file];
        var wrong = (byte[])right.Clone();
        wrong[1] ^= 1;
        using var liar = new LocalServer(request => Answer(request, null, true, request.Path.EndsWith(file, StringComparison.Ordinal) ? wrong : null));
        var error = await Assert.ThrowsAsync<IOException>(() => PullAsync(liar, "meta/tiny"));
        Assert.Contains($"came with the checksum {kind}", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.At($"models/meta/tiny/{file}")));
        await PullAsync(hub, "meta/tiny");
        Assert.Equal(right, await File.ReadAllBytesAsync(_folder.At($"models/meta/tiny/{file}")));
    }

    [Fact]
    public async Task The_token_goes_to_the_hub_and_not_where_it_sends_us()
    {
        var elsewhere = new List<LocalRequest>();
        using var store = new LocalServer(request =>
        {
            lock (elsewhere) elsewhere.Add(request);
            return new LocalResponse(HttpStatusCode.OK, _files["model.safetensors"]);
        });
        using var hub = new LocalServer(request =>
        {
            lock (_asked) _asked.Add(request);
            if (request.Headers.GetValueOrDefault("authorization") != "Bearer secret") return LocalServer.Status(HttpStatusCode.Unauthorized);
            return request.Path.EndsWith("model.safetensors", StringComparison.Ordinal) ? new LocalResponse(HttpStatusCode.Found, []) { Headers = { ["Location"] = store.Address + "blob" } } : Answer(request, null, true, null);
        });
        await PullAsync(hub, "meta/tiny", token: "secret");
        Assert.All(_asked, request => Assert.Equal("Bearer secret", request.Headers["authorization"]));
        Assert.False(Assert.Single(elsewhere).Headers.ContainsKey("authorization"));

        var refused = await Assert.ThrowsAsync<UsageException>(() => PullAsync(hub, "meta/other"));
        Assert.Contains("HF_TOKEN", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_are_chosen_by_pattern_and_where_there_are_no_safetensors_they_must_be()
    {
        using var hub = Hub();
        await PullAsync(hub, "meta/tiny", include: ["*.gguf"]);
        Assert.Equal([6, 7, 8, 9], await File.ReadAllBytesAsync(_folder.At("models/meta/tiny/model Q8.gguf")));
        Assert.Contains("has no file like *.nothing; it has config.json", (await Assert.ThrowsAsync<UsageException>(() => PullAsync(hub, "meta/tiny", include: ["*.nothing"]))).Message, StringComparison.Ordinal);
        _files.Remove("model.safetensors");
        Assert.Contains("--include", (await Assert.ThrowsAsync<UsageException>(() => PullAsync(hub, "meta/tiny"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../evil.json")]
    [InlineData("/etc/evil.json")]
    [InlineData("a\\b.json")]
    [InlineData("a//b.json")]
    public async Task A_name_that_leads_out_of_the_folder_is_refused(string name)
    {
        _files[name] = [1];
        using var hub = Hub();
        Assert.Contains("leads out of its folder", (await Assert.ThrowsAsync<IOException>(() => PullAsync(hub, "meta/tiny"))).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.At("models")));
    }

    [Fact]
    public async Task Wrong_names_and_addresses_are_wrong_input()
    {
        Assert.Equal(ExitCode.WrongInput, CommandLine.Run("pull", "only-a-name").ExitCode);
        Assert.Equal(ExitCode.WrongInput, CommandLine.Run("pull", "../../etc").ExitCode);
        using var hub = new LocalServer(_ => LocalServer.Status(HttpStatusCode.NotFound));
        Assert.Contains("has no api/models/meta/tiny", (await Assert.ThrowsAsync<UsageException>(() => PullAsync(hub, "meta/tiny"))).Message, StringComparison.Ordinal);
    }

    private LocalServer Hub(Func<LocalRequest, int?>? cut = null, bool ranges = true) => new(request =>
    {
        lock (_asked) _asked.Add(request);
        return Answer(request, cut?.Invoke(request), ranges, null);
    });

    private LocalResponse Answer(LocalRequest request, int? cut, bool ranges, byte[]? instead)
    {
        if (request.Path.StartsWith("/api/", StringComparison.Ordinal))
            return LocalServer.Json(new
            {
                sha = Commit,
                siblings = _files.Select(file => new
                {
                    rfilename = file.Key,
                    size = file.Value.Length,
                    blobId = Convert.ToHexStringLower(GitName(file.Value)),
                    lfs = file.Key.EndsWith("json", StringComparison.Ordinal) || file.Value.Length == 0 ? null : new { sha256 = Convert.ToHexStringLower(SHA256.HashData(file.Value)) },
                }),
            });
        var body = instead ?? _files[request.Path.Split($"/resolve/{Commit}/")[1]];
        if (!ranges || !request.Headers.TryGetValue("range", out var range)) return new LocalResponse(HttpStatusCode.OK, body) { CutAt = cut };
        var from = int.Parse(range["bytes=".Length..].TrimEnd('-'), CultureInfo.InvariantCulture);
        return new LocalResponse(HttpStatusCode.PartialContent, body[from..]) { CutAt = cut, Headers = { ["Content-Range"] = string.Create(CultureInfo.InvariantCulture, $"bytes {from}-{body.Length - 1}/{body.Length}") } };
    }

    private static byte[] GitName(byte[] content)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]);
        return hash.GetHashAndReset();
    }

    private async Task<(int, string)> PullAsync(LocalServer hub, string model, string[]? include = null, string? token = null)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter();
        var context = new CommandContext(output, error, IsTerminal: false, TimeProvider.System);
        string? Variable(string name) => name switch { "HF_ENDPOINT" => hub.Address, "HF_TOKEN" => token, "J1_MODELS" => _folder.At("models"), _ => null };
        return (await PullCommand.RunAsync(context, model, "main", include ?? [], null, quiet: false, Variable, default), output.ToString());
    }
}
