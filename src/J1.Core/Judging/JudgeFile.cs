using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using J1.Data;

namespace J1.Judging;

/// <summary>How a trained model judges: <c>j1_judge.json</c> beside its weights, written by a run and read by whatever opens the model.</summary>
public sealed record JudgeFile
{
    /// <summary>The file's name.</summary>
    public const string Name = "j1_judge.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        NewLine = "\n",
    };

    public JudgeMode Mode { get; init; }

    public bool Thinking { get; init; }

    /// <summary>The prompt's whole text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The longest completion, in tokens. Default 256.</summary>
    public int MaxCompletionTokens { get; init; } = 256;

    /// <summary>Turns margins into probabilities; null where nothing was there to fit it on.</summary>
    public double? CalibrationScale { get; init; }

    /// <summary>The base model of an adapter as the run's configuration named it; null for a model of its own.</summary>
    public string? BaseModel { get; init; }

    /// <summary>Mode, thinking and prompt.</summary>
    [JsonIgnore]
    public JudgeFormat Format => new() { Mode = Mode, Thinking = Thinking, Prompt = JudgePrompt.Parse(Prompt) };

    /// <summary>Writes the file into a folder; it is there whole or not at all.</summary>
    public void Write(string folder)
    {
        var path = Path.Combine(folder, Name);
        using (var file = new FileStream(path + ".tmp", FileMode.Create, FileAccess.Write))
        {
            file.Write(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(this, Json) + "\n"));
            file.Flush(flushToDisk: true);
        }
        File.Move(path + ".tmp", path, overwrite: true);
    }

    /// <summary>The file of the first folder that has one, or null.</summary>
    /// <exception cref="DataException">It cannot be read.</exception>
    public static JudgeFile? Find(params IEnumerable<string?> folders)
    {
        ArgumentNullException.ThrowIfNull(folders);
        foreach (var folder in folders)
        {
            if (folder is null || Path.Combine(folder, Name) is var path && !File.Exists(path)) continue;
            try
            {
                return JsonSerializer.Deserialize<JudgeFile>(File.ReadAllText(path), Json);
            }
            catch (JsonException error)
            {
                throw new DataException($"'{path}' cannot be read: {error.Message} Delete it, and say how the model is to judge instead.", error);
            }
        }
        return null;
    }
}
