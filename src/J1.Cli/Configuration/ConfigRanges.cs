using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;

namespace J1.Cli.Configuration;

/// <summary>What a record's own <c>Validate</c> says of a value: the one description of ranges there is.</summary>
internal static partial class ConfigRanges
{
    /// <summary>What is wrong with a record, in its own words without the last full stop; null where nothing is.</summary>
    public static string? Complaint(object section)
    {
        if (section.GetType().GetMethod("Validate", Type.EmptyTypes) is not { } validate) return null;
        try
        {
            validate.Invoke(section, null);
            return null;
        }
        catch (TargetInvocationException error) when (error.InnerException is ArgumentException complaint)
        {
            return complaint.Message.TrimEnd('.');
        }
    }

    /// <summary>What is wrong with one value, all else at its default: such a message begins with the property's name and "is", and names no other property. Null where nothing is.</summary>
    public static string? Complaint(Type section, SchemaKey key, object? value)
    {
        var probe = ConfigSchema.Defaults(section);
        key.Property.SetValue(probe, value);
        return Complaint(probe) is { } complaint && complaint.StartsWith($"{key.Property.Name} is ", StringComparison.Ordinal)
            && !ConfigSchema.KeysOf(section).Any(other => other != key && Regex.IsMatch(complaint, $@"\b{other.Property.Name}\b")) ? complaint : null;
    }

    /// <summary>A complaint as value and range, where it is of that form.</summary>
    public static (string Value, string Range)? Parts(string complaint) =>
        RangeMessage().Match(complaint) is { Success: true } match ? (match.Groups["value"].Value, match.Groups["range"].Value) : null;

    /// <summary>The bounds of a number as JSON Schema names them, found by asking about values far outside of any.</summary>
    public static IEnumerable<(string Keyword, decimal Bound)> BoundsOf(Type section, SchemaKey key)
    {
        object[] probes = key.Type == typeof(int) ? [int.MinValue, int.MaxValue] : key.Type == typeof(float) ? [-1e30f, 1e30f] : key.Type == typeof(double) ? [-1e30, 1e30] : [];
        return probes.Select(probe => Complaint(section, key, probe)).OfType<string>().Select(Parts).OfType<(string, string Range)>()
            .SelectMany(parts => Bound().Matches(parts.Range)).Select(match => (match.Groups["word"].Value switch
            {
                "at least" => "minimum",
                "above" => "exclusiveMinimum",
                "below" => "exclusiveMaximum",
                _ => "maximum",
            }, decimal.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture))).Distinct();
    }

    [GeneratedRegex(@"^\w+ is (?<value>.*?); it must be (?<range>.*)$")]
    private static partial Regex RangeMessage();

    [GeneratedRegex(@"\b(?<word>at least|above|below|at most) (?<number>-?\d+(\.\d+)?)\b")]
    private static partial Regex Bound();
}
