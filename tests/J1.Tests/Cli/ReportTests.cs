using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using J1.Cli;
using J1.Cli.Reporting;
using J1.Data;
using J1.Evaluation;
using J1.Judging;

namespace J1.Tests.Cli;

/// <summary>Reports of runs that were written by hand, so that every number in them is known.</summary>
public sealed class ReportTests : IDisposable
{
    private const string Evil = "</pre><script>alert(1)</script><img src=x onerror=alert(2)> \" ' & \u202Etxt \uD800 \u0007 </details>";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_report_is_one_file_that_fetches_nothing()
    {
        var html = Report("one");
        Assert.DoesNotMatch(@"(src|href|url)\s*[=(]\s*[""']?(https?:|//)", html);
        Assert.DoesNotMatch("<(link|img|iframe|object|embed|base)[ >]", html);
        Assert.Contains("default-src 'none'", html, StringComparison.Ordinal);
        Assert.Contains("<html lang=\"en\">", html, StringComparison.Ordinal);
        Assert.Contains("name=\"viewport\"", html, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_model_or_a_data_set_wrote_is_text_and_nothing_else()
    {
        var html = Report("one");
        Assert.Equal(1, Regex.Count(html, "<script"));
        Assert.DoesNotContain("<img", html, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", html, StringComparison.Ordinal);
        Assert.DoesNotContain("\u202E", html, StringComparison.Ordinal);
        Assert.DoesNotContain("\u0007", html, StringComparison.Ordinal);
    }

    [Fact]
    public void The_pages_policy_allows_its_own_script_and_no_other()
    {
        var html = Report("one");
        var script = Regex.Match(html, "<script>(.*?)</script>", RegexOptions.Singleline).Groups[1].Value;
        var hash = Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(script)));
        Assert.Contains($"script-src 'sha256-{hash}'", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Its_elements_are_closed_and_charts_say_what_they_show()
    {
        var html = Report("one");
        var body = html[html.IndexOf("<main>", StringComparison.Ordinal)..(html.IndexOf("</main>", StringComparison.Ordinal) + "</main>".Length)];
        // Void elements and attributes without values are all that keeps the body from being XML.
        var xml = Regex.Replace(body, "<input ([^>]*)>", "<input $1/>").Replace(" hidden>", " hidden=\"\">", StringComparison.Ordinal).Replace("&nbsp;", " ", StringComparison.Ordinal);
        var root = XElement.Parse(xml);
        var charts = root.Descendants("svg").Where(svg => svg.Attribute("role")?.Value == "img").ToList();
        Assert.InRange(charts.Count, 8, 20);
        Assert.All(charts, chart => Assert.InRange(chart.Attribute("aria-label")!.Value.Length, 20, 4000));
        Assert.Equal(root.Descendants("section").Select(section => "#" + section.Attribute("id")!.Value), root.Descendants("nav").Single().Elements("a").Select(link => link.Attribute("href")!.Value));
        var ids = root.Descendants().Attributes("id").Select(id => id.Value).ToList();
        Assert.Equal(ids.Count, ids.Distinct().Count());
        Assert.All(root.Descendants("th"), cell => Assert.NotNull(cell.Attribute("scope")));
    }

    [BrowserFact]
    public async Task In_a_browser_its_script_runs_and_what_others_wrote_does_not()
    {
        var page = _folder.Write("page.html", Report("one"));
        var profile = Directory.CreateTempSubdirectory("j1-browser-").FullName;
        var start = new ProcessStartInfo(BrowserFactAttribute.Browser!)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { "--headless=new", "--no-sandbox", "--disable-gpu", $"--user-data-dir={profile}", "--enable-logging=stderr", "--dump-dom", new Uri(page).AbsoluteUri },
        };
        using var browser = Process.Start(start)!;
        var errors = browser.StandardError.ReadToEndAsync();
        var html = await browser.StandardOutput.ReadToEndAsync();
        await browser.WaitForExitAsync();
        try
        {
            Directory.Delete(profile, recursive: true);
        }
        catch (IOException) { } // One of its processes may still be ending.
        Assert.Contains("40 of 40 judgements", html, StringComparison.Ordinal);
        Assert.DoesNotContain("CONSOLE", await errors, StringComparison.Ordinal);
        Assert.Equal(1, Regex.Count(html, "<script"));
    }

    [Fact]
    public void Its_numbers_are_those_of_the_judgements()
    {
        // Of 40 pairs 20 are right in both orders, 10 are flips, 6 wrong in both, 4 invalid.
        var html = Report("one");
        Assert.Contains("50.0\u202F% <small>[35.2\u202F%, 64.8\u202F%]</small>", html, StringComparison.Ordinal);
        Assert.Equal((20, 10, 4), (Count("right"), Count("flip"), Count("invalid")));
        Assert.Contains("The first 40", Report("short", judgements: 40, pairs: 41), StringComparison.Ordinal);

        int Count(string kind) => Regex.Count(html, $"data-kind=\"[^\"]*\\b{kind}\\b");
    }

    [Fact]
    public void Several_runs_are_compared_with_seeds_in_one_row_and_paired_differences()
    {
        Write("a-seed0", seed: 0);
        Write("a-seed1", seed: 1);
        Write("b-seed0", seed: 0, name: "b", right: 30);
        RunRecord[] runs = [.. new[] { "a-seed0", "a-seed1", "b-seed0" }.Select(name => RunRecord.Read(_folder.At(name)))];
        Assert.Equal(["a", "b"], Comparison.Groups(runs).Select(group => group.Name));
        Assert.Contains("| a | 2 | 0.500 ± 0.000 |", Comparison.Markdown(runs), StringComparison.Ordinal);
        Assert.Contains("| b | 1 | 0.750 |", Comparison.Markdown(runs), StringComparison.Ordinal);
        var paired = Comparison.Paired(runs[0], runs[2])!.Value;
        Assert.Equal((0.25, 40), (paired.Difference, paired.Pairs));
        // Ten of forty differ by one: sd = sqrt(0.25·0.75·40/39), half = 1.96·sd/√40.
        Assert.Equal(0.25 - 1.96 * Math.Sqrt(0.25 * 0.75 * 40 / 39) / Math.Sqrt(40), paired.Low, 12);

        var command = CommandLine.Run("report", _folder.At("a-seed0"), _folder.At("a-seed1"), _folder.At("b-seed0"), "--output", _folder.At("compared.html"));
        Assert.Equal((ExitCode.Done, ""), (command.ExitCode, command.Error));
        Assert.Contains("3 runs compared", File.ReadAllText(_folder.At("compared.html")), StringComparison.Ordinal);
        Assert.Contains("+25.0", File.ReadAllText(_folder.At("compared.html")), StringComparison.Ordinal);
        Assert.Equal(ExitCode.WrongInput, CommandLine.Run("report", _folder.At("nowhere")).ExitCode);
    }

    [Fact]
    public void A_run_that_goes_on_can_be_reported_too()
    {
        Write("half", seed: 0);
        foreach (var file in (string[])["test_pairs.jsonl", "environment.json"]) File.Delete(_folder.At($"half/{file}"));
        Directory.Delete(_folder.At("half/judgements"), recursive: true);
        File.WriteAllText(_folder.At("half/metrics.jsonl"), """{"stage":"grpo","step":1,"reward":0.5}""" + "\n{\"stage\":\"gr");
        Assert.Equal(ExitCode.Done, CommandLine.Run("report", _folder.At("half")).ExitCode);
        Assert.Contains("Nothing has been measured yet.", File.ReadAllText(_folder.At("half/report.html")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1, 5, 6)]
    [InlineData(0, 300, 6, 7)]
    [InlineData(-3.2, 4.1, 5, 4)]
    public void Ticks_are_round_and_inside(double low, double high, int most, int expected)
    {
        var ticks = Chart.Ticks(low, high, most).ToList();
        Assert.Equal(expected, ticks.Count);
        Assert.All(ticks, tick => Assert.InRange(tick, low - 1e-9, high + 1e-9));
    }

    private string Report(string name, int judgements = 500, int pairs = 40)
    {
        Write(name, seed: 0, judgements: judgements, pairs: pairs);
        return HtmlReport.Write([RunRecord.Read(_folder.At(name))]);
    }

    private void Write(string folder, ulong seed, string name = "a", int right = 20, int judgements = 500, int pairs = 40)
    {
        _folder.Write($"{folder}/config.resolved.yaml", $"name: {name}\nseed: {seed}\nreport:\n  judgements: {judgements}\n");
        _folder.Write($"{folder}/environment.json", "{}");
        PreferencePair[] all = [.. Enumerable.Range(0, pairs).Select(i => new PreferencePair
        {
            Id = $"p{i}",
            Source = i % 2 == 0 ? "even" : "odd",
            Category = i == 0 ? Evil : "c",
            Instruction = i == 0 ? Evil : $"Question {i}?",
            ResponseA = i == 0 ? Evil : new string('a', 1 + i % 9),
            ResponseB = new string('b', 1 + i * 5 % 7),
            Label = i % 3 == 0 ? Preference.B : Preference.A,
        })];
        PreferencePairs.Write(_folder.At($"{folder}/test_pairs.jsonl"), all);
        var judged = all.Select((pair, i) =>
        {
            var better = pair.Label == Preference.A ? Outcome.A : Outcome.B;
            var (first, second) = i < right ? (better, better) : i < 30 ? (better, better.Swap()) : i < 36 ? (better.Swap(), better.Swap()) : (Outcome.Invalid, better);
            Judgement Said(Outcome outcome) => outcome == Outcome.Invalid ? Judgement.Without(InvalidReason.Unparsed, Evil) : new Judgement { Outcome = outcome, Text = i == 0 ? Evil : $"thought {i}", Thought = "t" };
            return PairJudgement.Combine(pair.Id, JudgeMode.Verdict, [Said(first)], [Said(second.Swap())], new Provenance { Judge = "j" });
        }).ToList();
        _folder.Write($"{folder}/judgements/after.jsonl", string.Concat(judged.Select(one => JsonSerializer.Serialize(one, JudgingJson.Options) + "\n")));
        var summary = EvaluationSummary.Of(all, judged);
        var rows = new List<object> { new { stage = "evaluate", at = "before", step = 0, summary } };
        rows.AddRange(Enumerable.Range(1, 20).Select(step => new { stage = "warm_start", step, loss = 3.0 / step }));
        rows.AddRange(Enumerable.Range(1, 30).Select(step => new { stage = "grpo", step, reward = step / 30.0, consistent_accuracy = 0.5, flips = 0.1, invalid = 0.0, kl = 0.01 * step, entropy = 1.0, completion_tokens = 20.0, gradient_norm = 1.0 }));
        rows.Add(new { stage = "evaluate", at = "after", step = 30, summary });
        rows.Add(new { stage = "calibrate", step = 30, scale = 1.5, pairs = 10, brier = 0.2, calibration_error = 0.05 });
        _folder.Write($"{folder}/metrics.jsonl", string.Concat(rows.Select(row => JsonSerializer.Serialize(row, J1.Cli.Json.Line) + "\n")));
    }
}

/// <summary>A fact that needs a browser without a window; skipped with a message where this machine has none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class BrowserFactAttribute : FactAttribute
{
    public static string? Browser { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(folder => new[] { "chromium", "chromium-browser", "google-chrome" }.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);

    public BrowserFactAttribute()
    {
        if (Browser is null) Skip = "needs chromium or google-chrome on the path";
    }
}
