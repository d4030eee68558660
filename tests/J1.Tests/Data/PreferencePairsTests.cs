using System.Text;
using J1.Data;

namespace J1.Tests.Data;

public sealed class PreferencePairsTests : IDisposable
{
    private const string Good = """{"id": "1", "instruction": "q", "response_a": "a", "response_b": "b", "label": "A"}""";

    private readonly string _file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    public void Dispose()
    {
        File.Delete(_file);
        File.Delete(_file + ".tmp");
    }

    [Fact]
    public void What_is_written_is_read()
    {
        PreferencePair[] pairs =
        [
            new() { Id = "1", Instruction = "line\u2028one\nline two\r\n", ResponseA = "\"a\" 👍 é", ResponseB = "{\"b\": 1}\t\0", Label = Preference.A, Source = "s", Category = "c" },
            new() { Id = "2", Instruction = "q", ResponseA = "a", ResponseB = "b", Label = Preference.Tie, Thought = "one", SwappedThought = "two" },
            new() { Id = "3", Instruction = "q", ResponseA = "same", ResponseB = "same" },
            new() { Id = "4", Instruction = new string('q', 300_000), ResponseA = "a", ResponseB = "b", Label = Preference.B },
        ];
        PreferencePairs.Write(_file, pairs);
        Assert.Equal(pairs, PreferencePairs.Read(_file));
        Assert.Equal(4, File.ReadAllBytes(_file).Count(b => b == '\n'));
    }

    [Fact]
    public void Marks_of_other_systems_are_tolerated()
    {
        Write("\uFEFF" + Good + "\r\n\r\n   \n" + Good.Replace("\"1\"", "2", StringComparison.Ordinal).Replace("\"A\"", "null", StringComparison.Ordinal));
        var pairs = PreferencePairs.Read(_file).ToArray();
        Assert.Equal([("1", Preference.A), ("2", null)], pairs.Select(pair => (pair.Id, pair.Label)));
    }

    [Fact]
    public void Lines_are_read_as_they_are_asked_for()
    {
        Write(Good + "\nnot json\n");
        Assert.Equal("1", PreferencePairs.Read(_file).First().Id);
        Assert.Throws<DataException>(() => PreferencePairs.Read(_file).ToArray());
    }

    [Theory]
    [InlineData("{\"id\": \"2\", \"instruction\": ", "not JSON at byte 28 of the line. Expected one object a line")]
    [InlineData("[1, 2]", "expected an object with the fields id, instruction, response_a, response_b and label, but this is a list")]
    [InlineData("{}", "the field \"id\" is missing; expected a text")]
    [InlineData("{\"id\": \"2\", \"instruction\": \"q\", \"response_a\": \"a\"}", "the field \"response_b\" is missing; expected a text. Add it")]
    [InlineData("{\"id\": \"2\", \"instruction\": null, \"response_a\": \"a\", \"response_b\": \"b\"}", "the field \"instruction\" is null")]
    [InlineData("{\"id\": \"2\", \"instruction\": 7, \"response_a\": \"a\", \"response_b\": \"b\"}", "the field \"instruction\" is a number; expected a text")]
    [InlineData("{\"id\": \"2\", \"instruction\": \"q\", \"response_a\": \"  \", \"response_b\": \"b\"}", "the field \"response_a\" is empty; there is nothing to judge")]
    [InlineData("{\"id\": \"2\", \"instruction\": \"q\", \"response_a\": \"a\", \"response_b\": \"b\", \"label\": \"C\"}", "the label is 'C'; expected \"A\", \"B\", \"tie\", or null")]
    [InlineData("{\"id\": \"2\", \"instruction\": \"q\", \"response_a\": \"a\", \"response_b\": \"b\", \"label\": 1}", "the field \"label\" is a number")]
    [InlineData("{\"id\": \"2\", \"instruction\": \"q\", \"response_a\": \"a\", \"response_b\": \"a\", \"label\": \"A\"}", "both responses of '2' are equal")]
    [InlineData("{\"id\": \"2\", \"instruction\": \"\\ud800\", \"response_a\": \"a\", \"response_b\": \"b\"}", "the field \"instruction\" holds half a surrogate pair")]
    [InlineData("{\"id\": \"1\", \"instruction\": \"q\", \"response_a\": \"a\", \"response_b\": \"b\"}", "the id '1' is already that of line 1")]
    [InlineData("{\"pair_id\": \"2\", \"question\": \"q\", \"response_A\": \"a\", \"response_B\": \"b\", \"label\": \"A\"}", "the label is 'A'; a row of JudgeBench has \"A>B\" or \"B>A\"")]
    public void A_wrong_line_is_refused_by_file_and_line(string line, string expected)
    {
        Write(Good + "\n" + line + "\n");
        Assert.StartsWith($"{_file}:2: {expected}", Assert.Throws<DataException>(() => PreferencePairs.Read(_file).ToArray()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_are_not_UTF8_are_refused_by_place()
    {
        File.WriteAllBytes(_file, [.. Encoding.UTF8.GetBytes(Good + "\n{\"id\": \""), 0xC3, 0x28, (byte)'\n']);
        Assert.StartsWith($"{_file}:2: byte 9 of the line is not UTF-8", Assert.Throws<DataException>(() => PreferencePairs.Read(_file).ToArray()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_named_before_anything_is_read() =>
        Assert.Contains(_file, Assert.Throws<DataException>(() => { _ = PreferencePairs.Read(_file); }).Message, StringComparison.Ordinal);

    [Fact]
    public void A_write_that_fails_leaves_the_old_file()
    {
        Write(Good);
        Assert.Throws<InvalidOperationException>(() => PreferencePairs.Write(_file, Failing()));
        Assert.Equal("1", PreferencePairs.Read(_file).Single().Id);

        static IEnumerable<PreferencePair> Failing()
        {
            yield return new() { Id = "2", Instruction = "q", ResponseA = "a", ResponseB = "b" };
            throw new InvalidOperationException();
        }
    }

    [Fact]
    public void Rows_of_other_benchmarks_are_read()
    {
        var lines = new StringBuilder("""{"pair_id": "jb", "original_id": "x", "source": "mmlu-pro-law", "question": "q", "response_model": "m", "response_A": "a", "response_B": "b", "label": "B>A"}""" + "\n");
        for (var i = 0; i < 200; i++) lines.Append(System.Globalization.CultureInfo.InvariantCulture, $"{{\"id\": {i}, \"prompt\": \"q\", \"chosen\": \"right\", \"rejected\": \"wrong\", \"subset\": \"math-prm\"}}\n");
        Write(lines.ToString());
        var pairs = PreferencePairs.Read(_file).ToArray();
        Assert.Equal((Preference.B, "judgebench", "mmlu-pro-law", "a"), (pairs[0].Label, pairs[0].Source, pairs[0].Category, pairs[0].ResponseA));
        Assert.All(pairs[1..], pair => Assert.Equal("right", pair.Label == Preference.A ? pair.ResponseA : pair.ResponseB));
        Assert.InRange(pairs[1..].Count(pair => pair.Label == Preference.A), 70, 130);
        Assert.Equal(pairs, PreferencePairs.Read(_file));
    }

    [SharedFact("data/pairs")]
    public void The_shared_files_are_read_whole()
    {
        var pairs = Directory.GetFiles(Shared.PathTo("data/pairs"), "*.jsonl").SelectMany(PreferencePairs.Read).ToArray();
        Assert.Equal((4072 + 199, 199), (pairs.Length, pairs.Count(pair => pair.Label == Preference.Tie)));
    }

    private void Write(string text) => File.WriteAllText(_file, text, new UTF8Encoding(false));
}
