using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace J1.Judging;

/// <summary>Names of contents, for the identities of judges.</summary>
public static class Hashes
{
    /// <summary>64 hex digits over the parts, each with its length, so that no two lists of parts share a name by the way they are cut.</summary>
    public static string Of(params ReadOnlySpan<object?> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[4];
        foreach (var part in parts)
        {
            var bytes = Encoding.UTF8.GetBytes(Convert.ToString(part, CultureInfo.InvariantCulture) ?? "");
            BinaryPrimitives.WriteInt32LittleEndian(length, part is null ? -1 : bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
