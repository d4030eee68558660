using System.Text.Json;
using System.Text.Json.Nodes;
using J1.Judging;
using Microsoft.Extensions.AI;

namespace J1.Extensions.AI;

/// <summary>A verdict as JSON: <c>thought</c>, then <c>answer</c>, <c>score_a</c> and <c>score_b</c>, or <c>score</c>.</summary>
internal static class JsonVerdict
{
    public static ChatResponseFormat Format(JudgeFormat format)
    {
        var (properties, required) = (new JsonObject(), new JsonArray());
        foreach (var name in Names(format.Mode, format.Thinking))
        {
            properties[name] = name switch
            {
                "thought" => new JsonObject { ["type"] = "string" },
                "answer" => new JsonObject { ["type"] = "string", ["enum"] = new JsonArray("A", "B") },
                _ => new JsonObject { ["type"] = "number" },
            };
            required.Add(name);
        }
        var schema = new JsonObject { ["type"] = "object", ["properties"] = properties, ["required"] = required, ["additionalProperties"] = false };
        return ChatResponseFormat.ForJsonSchema(JsonSerializer.SerializeToElement(schema), "verdict");
    }

    public static string Instruction(JudgeFormat format) =>
        $"Write your reply as one JSON object with the fields {string.Join(", ", Names(format.Mode, format.Thinking))}, in this order, in place of the tags of the same names.";

    public static Judgement Read(string text, JudgeMode mode, bool truncated)
    {
        JsonElement root;
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            root = document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return Judgement.Without(truncated ? InvalidReason.Truncated : InvalidReason.Unparsed, text);
        }
        if (root.ValueKind != JsonValueKind.Object) return Judgement.Without(InvalidReason.Unparsed, text);
        var thought = root.TryGetProperty("thought", out var said) && said.ValueKind == JsonValueKind.String ? said.GetString() : null;
        var answer = root.TryGetProperty("answer", out var letter) && letter.ValueKind == JsonValueKind.String ? letter.GetString() : null;
        var (a, b) = mode == JudgeMode.Pointwise ? (Score("score"), null) : (Score("score_a"), Score("score_b"));
        Outcome? outcome = mode switch
        {
            JudgeMode.Verdict or JudgeMode.ScoresAndVerdict => answer switch { "A" => Outcome.A, "B" => Outcome.B, _ => null },
            JudgeMode.Scores => a is null || b is null ? null : Outcomes.OfMargin(a.Value - b.Value),
            _ => a is null ? null : Outcome.Tie,
        };
        return outcome is { } valid ? new Judgement { Outcome = valid, Text = text, Thought = thought, ScoreA = a, ScoreB = b } : Judgement.Without(InvalidReason.Unparsed, text, thought);

        double? Score(string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var score) && score is >= 0 and <= 10 ? score : null;
    }

    private static string[] Names(JudgeMode mode, bool thinking)
    {
        string[] answer = mode switch
        {
            JudgeMode.Verdict => ["answer"],
            JudgeMode.Scores => ["score_a", "score_b"],
            JudgeMode.ScoresAndVerdict => ["score_a", "score_b", "answer"],
            _ => ["score"],
        };
        return thinking ? ["thought", .. answer] : answer;
    }
}
