using System.Text;
using J1.Engines;
using J1.Judging;

namespace J1.Data;

/// <summary>What the builders of pairs have in common.</summary>
internal static class PairPrompt
{
    public static string NoisyInstruction { get; } = Load("noisy_instruction");

    public static string Solution { get; } = Load("solution");

    /// <summary>Fills a template; what is put in is not searched for placeholders, and what looks like control tokens in it is broken.</summary>
    public static IReadOnlyList<ChatMessage> Ask(string template, params ReadOnlySpan<(string Name, string Value)> values)
    {
        var filled = new StringBuilder();
        for (var at = 0; at < template.Length;)
        {
            var (next, name, value) = (template.Length, "", "");
            foreach (var one in values)
                if (template.IndexOf("{" + one.Name + "}", at, StringComparison.Ordinal) is >= 0 and var found && found < next)
                    (next, name, value) = (found, one.Name, one.Value);
            filled.Append(template, at, next - at);
            if (name.Length == 0) break;
            filled.Append(UntrustedText.Neutralise(value));
            at = next + name.Length + 2;
        }
        return [ChatMessage.User(filled.ToString())];
    }

    /// <summary>A seed for a call: by what is asked and not by when, so that a run that was stopped goes on with the same draws.</summary>
    public static ulong Seed(ulong seed, IReadOnlyList<PairSource> sources) => SplitMix.For(seed, Number("call", [.. sources.Select(source => source.Id)])).Next();

    public static BuiltPair Pair(PairSource source, string better, string worse, ulong seed)
    {
        var isA = SplitMix.For(seed, Number("side", source.Id)).NextInt(2) == 0;
        return new(source.Id, new PreferencePair
        {
            Id = source.Id,
            Source = source.Source,
            Category = source.Category,
            Instruction = source.Instruction,
            ResponseA = isA ? better : worse,
            ResponseB = isA ? worse : better,
            Label = isA ? Preference.A : Preference.B,
        }, null);
    }

    private static ulong Number(string kind, params ReadOnlySpan<string> texts) => Convert.ToUInt64(Hashes.Of([kind, .. texts])[..16], 16);

    private static string Load(string name)
    {
        using var reader = new StreamReader(typeof(PairPrompt).Assembly.GetManifestResourceStream("J1.Data.Prompts." + name)!, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n").TrimEnd('\n');
    }
}
