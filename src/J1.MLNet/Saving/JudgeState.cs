using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using J1.Data;
using J1.Engines;
using J1.Judging;
using J1.MLNet.Stages;

namespace J1.MLNet.Saving;

/// <summary>
/// All that a stage is, as one text: a line that names it, a line with the SHA-256 of the rest, and JSON. What a later version adds has a default, so that an
/// older text still loads; what would be misread by an older version raises <see cref="NewestLayout"/>.
/// </summary>
internal sealed record JudgeState
{
    public const int NewestLayout = 1;

    private const string FirstLine = "J1.MLNet judge";

    internal static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    public int Layout { get; init; } = NewestLayout;

    /// <summary>One of these is there.</summary>
    public ScorePairsOptions? ScorePairs { get; init; }

    public ScoreResponsesOptions? ScoreResponses { get; init; }

    public RateResponseOptions? RateResponse { get; init; }

    public ChooseBestOptions? ChooseBest { get; init; }

    public JudgeMode Mode { get; init; }

    public bool Thinking { get; init; } = true;

    public string? Prompt { get; init; }

    public string? AssistantPrefix { get; init; }

    public ParserRules Rules { get; init; }

    public SamplingOptions? Sampling { get; init; }

    public ulong Seed { get; init; }

    public int Votes { get; init; } = 1;

    public bool BothOrders { get; init; } = true;

    public double? CalibrationScale { get; init; }

    public LongPromptPolicy LongPrompts { get; init; } = LongPromptPolicy.Drop;

    public int? ContextLength { get; init; }

    public long? MaxEmbeddedBytes { get; init; }

    /// <summary>The training's settings as JSON, for whoever wants to know; nothing is made of them.</summary>
    public string? TrainedWith { get; init; }

    public BaseModel? Base { get; init; }

    public IReadOnlyList<SavedPart> Parts { get; init; } = [];

    [JsonIgnore]
    public StageOptions Stage => (StageOptions?)ScorePairs ?? (StageOptions?)ScoreResponses ?? (StageOptions?)RateResponse ?? ChooseBest
        ?? throw new DataException("The saved judge names no stage that this version knows. Load it with the version that saved it.");

    [JsonIgnore]
    public SavedWeights Weights => new(Base, Parts);

    [JsonIgnore]
    public JudgeSettings Settings
    {
        get
        {
            var format = new JudgeFormat { Mode = Mode, Thinking = Thinking, Rules = Rules };
            if (Prompt is not null) format = format with { Prompt = JudgePrompt.Parse(Prompt) };
            if (AssistantPrefix is not null) format = format with { AssistantPrefix = AssistantPrefix };
            var settings = new JudgeSettings
            {
                Format = format,
                Seed = Seed,
                Votes = Votes,
                BothOrders = BothOrders,
                Calibration = CalibrationScale is { } scale ? new Calibration(scale) : null,
                LongPrompts = LongPrompts,
                Engine = new() { ContextLength = ContextLength },
            };
            return settings with { Sampling = Sampling ?? settings.Sampling, MaxEmbeddedBytes = MaxEmbeddedBytes ?? settings.MaxEmbeddedBytes };
        }
    }

    /// <exception cref="NotSupportedException">The judge is not one that can be saved.</exception>
    public static JudgeState Of(JudgeStage stage)
    {
        var (judge, settings) = (stage.Judge, stage.Judge.Settings);
        var model = judge.Model ?? throw new NotSupportedException(
            "This judge lives in this process alone (an engine, a chat client or a function of yours) and cannot be saved. Save the other stages without it, or make the stage with Judge.Open, a trainer, or a loaded judge.");
        var weights = model.Write(settings.MaxEmbeddedBytes);
        return new JudgeState
        {
            ScorePairs = stage.Options as ScorePairsOptions,
            ScoreResponses = stage.Options as ScoreResponsesOptions,
            RateResponse = stage.Options as RateResponseOptions,
            ChooseBest = stage.Options as ChooseBestOptions,
            Mode = settings.Format.Mode,
            Thinking = settings.Format.Thinking,
            Prompt = settings.Format.Prompt.Text,
            AssistantPrefix = settings.Format.AssistantPrefix,
            Rules = settings.Format.Rules,
            Sampling = settings.Sampling,
            Seed = settings.Seed,
            Votes = settings.Votes,
            BothOrders = settings.BothOrders,
            CalibrationScale = settings.Calibration?.Scale,
            LongPrompts = settings.LongPrompts,
            ContextLength = settings.Engine.ContextLength,
            MaxEmbeddedBytes = settings.MaxEmbeddedBytes,
            TrainedWith = model.TrainedWith,
            Base = weights.Base,
            Parts = weights.Parts,
        };
    }

    public string Write()
    {
        var json = JsonSerializer.Serialize(this, Json);
        return $"{FirstLine}\n{Hash(json)}\n{json}";
    }

    /// <summary>The hash that a text says it has: a name for it.</summary>
    public static string NameOf(ReadOnlyMemory<char> text) => Split(text.Span, out var hash, out _) ? hash.ToString()
        : throw new DataException("This is no saved judge of J1.MLNet. Save the judge again.");

    /// <exception cref="DataException">It is no state, was changed, or is of a newer version.</exception>
    public static JudgeState Read(ReadOnlyMemory<char> text)
    {
        if (!Split(text.Span, out var hash, out var json)) throw new DataException("This is no saved judge of J1.MLNet. Save the judge again.");
        JudgeState? state = null;
        var isWhole = hash.SequenceEqual(Hash(json));
        try
        {
            state = JsonSerializer.Deserialize<JudgeState>(json, Json);
        }
        catch (Exception error) when (error is JsonException or NotSupportedException or ArgumentException) { }
        if (state?.Layout > NewestLayout && isWhole)
            throw new DataException($"The judge was saved by a newer J1.MLNet (layout {state.Layout}; this one reads up to {NewestLayout}). Update the package.");
        // The part at fault is worth more in a message than the whole.
        if (!isWhole && state?.Parts is { } parts)
            foreach (var part in parts) part.Check();
        return isWhole && state is not null ? state
            : throw new DataException("The saved judge is not what was saved: its hash differs. The file is damaged or was changed; save the judge again.");
    }

    private static bool Split(ReadOnlySpan<char> text, out ReadOnlySpan<char> hash, out ReadOnlySpan<char> json)
    {
        hash = json = default;
        if (!text.StartsWith(FirstLine + "\n", StringComparison.Ordinal)) return false;
        var rest = text[(FirstLine.Length + 1)..];
        if (rest.Length < 65 || rest[64] != '\n') return false;
        hash = rest[..64];
        json = rest[65..];
        return true;
    }

    private static string Hash(ReadOnlySpan<char> json)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(json)];
        Encoding.UTF8.GetBytes(json, bytes);
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
