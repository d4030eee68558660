using System.Security.Cryptography;
using J1.Data;
using J1.Engines.Managed;

namespace J1.MLNet.Saving;

/// <summary>A model that is not in the file.</summary>
/// <param name="Path">Where it was.</param>
/// <param name="Sha256">Of its content, <see cref="ModelContent.Hash"/>.</param>
internal sealed record BaseModel(string Path, string Sha256);

/// <summary>One file of a model or an adapter.</summary>
internal sealed record SavedPart(string Name, string Sha256, byte[] Data)
{
    public static SavedPart Of(string path)
    {
        var data = File.ReadAllBytes(path);
        return new(Path.GetFileName(path), Convert.ToHexStringLower(SHA256.HashData(data)), data);
    }

    /// <exception cref="DataException">It is not what was saved.</exception>
    public void Check()
    {
        if (Name is null || Data is null || Name.Length == 0 || Name != Path.GetFileName(Name))
            throw new DataException("A part of the saved judge has no usable name or no content; the file is damaged. Save the judge again.");
        if (Convert.ToHexStringLower(SHA256.HashData(Data)) != Sha256)
            throw new DataException($"The part '{Name}' of the saved judge is not what was saved: its hash differs. The file is damaged or was changed; save the judge again.");
    }
}

/// <summary>A model whole, or an adapter (or nothing) on a base model.</summary>
internal sealed record SavedWeights(BaseModel? Base, IReadOnlyList<SavedPart> Parts)
{
    /// <exception cref="DataException">A part was changed, or the base model is missing or another.</exception>
    public ManagedEngine Open(EngineOptions options)
    {
        foreach (var part in Parts) part.Check();
        if (Base is not null && Parts.Count == 0) return new FileModel(ModelContent.Find(Base), null).Open(options);
        var folder = Directory.CreateTempSubdirectory("j1-load-").FullName;
        try
        {
            foreach (var part in Parts) File.WriteAllBytes(Path.Combine(folder, part.Name), part.Data);
            return Base is null ? new FileModel(folder, null).Open(options) : new FileModel(ModelContent.Find(Base), folder).Open(options);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
