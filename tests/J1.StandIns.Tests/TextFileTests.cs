using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.StandIns.Tests;

public sealed class TextFileTests : IDisposable
{
    private readonly MLContext context = new(1);
    private readonly string path = Path.GetTempFileName();

    public void Dispose() => File.Delete(path);

    private sealed class Row
    {
        [LoadColumn(0)]
        public string Question { get; set; } = "";

        [LoadColumn(2)]
        public bool Label { get; set; }

        [LoadColumn(1)]
        public float Weight { get; set; }
    }

    private Row[] Read(string text, bool multiline = false, char separator = ',')
    {
        File.WriteAllText(path, text);
        var view = multiline
            ? context.Data.LoadFromTextFile<Row>(path, new TextLoader.Options { Separators = [separator], HasHeader = true, AllowQuoting = true, ReadMultilines = true })
            : context.Data.LoadFromTextFile<Row>(path, separator, hasHeader: true, allowQuoting: true);
        return [.. context.Data.CreateEnumerable<Row>(view, reuseRowObject: false)];
    }

    [Fact]
    public void Fields_are_read_by_their_index_and_quotes_keep_separators()
    {
        var rows = Read("question,weight,label\nplain,1.5,true\n\"with, comma and \"\"quotes\"\"\",-2e1,0\n\nlast,,1\n");
        Assert.Equal([("plain", 1.5f, true), ("with, comma and \"quotes\"", -20f, false), ("last", 0f, true)], rows.Select(r => (r.Question, r.Weight, r.Label)));
    }

    [Fact]
    public void Tabs_separate_too() => Assert.Equal("a, b", Read("q\tw\tl\na, b\t1\t1\n", separator: '\t').Single().Question);

    [Fact]
    public void A_quoted_field_may_hold_a_line_end_where_that_is_asked_for() =>
        Assert.Equal(["two\nlines", "one"], Read("q,w,l\n\"two\nlines\",1,1\none,1,0\n", multiline: true).Select(r => r.Question));

    [Fact]
    public void A_missing_file_is_an_error_before_reading() =>
        Assert.ThrowsAny<Exception>(() => context.Data.LoadFromTextFile<Row>(path + ".nowhere").Schema.Count);

    private sealed class Unmarked
    {
        public string Question { get; set; } = "";
    }

    [Fact]
    public void Every_member_says_its_field() => Assert.ThrowsAny<InvalidOperationException>(() => context.Data.LoadFromTextFile<Unmarked>(path));

    private sealed class Candidates
    {
        [LoadColumn(0, 2)]
        [VectorType(3)]
        public string[] Answers { get; set; } = [];
    }

    [Fact]
    public void A_range_of_fields_is_a_vector()
    {
        File.WriteAllText(path, "a,b,c\nd,e,f\n");
        var view = context.Data.LoadFromTextFile<Candidates>(path, ',');
        Assert.Equal(new VectorDataViewType(TextDataViewType.Instance, 3), view.Schema["Answers"].Type);
        Assert.Equal(["d", "e", "f"], view.GetColumn<string[]>("Answers").Last());
    }
}
