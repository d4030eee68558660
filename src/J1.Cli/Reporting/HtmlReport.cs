using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using J1.Cli.Running;
using J1.Data;
using J1.Evaluation;
using J1.Judging;

namespace J1.Cli.Reporting;

/// <summary>
/// A run, or several beside each other, as one HTML file that needs nothing else: no network, no library. Everything that a model or a data set wrote is escaped, and the page's
/// policy lets no script run but its own.
/// </summary>
internal sealed class HtmlReport
{
    private static readonly string s_style = Resource("report.css"), s_script = Resource("report.js");

    private readonly StringBuilder _page = new();
    private readonly IReadOnlyList<RunRecord> _runs;
    private readonly string? _folder;
    private readonly List<(string Id, string Title, string Body)> _sections = [];

    private HtmlReport(IReadOnlyList<RunRecord> runs, string? folder) => (_runs, _folder) = (runs, folder);

    /// <param name="runs">At least one.</param>
    /// <param name="folder">Where the page will be, for links to the runs' own reports.</param>
    public static string Write(IReadOnlyList<RunRecord> runs, string? folder = null)
    {
        var report = new HtmlReport(runs, folder);
        if (runs.Count == 1) report.One(runs[0]);
        else report.Several();
        return report._page.ToString();
    }

    private void One(RunRecord run)
    {
        Section("result", "Result", Cards(run) + ResultTable(run));
        Section("curves", "Learning", Curves([run]));
        if (run.LastJudgements is { Count: > 0 } judgements && run.Pairs.Count > 0)
        {
            var judged = Judged(run, judgements);
            Section("orders", "Verdicts by order", Confusion(judged));
            Section("calibration", "Calibration", CalibrationPlot(run, judged));
            Section("length", "Length", LengthPlot(judged));
            Section("slices", "Slices", Slices(judged));
            Section("judgements", "Judgements", Browse(run, judged));
        }
        Section("setting", "Setting", Settings(run));
        var state = run.Measured.ContainsKey("after") ? $"{run.Last!.N} unseen pairs, judged in both orders" : "not finished";
        Page(run.Name, state + (run.Seconds > 0 ? $"; {Sizes.Text(TimeSpan.FromSeconds(run.Seconds))} of work." : "."));
    }

    private void Several()
    {
        Section("result", "Result", ComparisonTable());
        Section("curves", "Learning", Curves(_runs));
        Section("paired", "Against the first", PairedTable());
        Section("runs", "Runs", RunList());
        Page(string.Create(CultureInfo.InvariantCulture, $"{_runs.Count} runs compared"), "Runs that differ in their seed alone are one row: mean ± standard deviation over seeds.");
    }

    // The page ----------------------------------------------------------------------------------------------------------------

    private void Section(string id, string title, string body)
    {
        if (body.Length > 0) _sections.Add((id, title, body));
    }

    private void Page(string title, string lead)
    {
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(s_script)));
        _page.Append(CultureInfo.InvariantCulture, $"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'">
            <title>{Html.Escape(title)}</title>
            <style>
            {s_style}</style>
            </head>
            <body>
            <a class="skip" href="#result">To the result</a>
            <main>
            <header>
            <h1>{Html.Escape(title)}</h1>
            <p class="soft">{Html.Escape(lead)}</p>
            <nav aria-label="Sections">{string.Concat(_sections.Select(section => $"<a href=\"#{section.Id}\">{section.Title}</a>"))}</nav>
            </header>

            """);
        foreach (var (id, name, body) in _sections) _page.Append(CultureInfo.InvariantCulture, $"<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{name}</h2>\n{body}</section>\n");
        _page.Append(CultureInfo.InvariantCulture, $"</main>\n<script>{s_script}</script>\n</body>\n</html>\n");
    }

    // The result --------------------------------------------------------------------------------------------------------------

    private static List<(string Name, EvaluationSummary Summary)> Columns(RunRecord run)
    {
        var columns = new List<(string, EvaluationSummary)>();
        if (run.Measured.TryGetValue("untrained", out var untrained)) columns.Add(("untrained", untrained));
        if (run.Measured.TryGetValue("before", out var before)) columns.Add((run.WarmStart.Count > 0 ? "after the warm start" : "before", before));
        if (run.Grpo.Count > 0 && run.Measured.TryGetValue("after", out var after)) columns.Add(("after GRPO", after));
        if (run.Measured.TryGetValue("after-pointwise", out var pointwise)) columns.Add(("the same, pointwise", pointwise));
        return columns;
    }

    private static string Cards(RunRecord run)
    {
        if (run.Last is not { } last) return "<p>Nothing has been measured yet.</p>\n";
        var first = Columns(run)[0].Summary;
        return $"""
            <div class="cards">
            {Card("right in both orders", last.ConsistentAccuracy, first.ConsistentAccuracy, last.Interval95)}
            {Card("orders disagree (flips)", last.Flips, first.Flips)}
            {Card("right, both orders together", last.AccuracyBothOrders, first.AccuracyBothOrders)}
            {Card("no verdict (invalid)", last.Invalid, first.Invalid)}
            </div>

            """;

        static string Card(string name, double value, double before, double[]? interval = null) =>
            $"<div class=\"card\"><b>{Html.Share(value)}</b><span>{name}{(interval is null ? "" : $" [{Html.Share(interval[0])}, {Html.Share(interval[1])}]")}; at first {Html.Share(before)}</span></div>";
    }

    private static string ResultTable(RunRecord run)
    {
        var columns = Columns(run);
        if (columns.Count == 0) return "";
        var table = new StringBuilder("<div class=\"scroll\" tabindex=\"0\"><table><caption>On unseen pairs, with 95% intervals (Wilson)</caption><thead><tr><th scope=\"col\">share of pairs</th>");
        foreach (var (name, _) in columns) table.Append(CultureInfo.InvariantCulture, $"<th scope=\"col\">{name}</th>");
        table.Append("</tr></thead><tbody>\n");
        Row("right in both orders (consistent accuracy)", s => s.ConsistentAccuracy);
        Row("flips: the orders name different answers", s => s.Flips);
        Row("right, better answer as labelled", s => s.AccuracyFirstOrder);
        Row("right, answers exchanged", s => s.AccuracySecondOrder);
        Row("right, both orders together", s => s.AccuracyBothOrders);
        Row("ties", s => s.Ties);
        Row("invalid", s => s.Invalid);
        Plain("names the first answer, of all that name one", s => Html.Share(s.ARate));
        Plain("Brier score of the probabilities", s => Html.Number(s.Brier));
        Plain("calibration error", s => Html.Number(s.CalibrationError));
        Plain("for comparison: the longer answer is better", s => Html.Share(s.LongerBaseline));
        Plain("pairs", s => s.N.ToString(CultureInfo.InvariantCulture));
        return table.Append("</tbody></table></div>\n").ToString();

        void Row(string name, Func<EvaluationSummary, double> value) => Plain(name, s => Interval(value(s), s.N));
        void Plain(string name, Func<EvaluationSummary, string> value)
        {
            table.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{name}</th>");
            foreach (var (_, summary) in columns) table.Append(CultureInfo.InvariantCulture, $"<td>{value(summary)}</td>");
            table.Append("</tr>\n");
        }
    }

    private static string Interval(double share, int n)
    {
        var interval = EvaluationSummary.Wilson((int)Math.Round(share * n), n);
        return $"{Html.Share(share)} <small>[{Html.Share(interval[0])}, {Html.Share(interval[1])}]</small>";
    }

    // Learning ----------------------------------------------------------------------------------------------------------------

    private static string Curves(IReadOnlyList<RunRecord> runs)
    {
        var groups = Comparison.Groups(runs);
        var charts = new StringBuilder();
        Add("Reward", "reward", "mean reward of a step's rollouts", isShare: false);
        Add("Right in both orders", "consistent_accuracy", "share of index-matched rollouts; points: unseen pairs", isShare: true, onTheWay: s => s.ConsistentAccuracy);
        Add("Flips", "flips", "share of rollouts whose orders disagree; points: unseen pairs", isShare: true, onTheWay: s => s.Flips);
        Add("Invalid", "invalid", "share of rollouts without a verdict", isShare: true, onTheWay: s => s.Invalid);
        Add("KL from the reference", "kl", "nats a token (k3)", isShare: false);
        Add("Entropy", "entropy", "nats a token, from the policy's own samples", isShare: false);
        Add("Length", "completion_tokens", "mean tokens of a completion", isShare: false);
        Add("Gradient norm", "gradient_norm", "before clipping", isShare: false);
        Add("Supervised loss", "loss", "warm start: nats a target token", isShare: false, rowsOf: run => run.WarmStart);
        return charts.Length == 0 ? "" : $"<div class=\"charts\">{charts}</div>\n";

        void Add(string title, string column, string note, bool isShare, Func<EvaluationSummary, double>? onTheWay = null, Func<RunRecord, IReadOnlyList<JsonElement>>? rowsOf = null)
        {
            var series = new List<Series>();
            foreach (var (i, (name, members)) in groups.Index())
                foreach (var (j, run) in members.Index())
                {
                    (double X, double Y)[] points = [.. (rowsOf?.Invoke(run) ?? run.Grpo).Select(row => (RunRecord.Number(row, "step") ?? 0, RunRecord.Number(row, column) ?? double.NaN)).Where(point => double.IsFinite(point.Item2))];
                    if (points.Length == 0) continue;
                    if (runs.Count == 1) series.Add(new Series(null, i % 8, Thin(points)) { IsPale = true });
                    series.Add(new Series(runs.Count > 1 && j == 0 ? name : null, i % 8, Thin(Series.Smooth(points, Math.Max(1, points.Length / 12)))) { IsDashed = i >= 8 });
                    if (onTheWay is null || runs.Count > 1) continue;
                    var measured = run.OnTheWay.Select(one => (one.Step, one.Summary));
                    if (run.Measured.TryGetValue("before", out var before)) measured = measured.Prepend((0, before));
                    if (run.Measured.TryGetValue("after", out var after)) measured = measured.Append((run.Grpo.Count, after));
                    var unseen = measured.ToList();
                    series.Add(new Series("unseen pairs", 1, [.. unseen.Select(one => ((double)one.Item1, onTheWay(one.Item2)))])
                    {
                        IsPoints = true,
                        Intervals = [.. unseen.Select(one => EvaluationSummary.Wilson((int)Math.Round(onTheWay(one.Item2) * one.Item2.N), one.Item2.N)).Select(interval => (interval[0], interval[1]))],
                    });
                }
            // A curve of nothing but zeros (KL without a reference) says nothing.
            if (series.Count == 0 || series.All(one => one.Points.All(point => point.Y == 0)) && column == "kl") return;
            var ends = series.Where(one => !one.IsPale && !one.IsPoints).Select(one => string.Create(CultureInfo.InvariantCulture, $"{one.Points[0].Y:0.###} to {one.Points[^1].Y:0.###}"));
            charts.Append(new Chart { Title = title, Description = $"By step, from {string.Join("; ", ends.Take(12))}.", XLabel = rowsOf is null ? "step of GRPO" : "step", XIsWhole = true, Note = runs.Count > 1 ? note.Split(';')[0] : note, IsShare = isShare, YRange = isShare ? (0, 1) : null, Series = series }.Draw());
        }
    }

    /// <summary>No more points than a picture can show.</summary>
    private static IReadOnlyList<(double X, double Y)> Thin(IReadOnlyList<(double X, double Y)> points)
    {
        const int most = 400;
        if (points.Count <= most) return points;
        return [.. Enumerable.Range(0, most).Select(i => points[(int)((long)i * (points.Count - 1) / (most - 1))])];
    }

    // Judgements --------------------------------------------------------------------------------------------------------------

    private static List<(PreferencePair Pair, PairJudgement Judgement)> Judged(RunRecord run, IReadOnlyList<PairJudgement> judgements)
    {
        var said = judgements.ToDictionary(judgement => judgement.Id, StringComparer.Ordinal);
        return [.. run.Pairs.Where(pair => pair.Label is Preference.A or Preference.B && said.ContainsKey(pair.Id)).Select(pair => (pair, said[pair.Id]))];
    }

    private static string Confusion(List<(PreferencePair Pair, PairJudgement Judgement)> judged)
    {
        var text = new StringBuilder("<p>What the judge says, by where the better answer is shown. A judge without position bias has the same two rows, mirrored.</p>\n<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">the better answer is shown</th><th scope=\"col\">says the first</th><th scope=\"col\">says the second</th><th scope=\"col\">tie</th><th scope=\"col\">no verdict</th><th scope=\"col\">right</th></tr></thead><tbody>\n");
        // An order's verdict as shown: in the second order, B stands first.
        var shown = judged.SelectMany(one => new[]
        {
            (BetterFirst: one.Pair.Label == Preference.A, Says: one.Judgement.FirstOrder),
            (BetterFirst: one.Pair.Label == Preference.B, Says: one.Judgement.SecondOrder.Swap()),
        }).ToList();
        foreach (var first in (bool[])[true, false])
        {
            var row = shown.Where(one => one.BetterFirst == first).ToList();
            text.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{(first ? "first" : "second")}</th>");
            foreach (var outcome in (Outcome[])[Outcome.A, Outcome.B, Outcome.Tie, Outcome.Invalid])
            {
                var share = row.Count(one => one.Says == outcome) / (double)row.Count;
                text.Append(CultureInfo.InvariantCulture, $"<td class=\"heat\"><i style=\"opacity:{0.45 * share:0.##}\"></i><span>{Html.Share(share)} <small>({row.Count(one => one.Says == outcome)})</small></span></td>");
            }
            text.Append(CultureInfo.InvariantCulture, $"<td>{Html.Share(row.Count(one => one.Says == (first ? Outcome.A : Outcome.B)) / (double)row.Count)}</td></tr>\n");
        }
        return text.Append("</tbody></table></div>\n").ToString();
    }

    private static string CalibrationPlot(RunRecord run, List<(PreferencePair Pair, PairJudgement Judgement)> judged)
    {
        var series = new List<Series> { new("as it should be", 7, [(0.5, 0.5), (1, 1)]) { IsDashed = true } };
        if (Bins(judgement => judgement.Probability) is { } raw) series.Add(raw with { Name = "as the judge gives them", Colour = 1 });
        var scale = run.Calibration?.Scale;
        if (scale is { } fitted && Bins(judgement => judgement.Margin is { } margin ? new Calibration(fitted).Probability(margin) : null) is { } calibrated)
            series.Add(calibrated with { Name = "calibrated", Colour = 0 });
        if (series.Count == 1) return "";
        var words = scale is null ? "<p>Nothing was calibrated.</p>"
            : $"<p>Probabilities are the margin times {Html.Number(scale)}, fitted to {run.Calibration!.Pairs} training pairs that were held out for it. On the unseen pairs they come to a Brier score of {Html.Number(run.Calibration.Brier)} and a calibration error of {Html.Number(run.Calibration.CalibrationError)}.</p>";
        return $"{words}\n<div class=\"charts\">" + new Chart
        {
            Title = "Reliability",
            Description = string.Join("; ", series.Skip(1).Select(one => $"{one.Name}: " + string.Join(", ", one.Points.Select(point => string.Create(CultureInfo.InvariantCulture, $"at {point.X:0.00} right {point.Y:0.00}"))))) + ".",
            XLabel = "confidence: the probability of the likelier answer",
            Note = "Share of right verdicts among those of about equal confidence, with 95% intervals; on the dashed line they agree.",
            IsShare = true,
            YRange = (0, 1),
            Series = series,
        }.Draw() + "</div>\n";

        Series? Bins(Func<PairJudgement, double?> probability)
        {
            var bins = judged.Select(one => (P: probability(one.Judgement), IsA: one.Pair.Label == Preference.A)).Where(one => one.P is not null)
                .Select(one => (Confidence: Math.Max(one.P!.Value, 1 - one.P.Value), Right: one.P.Value == 0.5 ? 0.5 : one.P.Value > 0.5 == one.IsA ? 1 : 0))
                .GroupBy(one => Math.Min(9, (int)((one.Confidence - 0.5) * 20))).OrderBy(bin => bin.Key).Select(bin => bin.ToList()).ToList();
            if (bins.Count == 0) return null;
            return new Series("", 0, [.. bins.Select(bin => (bin.Average(one => one.Confidence), bin.Average(one => one.Right)))])
            {
                IsPoints = true,
                Intervals = [.. bins.Select(bin => EvaluationSummary.Wilson((int)Math.Round(bin.Sum(one => one.Right)), bin.Count)).Select(interval => (interval[0], interval[1]))],
            };
        }
    }

    private static string LengthPlot(List<(PreferencePair Pair, PairJudgement Judgement)> judged)
    {
        var rows = judged.Where(one => one.Judgement.Outcome.IsDecisive())
            .Select(one => (Ratio: Math.Log2(Math.Max(1.0, one.Pair.ResponseA.Length) / Math.Max(1, one.Pair.ResponseB.Length)), SaysA: one.Judgement.Outcome == Outcome.A, IsA: one.Pair.Label == Preference.A))
            // A pair and its mirror image say the same of length.
            .SelectMany(one => new[] { one, (Ratio: -one.Ratio, SaysA: !one.SaysA, IsA: !one.IsA) }).OrderBy(one => one.Ratio).ToList();
        if (rows.Count < 20) return "";
        var distinct = rows.Select(one => Math.Round(one.Ratio, 6)).Distinct().Count();
        if (distinct < 3) return "<p>The answers' lengths differ too little to tell anything.</p>\n";
        // Of about equal size, and what is equally long in one bin.
        double[] edges = [.. Enumerable.Range(1, 6).Select(i => rows[i * rows.Count / 7].Ratio)];
        var bins = new List<List<(double Ratio, bool SaysA, bool IsA)>>();
        foreach (var bin in rows.GroupBy(one => edges.Count(edge => one.Ratio > edge)).OrderBy(bin => bin.Key).Select(bin => bin.ToList()))
            if (bins.Count > 0 && bin.Average(one => one.Ratio) - bins[^1].Average(one => one.Ratio) < (rows[^1].Ratio - rows[0].Ratio) / 20) bins[^1].AddRange(bin);
            else bins.Add(bin);
        var longer = judged.Where(one => one.Judgement.Outcome.IsDecisive() && one.Pair.ResponseA.Length != one.Pair.ResponseB.Length).ToList();
        var says = longer.Count == 0 ? double.NaN : longer.Average(one => (one.Pair.ResponseA.Length > one.Pair.ResponseB.Length) == (one.Judgement.Outcome == Outcome.A) ? 1.0 : 0);
        var isBetter = longer.Count == 0 ? double.NaN : longer.Average(one => (one.Pair.ResponseA.Length > one.Pair.ResponseB.Length) == (one.Pair.Label == Preference.A) ? 1.0 : 0);
        return $"<p>The judge prefers the longer answer in {Html.Share(says)} of the pairs where it decides and lengths differ; the longer one is better in {Html.Share(isBetter)}.</p>\n<div class=\"charts\">" + new Chart
        {
            Title = "How often the answer is preferred, by its length",
            Description = "The judge: " + string.Join(", ", bins.Select(bin => string.Create(CultureInfo.InvariantCulture, $"at ratio {Math.Pow(2, bin.Average(one => one.Ratio)):0.##} {bin.Average(one => one.SaysA ? 1.0 : 0):0.00} (labels {bin.Average(one => one.IsA ? 1.0 : 0):0.00})"))) + ".",
            XLabel = "log2 of its length over the other's, in characters",
            Note = "A bias towards length lifts the judge's curve above that of the labels on the right.",
            IsShare = true,
            YRange = (0, 1),
            Series =
            [
                new Series("labels", 7, [.. bins.Select(bin => (bin.Average(one => one.Ratio), bin.Average(one => one.IsA ? 1.0 : 0)))]) { IsDashed = true },
                new Series("the judge", 0, [.. bins.Select(bin => (bin.Average(one => one.Ratio), bin.Average(one => one.SaysA ? 1.0 : 0)))]),
            ],
        }.Draw() + "</div>\n";
    }

    private static string Slices(List<(PreferencePair Pair, PairJudgement Judgement)> judged)
    {
        var text = new StringBuilder();
        Table("source", pair => pair.Source);
        Table("category", pair => pair.Category);
        return text.ToString();

        void Table(string name, Func<PreferencePair, string> key)
        {
            var slices = judged.GroupBy(one => key(one.Pair), StringComparer.Ordinal).OrderByDescending(slice => slice.Count()).ThenBy(slice => slice.Key, StringComparer.Ordinal).ToList();
            if (slices.Count < 2 && (name == "category" || slices[0].Key.Length == 0)) return;
            text.Append(CultureInfo.InvariantCulture, $"<div class=\"scroll\" tabindex=\"0\"><table><caption>By {name}</caption><thead><tr><th scope=\"col\">{name}</th><th scope=\"col\">pairs</th><th scope=\"col\">right in both orders</th><th scope=\"col\">flips</th><th scope=\"col\">invalid</th><th scope=\"col\">names the first</th><th scope=\"col\">the longer is better</th></tr></thead><tbody>\n");
            foreach (var slice in slices.Take(40))
            {
                var s = EvaluationSummary.Of([.. slice.Select(one => one.Pair)], [.. slice.Select(one => one.Judgement)]);
                text.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{(slice.Key.Length == 0 ? "(none)" : Html.Escape(slice.Key))}</th><td>{s.N}</td><td>{Interval(s.ConsistentAccuracy, s.N)}</td><td>{Html.Share(s.Flips)}</td><td>{Html.Share(s.Invalid)}</td><td>{Html.Share(s.ARate)}</td><td>{Html.Share(s.LongerBaseline)}</td></tr>\n");
            }
            text.Append("</tbody></table></div>\n");
            if (slices.Count > 40) text.Append(CultureInfo.InvariantCulture, $"<p class=\"note\">The 40 largest of {slices.Count}.</p>\n");
        }
    }

    private static string Browse(RunRecord run, List<(PreferencePair Pair, PairJudgement Judgement)> judged)
    {
        var most = int.TryParse(run.Config.Split('\n').FirstOrDefault(line => line.StartsWith("  judgements:", StringComparison.Ordinal))?.Split(':')[1], CultureInfo.InvariantCulture, out var set) ? set : 500;
        if (most == 0) return "";
        var text = new StringBuilder("""
            <div class="filters" hidden>
            <label>Show <select id="kind"><option value="">all</option><option value="right">right in both orders</option><option value="wrong">wrong in an order</option><option value="flip">flips</option><option value="tie">ties</option><option value="invalid">invalid</option></select></label>
            <label>Source <select id="source"><option value="">all</option>
            """);
        foreach (var source in judged.Select(one => one.Pair.Source).Distinct().Order(StringComparer.Ordinal).Where(source => source.Length > 0)) text.Append(CultureInfo.InvariantCulture, $"<option>{Html.Escape(source)}</option>");
        text.Append("</select></label>\n<label>Containing <input id=\"text\" type=\"search\"></label>\n<span id=\"count\" class=\"note\" role=\"status\"></span></div>\n");
        foreach (var (pair, judgement) in judged.Take(most)) Item(text, pair, judgement);
        text.Append("<p><button id=\"more\" type=\"button\" hidden>Show more</button></p>\n");
        if (judged.Count > most) text.Append(CultureInfo.InvariantCulture, $"<p class=\"note\">The first {most} of {judged.Count}; report.judgements sets how many.</p>\n");
        return text.ToString();
    }

    private static void Item(StringBuilder text, PreferencePair pair, PairJudgement judgement)
    {
        var isRight = Comparison.IsRight(judgement, pair);
        var isInvalid = judgement.FirstOrder == Outcome.Invalid || judgement.SecondOrder == Outcome.Invalid;
        var isTie = !isInvalid && (judgement.FirstOrder == Outcome.Tie || judgement.SecondOrder == Outcome.Tie);
        var kinds = string.Join(' ', new[] { isRight ? "right" : isInvalid ? "" : "wrong", judgement.Flipped ? "flip" : "", isTie ? "tie" : "", isInvalid ? "invalid" : "" }.Where(kind => kind.Length > 0));
        var word = isRight ? "right" : isInvalid ? "invalid" : judgement.Flipped ? "flip" : isTie ? "tie" : "wrong";
        text.Append(CultureInfo.InvariantCulture, $"""
            <details class="judgement" data-kind="{kinds}" data-source="{Html.Escape(pair.Source)}"><summary><b class="{(isRight ? "good" : "bad")}">{word}</b><span>{Html.Escape(Short(pair.Instruction))}</span></summary><div>
            <p class="note">{Html.Escape(pair.Id)} · better: {pair.Label} · verdict: {Html.Escape(RunReport.Verdict(judgement))}{(judgement.Margin is { } margin ? $" · margin {Html.Number(margin, "0.00")}" : "")}</p>
            <h4>Question</h4><pre>{Html.Escape(pair.Instruction)}</pre>
            <div class="two"><div><h4>Answer A{(pair.Label == Preference.A ? " (better)" : "")}</h4><pre>{Html.Escape(pair.ResponseA)}</pre></div><div><h4>Answer B{(pair.Label == Preference.B ? " (better)" : "")}</h4><pre>{Html.Escape(pair.ResponseB)}</pre></div></div>
            <div class="two">{Order("A shown first", judgement.First, judgement.FirstOrder)}{Order("B shown first", judgement.Second, judgement.SecondOrder)}</div>
            </div></details>

            """);

        static string Order(string name, IReadOnlyList<Judgement> votes, Outcome outcome) =>
            $"<div><h4>{name}: {(outcome.IsDecisive() ? $"{outcome} is better" : outcome == Outcome.Tie ? "a tie" : $"no verdict ({Configuration.Names.Snake(votes.FirstOrDefault(vote => vote.Invalid is not null)?.Invalid.ToString() ?? "unparsed").Replace('_', ' ')})")}</h4>{string.Concat(votes.Take(4).Select(vote => $"<pre>{Html.Escape(Words(vote))}</pre>"))}{(votes.Count > 4 ? $"<p class=\"note\">and {votes.Count - 4} more</p>" : "")}</div>";
    }

    private static string Words(Judgement vote) =>
        vote.LogOdds is { } odds ? $"log-odds of the answer shown first: {Html.Number(odds, "0.00")}" : vote.Text.Trim() is { Length: > 0 } text ? text : "(nothing)";

    private static string Short(string text)
    {
        var line = text.ReplaceLineEndings(" ").Trim();
        return line.Length <= 140 ? line : line[..140] + "…";
    }

    private static string Settings(RunRecord run) => $"""
        <details class="more"><summary>Configuration, every value</summary><pre>{Html.Escape(run.Config)}</pre></details>
        {(run.Environment is null ? "" : $"<details class=\"more\"><summary>Where it ran</summary><pre>{Html.Escape(run.Environment)}</pre></details>")}

        """;

    // Several runs ------------------------------------------------------------------------------------------------------------

    private string ComparisonTable()
    {
        var table = new StringBuilder("<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">run</th><th scope=\"col\">seeds</th><th scope=\"col\">right in both orders</th><th scope=\"col\">right, both together</th><th scope=\"col\">flips</th><th scope=\"col\">ties</th><th scope=\"col\">invalid</th></tr></thead><tbody>\n");
        var points = new List<(double X, double Y, int Group)>();
        foreach (var (i, (name, group)) in Comparison.Groups(_runs).Index())
        {
            EvaluationSummary[] last = [.. group.Select(run => run.Last).OfType<EvaluationSummary>()];
            if (last.Length == 0) continue;
            points.AddRange(last.Select(summary => (i + 1.0, summary.ConsistentAccuracy, i)));
            table.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{i + 1}. {Html.Escape(name)}</th><td>{last.Length}</td><td>{Comparison.Spread(last, s => s.ConsistentAccuracy)}</td><td>{Comparison.Spread(last, s => s.AccuracyBothOrders)}</td><td>{Comparison.Spread(last, s => s.Flips)}</td><td>{Comparison.Spread(last, s => s.Ties)}</td><td>{Comparison.Spread(last, s => s.Invalid)}</td></tr>\n");
        }
        table.Append("</tbody></table></div>\n");
        return table + "<div class=\"charts\">" + new Chart
        {
            Title = "Right in both orders, each run",
            Description = string.Join(", ", points.Select(point => string.Create(CultureInfo.InvariantCulture, $"row {point.X:0}: {point.Y:0.00}"))) + ".",
            XLabel = "row of the table",
            XIsWhole = true,
            IsShare = true,
            YRange = (0, 1),
            Series = [.. points.GroupBy(point => point.Group).Select(group => new Series(null, group.Key % 8, [.. group.Select(point => (point.X, point.Y))]) { IsPoints = true })],
        }.Draw() + "</div>\n";
    }

    private string PairedTable()
    {
        var first = _runs[0];
        var rows = _runs.Skip(1).Select(run => (run.Name, Difference: Comparison.Paired(first, run))).Where(row => row.Difference is not null).ToList();
        if (rows.Count == 0) return "";
        var table = new StringBuilder($"<p>How much more often each run is right in both orders than {Html.Escape(first.Name)}, on the pairs that both judged.</p>\n<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">run</th><th scope=\"col\">difference</th><th scope=\"col\">95% interval</th><th scope=\"col\">pairs</th></tr></thead><tbody>\n");
        foreach (var (name, difference) in rows)
            table.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{Html.Escape(name)}</th><td>{100 * difference!.Value.Difference:+0.0;-0.0;0.0}</td><td>[{100 * difference.Value.Low:+0.0;-0.0;0.0}, {100 * difference.Value.High:+0.0;-0.0;0.0}]</td><td>{difference.Value.Pairs}</td></tr>\n");
        return table.Append("</tbody></table></div>\n<p class=\"note\">In percentage points; the interval is of this test set's pairs, not of other seeds.</p>\n").ToString();
    }

    private string RunList()
    {
        var list = new StringBuilder("<ul>\n");
        foreach (var run in _runs)
        {
            var report = Path.Combine(run.Folder, RunFolder.Report);
            var name = Html.Escape(run.Name);
            if (_folder is not null && File.Exists(report)) name = $"<a href=\"{Html.Escape(string.Join('/', Path.GetRelativePath(_folder, report).Split('/', '\\').Select(Uri.EscapeDataString)))}\">{name}</a>";
            list.Append(CultureInfo.InvariantCulture, $"<li>{name}: {run.Grpo.Count} steps of GRPO{(run.Seconds > 0 ? $", {Sizes.Text(TimeSpan.FromSeconds(run.Seconds))}" : "")}</li>\n");
        }
        return list.Append("</ul>\n").ToString();
    }

    private static string Resource(string name)
    {
        using var stream = typeof(HtmlReport).Assembly.GetManifestResourceStream($"J1.Cli.Reporting.{name}")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
