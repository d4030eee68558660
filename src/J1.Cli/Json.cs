using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace J1.Cli;

/// <summary>JSON as all files and outputs of the tool have it: snake_case, enums as their keys, text not escaped beyond need.</summary>
internal static class Json
{
    /// <summary>One line.</summary>
    public static readonly JsonSerializerOptions Line = Create(indented: false);

    /// <summary>For reading by people.</summary>
    public static readonly JsonSerializerOptions Indented = Create(indented: true);

    private static JsonSerializerOptions Create(bool indented) => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = indented,
        NewLine = "\n",
    };
}
