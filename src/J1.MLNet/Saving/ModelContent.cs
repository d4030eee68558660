using System.Security.Cryptography;
using System.Text;
using J1.Data;

namespace J1.MLNet.Saving;

/// <summary>A model's files as one content: a folder's configuration, weights and tokenizer, or one .gguf file.</summary>
internal static class ModelContent
{
    /// <summary>Folders in which a base model is looked for where it is not where it was: a list as PATH is one.</summary>
    public const string SearchPath = "J1_MODEL_PATH";

    private static readonly string[] Extensions = [".json", ".safetensors", ".gguf", ".jinja", ".txt", ".model"];

    /// <summary>Full paths, in the order of their names.</summary>
    public static string[] Files(string path) => File.Exists(path) ? [path]
        : [.. Directory.GetFiles(path).Where(file => Extensions.Contains(Path.GetExtension(file))).OrderBy(Path.GetFileName, StringComparer.Ordinal)];

    public static long Size(string path) => Files(path).Sum(file => new FileInfo(file).Length);

    /// <summary>SHA-256 over names and contents, but for a judge's description, which is no part of the model; 64 hex digits.</summary>
    public static string Hash(string path)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        foreach (var file in Files(path).Where(file => Path.GetFileName(file) != Judging.JudgeFile.Name))
        {
            using var stream = File.OpenRead(file);
            hash.AppendData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{Path.GetFileName(file)}\n{stream.Length}\n")));
            for (int read; (read = stream.Read(buffer)) > 0;) hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>A base model where it was, or in a folder of <see cref="SearchPath"/>, with the content it had.</summary>
    /// <exception cref="DataException">It is nowhere, or other than it was.</exception>
    public static string Find(BaseModel model)
    {
        var name = Path.GetFileName(model.Path);
        string[] folders = (Environment.GetEnvironmentVariable(SearchPath) ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        string[] places = [.. new[] { model.Path }.Concat(folders.Select(folder => Path.Combine(folder, name))).Where(Path.Exists)];
        if (places.Length == 0)
            throw new DataException($"The judge's base model '{name}' is missing: it was '{model.Path}' when the judge was saved (content {model.Sha256[..12]}). Put it there, or into a folder that the environment variable {SearchPath} names.");
        return places.FirstOrDefault(place => Hash(place) == model.Sha256)
            ?? throw new DataException($"'{string.Join("', '", places)}' is not the base model the judge was saved with: its content is {Hash(places[0])[..12]}, expected {model.Sha256[..12]}. Put the right one there, or into a folder that the environment variable {SearchPath} names.");
    }
}
