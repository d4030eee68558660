namespace J1.Engines.Managed.Files;

/// <summary>How a GGUF file stores numbers, with GGML's own numbering.</summary>
internal enum GgmlType : uint
{
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    IQ4_NL = 20,
    IQ4_XS = 23,
    BF16 = 30,
}

internal static class GgmlTypes
{
    /// <summary>Names of types that are known and not read, for the message.</summary>
    private static readonly Dictionary<uint, string> s_unread = new()
    {
        [4] = "Q4_2",
        [5] = "Q4_3",
        [9] = "Q8_1",
        [15] = "Q8_K",
        [16] = "IQ2_XXS",
        [17] = "IQ2_XS",
        [18] = "IQ3_XXS",
        [19] = "IQ1_S",
        [21] = "IQ3_S",
        [22] = "IQ2_S",
        [24] = "I8",
        [25] = "I16",
        [26] = "I32",
        [27] = "I64",
        [28] = "F64",
        [29] = "IQ1_M",
        [34] = "TQ1_0",
        [35] = "TQ2_0",
        [39] = "MXFP4",
    };

    public static bool IsRead(uint type) => Enum.IsDefined((GgmlType)type);

    /// <summary>For example <c>IQ2_XS (type 17)</c>.</summary>
    public static string NameOf(uint type) =>
        (IsRead(type) ? ((GgmlType)type).ToString() : s_unread.GetValueOrDefault(type, "unknown to this program")) + $" (type {type})";

    /// <summary>Values in a block, and the bytes they take.</summary>
    public static (int Values, int Bytes) BlockOf(GgmlType type) => type switch
    {
        GgmlType.F32 => (1, 4),
        GgmlType.F16 or GgmlType.BF16 => (1, 2),
        GgmlType.Q4_0 or GgmlType.IQ4_NL => (32, 18),
        GgmlType.Q4_1 => (32, 20),
        GgmlType.Q5_0 => (32, 22),
        GgmlType.Q5_1 => (32, 24),
        GgmlType.Q8_0 => (32, 34),
        GgmlType.Q2_K => (256, 84),
        GgmlType.Q3_K => (256, 110),
        GgmlType.Q4_K => (256, 144),
        GgmlType.Q5_K => (256, 176),
        GgmlType.Q6_K => (256, 210),
        GgmlType.IQ4_XS => (256, 136),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };
}
