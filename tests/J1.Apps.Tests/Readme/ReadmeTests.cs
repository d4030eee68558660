using System.Text.RegularExpressions;
using J1.Tests;

namespace J1.Apps.Tests.Readme;

public sealed partial class ReadmeTests
{
    [Fact]
    public void Every_piece_of_code_about_chat_clients_and_kernels_stands_in_a_test_that_runs_it()
    {
        var readme = File.ReadAllText(Path.Combine(Shared.RepositoryRoot, "README.md")).ReplaceLineEndings("\n");
        var from = readme.IndexOf("\n## Chat clients and Semantic Kernel\n", StringComparison.Ordinal);
        Assert.True(from >= 0, "The README has no section about chat clients and Semantic Kernel.");
        var section = readme[from..(readme.IndexOf("\n## ", from + 1, StringComparison.Ordinal) is > 0 and var end ? end : readme.Length)];
        var tests = Path.Combine(Shared.RepositoryRoot, "tests", "J1.Apps.Tests");
        var sources = string.Join("\n", Directory.GetFiles(Path.Combine(tests, "Readme"), "*Snippets.cs").Append(Path.Combine(tests, "Agents", "AgentSnippets.cs")).Select(path => Dedent(File.ReadAllText(path).ReplaceLineEndings("\n"))));
        var blocks = CSharp().Matches(section).Select(match => match.Groups[1].Value).ToArray();
        Assert.True(blocks.Length >= 4);
        Assert.All(blocks, block => Assert.Contains(Dedent(block), sources, StringComparison.Ordinal));
    }

    private static string Dedent(string code) => string.Join("\n", code.Split('\n').Select(line => line.TrimStart()));

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CSharp();
}
