using System.Text.Json;
using System.Text.Json.Serialization;

namespace J1.Judging;

/// <summary>How judgements are written as JSON: snake_case names, enumerations in words, what is null left out.</summary>
public static class JudgingJson
{
    /// <summary>One line a value.</summary>
    public static JsonSerializerOptions Options { get; } = Make();

    private static JsonSerializerOptions Make()
    {
        var options = new JsonSerializerOptions
        {
            PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            Converters = { new JsonStringEnumConverter() },
        };
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
