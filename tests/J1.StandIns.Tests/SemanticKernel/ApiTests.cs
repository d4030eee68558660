using System.Reflection;
using Microsoft.SemanticKernel;

namespace J1.StandIns.Tests.SemanticKernel;

/// <summary>The stand-in offers nothing that the real assemblies do not.</summary>
public sealed class ApiTests
{
    private static Assembly[] Upstream => [.. new[] { typeof(Kernel), typeof(KernelFunctionFactory) }.Select(type => type.Assembly).Distinct()];

    private static bool IsStandIn => Upstream.Length == 1;

    /// <summary>
    /// As for Microsoft.ML, with one liberty: where a method there has optional parameters, the stand-in may leave some of them out. Where the listing differs from the stand-in, the test writes the
    /// new one beside the assembly: copy it over after a look at the difference.
    /// </summary>
    [Fact]
    public void Every_public_member_of_the_stand_in_is_one_of_the_real_library()
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "SemanticKernel");
        var listed = File.ReadAllLines(Path.Combine(folder, "api.txt"));
        var types = Upstream.SelectMany(assembly => assembly.GetExportedTypes()).ToArray();
        if (IsStandIn)
        {
            var members = types.SelectMany(J1.StandIns.Tests.ApiTests.Members).Order(StringComparer.Ordinal).Distinct().ToArray();
            File.WriteAllLines(Path.Combine(folder, "api.received.txt"), members);
            Assert.Equal(listed, members);
            return;
        }
        var missing = listed.Except(types.SelectMany(J1.StandIns.Tests.ApiTests.Members).SelectMany(WithFewerOptions)).ToArray();
        Assert.True(missing.Length == 0, string.Join("\n", missing));
    }

    private static IEnumerable<string> WithFewerOptions(string member)
    {
        var (open, close) = (member.IndexOf('('), member.LastIndexOf(')'));
        if (open < 0 || close < open) return [member];
        var parameters = Split(member[(open + 1)..close]);
        int[] optional = [.. Enumerable.Range(0, parameters.Count).Where(i => parameters[i].Contains(" = ", StringComparison.Ordinal))];
        return Enumerable.Range(0, 1 << Math.Min(optional.Length, 8)).Select(left =>
            member[..(open + 1)] + string.Join(", ", parameters.Where((_, i) => Array.IndexOf(optional, i) is var at && (at < 0 || (left >> at & 1) == 0))) + member[close..]);
    }

    // At the commas between parameters, not at those between type arguments.
    private static List<string> Split(string parameters)
    {
        var (parts, depth, from) = (new List<string>(), 0, 0);
        for (var i = 0; i < parameters.Length; i++)
        {
            depth += parameters[i] switch { '<' => 1, '>' => -1, _ => 0 };
            if (parameters[i] != ',' || depth != 0) continue;
            parts.Add(parameters[from..i].TrimStart());
            from = i + 1;
        }
        if (parameters.Length > 0) parts.Add(parameters[from..].TrimStart());
        return parts;
    }
}
