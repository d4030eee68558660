using System.Globalization;
using System.Text;

namespace J1.Cli.Reporting;

/// <summary>A line or a row of points of a chart.</summary>
/// <param name="Name">For the legend; null for one that needs none.</param>
/// <param name="Colour">0 to 7: the style sheet has them for light and dark.</param>
/// <param name="Points">In the order of x.</param>
internal sealed record Series(string? Name, int Colour, IReadOnlyList<(double X, double Y)> Points)
{
    /// <summary>Drawn as points; otherwise as a line.</summary>
    public bool IsPoints { get; init; }

    /// <summary>Drawn thin and pale, behind.</summary>
    public bool IsPale { get; init; }

    public bool IsDashed { get; init; }

    /// <summary>An interval for each point; null for none.</summary>
    public IReadOnlyList<(double Low, double High)>? Intervals { get; init; }

    /// <summary>The mean over a window around each point, pale points left to another series.</summary>
    public static IReadOnlyList<(double X, double Y)> Smooth(IReadOnlyList<(double X, double Y)> points, int window) =>
        [.. points.Select((point, i) => (point.X, points.Skip(Math.Max(0, i - window / 2)).Take(Math.Min(i, window / 2) + window / 2 + 1).Average(p => p.Y)))];
}

/// <summary>
/// Charts as inline SVG: colours and text come from the page's style sheet, so that they follow light and dark, and each says in words what it shows.
/// Drawn by hand because what libraries write needs a script or a font from elsewhere, or has its colours baked in.
/// </summary>
internal sealed class Chart
{
    private const int Width = 420, Height = 240, Left = 46, Right = 12, Top = 12, Bottom = 36;

    /// <summary>Above it.</summary>
    public required string Title { get; init; }

    /// <summary>What it shows, for who does not see it.</summary>
    public required string Description { get; init; }

    public string XLabel { get; init; } = "";

    public string? Note { get; init; }

    /// <summary>The y axis runs over these; null fits it to the values.</summary>
    public (double Low, double High)? YRange { get; init; }

    /// <summary>The y axis is in percent.</summary>
    public bool IsShare { get; init; }

    /// <summary>The x axis counts things: it has no ticks between whole numbers.</summary>
    public bool XIsWhole { get; init; }

    public required IReadOnlyList<Series> Series { get; init; }

    /// <summary>The figure.</summary>
    public string Draw()
    {
        var all = Series.SelectMany(series => series.Points).Where(point => double.IsFinite(point.X) && double.IsFinite(point.Y)).ToList();
        if (all.Count == 0) return "";
        var (x0, x1) = Padded(all.Min(p => p.X), all.Max(p => p.X), exact: true);
        var (y0, y1) = YRange ?? Padded(Math.Min(all.Min(p => p.Y), Series.SelectMany(s => s.Intervals ?? []).Select(i => i.Low).DefaultIfEmpty(double.MaxValue).Min()), Math.Max(all.Max(p => p.Y), Series.SelectMany(s => s.Intervals ?? []).Select(i => i.High).DefaultIfEmpty(double.MinValue).Max()), exact: false);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"""<figure class="chart"><figcaption>{Html.Escape(Title)}</figcaption><svg viewBox="0 0 {Width} {Height}" role="img" aria-label="{Html.Escape($"{Title}. {Description}")}">""");
        foreach (var tick in Ticks(y0, y1, 5))
            svg.Append(CultureInfo.InvariantCulture, $"""<line class="grid" x1="{Left}" x2="{Width - Right}" y1="{Y(tick):0.#}" y2="{Y(tick):0.#}"/><text class="tick" x="{Left - 6}" y="{Y(tick) + 4:0.#}" text-anchor="end">{TickText(tick)}</text>""");
        foreach (var tick in Ticks(x0, x1, 6).Where(tick => !XIsWhole || tick == Math.Round(tick)))
            svg.Append(CultureInfo.InvariantCulture, $"""<text class="tick" x="{X(tick):0.#}" y="{Height - Bottom + 16}" text-anchor="middle">{tick:0.###}</text>""");
        svg.Append(CultureInfo.InvariantCulture, $"""<line class="axis" x1="{Left}" x2="{Width - Right}" y1="{Height - Bottom}" y2="{Height - Bottom}"/>""");
        if (XLabel.Length > 0) svg.Append(CultureInfo.InvariantCulture, $"""<text class="tick" x="{(Left + Width - Right) / 2}" y="{Height - 4}" text-anchor="middle">{Html.Escape(XLabel)}</text>""");

        foreach (var series in Series.OrderByDescending(series => series.IsPale))
        {
            var look = $"s{series.Colour}{(series.IsPale ? " pale" : "")}{(series.IsDashed ? " dashed" : "")}";
            var points = series.Points.Select((point, i) => (point.X, point.Y, Interval: series.Intervals?[i])).Where(point => double.IsFinite(point.X) && double.IsFinite(point.Y)).ToList();
            if (!series.IsPoints && points.Count > 1)
                svg.Append(CultureInfo.InvariantCulture, $"""<polyline class="{look}" points="{string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{X(point.X):0.#},{Y(point.Y):0.#}")))}"/>""");
            foreach (var (x, y, interval) in points.Where(_ => series.IsPoints || points.Count == 1 || series.Intervals is not null))
            {
                if (interval is var (low, high)) svg.Append(CultureInfo.InvariantCulture, $"""<line class="{look} whisker" x1="{X(x):0.#}" x2="{X(x):0.#}" y1="{Y(low):0.#}" y2="{Y(high):0.#}"/>""");
                svg.Append(CultureInfo.InvariantCulture, $"""<circle class="{look}" cx="{X(x):0.#}" cy="{Y(y):0.#}" r="3.5"/>""");
            }
        }
        svg.Append("</svg>");
        var named = Series.Where(series => series.Name is not null).DistinctBy(series => (series.Name, series.Colour)).ToList();
        if (named.Count > 0)
            svg.Append("<ul class=\"legend\">").AppendJoin("", named.Select(series => $"""<li><svg viewBox="0 0 18 8" aria-hidden="true">{(series.IsPoints ? $"""<circle class="s{series.Colour}" cx="9" cy="4" r="3.5"/>""" : $"""<line class="s{series.Colour}{(series.IsDashed ? " dashed" : "")}" x1="1" x2="17" y1="4" y2="4"/>""")}</svg>{Html.Escape(series.Name)}</li>""")).Append("</ul>");
        if (Note is not null) svg.Append("<p class=\"note\">").Append(Html.Escape(Note)).Append("</p>");
        return svg.Append("</figure>\n").ToString();

        double X(double x) => Left + (x - x0) / (x1 - x0) * (Width - Left - Right);
        double Y(double y) => Height - Bottom - (Math.Clamp(y, y0, y1) - y0) / (y1 - y0) * (Height - Top - Bottom);
        string TickText(double tick) => IsShare ? (100 * tick).ToString("0.##", CultureInfo.InvariantCulture) + "%" : Math.Abs(tick) is > 0 and < 1e-3 ? tick.ToString("0.#e0", CultureInfo.InvariantCulture) : tick.ToString("0.####", CultureInfo.InvariantCulture);
    }

    private static (double Low, double High) Padded(double low, double high, bool exact)
    {
        if (high - low < 1e-12) return (low - Math.Max(0.5, Math.Abs(low) * 0.1), high + Math.Max(0.5, Math.Abs(high) * 0.1));
        return exact ? (low, high) : (low >= 0 && low < (high - low) * 0.3 ? 0 : low - (high - low) * 0.05, high + (high - low) * 0.05);
    }

    /// <summary>Round numbers in a range, about <paramref name="most"/> of them.</summary>
    internal static IEnumerable<double> Ticks(double low, double high, int most)
    {
        var rough = (high - low) / most;
        var magnitude = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = magnitude * (rough / magnitude) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 };
        for (var i = (long)Math.Ceiling(low / step - 1e-9); i * step <= high + step * 1e-9; i++) yield return i * step;
    }
}
