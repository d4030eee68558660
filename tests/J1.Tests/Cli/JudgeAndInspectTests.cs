using System.Text.Json;
using J1.Cli;
using J1.Engines.Managed;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;
using J1.Judging;

namespace J1.Tests.Cli;

public sealed class JudgeAndInspectTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _model;

    public JudgeAndInspectTests()
    {
        var tokenizer = BpeTrainer.Train(["What is better, A or B?"], 300);
        using var engine = ManagedEngine.Create(new ModelConfig
        {
            Architecture = Architecture.Llama,
            HiddenSize = 16,
            IntermediateSize = 24,
            LayerCount = 1,
            HeadCount = 2,
            KeyValueHeadCount = 1,
            HeadSize = 8,
            VocabularySize = tokenizer.VocabularySize,
            ContextLength = 256,
            TieEmbeddings = true,
            EndTokens = tokenizer.EndTokens,
        }, tokenizer, seed: 5);
        _model = _folder.At("model");
        engine.Export(_model);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Rows_come_out_in_order_with_verdict_flip_and_probability()
    {
        var pairs = Pairs(40);
        var judged = CommandLine.Run("judge", "--model", _model, "--mode", "instant", "--prompt", "compact", "--jsonl", pairs, "--output", _folder.At("out.jsonl"));
        Assert.Equal((ExitCode.Done, ""), (judged.ExitCode, judged.Output));
        Assert.Contains("40/40 judged", judged.Error, StringComparison.Ordinal);
        Assert.Contains("On 40 labelled pairs: consistent accuracy", judged.Error, StringComparison.Ordinal);
        var rows = File.ReadAllText(_folder.At("out.jsonl")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(Enumerable.Range(0, 40).Select(i => $"p{i}"), rows.Select(row => row.GetProperty("id").GetString()));
        Assert.All(rows, row =>
        {
            Assert.Contains(row.GetProperty("verdict").GetString(), (string[])["A", "B", "tie"]);
            Assert.Contains(row.GetProperty("flipped").ValueKind, (JsonValueKind[])[JsonValueKind.True, JsonValueKind.False]);
            var probability = row.GetProperty("probability").GetDouble();
            Assert.Equal(row.GetProperty("verdict").GetString(), probability > 0.5 ? "A" : probability < 0.5 ? "B" : "tie");
            Assert.Equal(Math.Sign(row.GetProperty("margin").GetDouble()), Math.Sign(probability - 0.5));
        });
    }

    [Fact]
    public void No_verdict_is_null_with_its_reason()
    {
        var judged = CommandLine.Run("judge", "--model", _model, "--mode", "thinking", "--prompt", "compact", "--max-tokens", "4", "--jsonl", Pairs(1));
        var row = JsonDocument.Parse(judged.Output).RootElement;
        Assert.Equal(JsonValueKind.Null, row.GetProperty("verdict").ValueKind);
        Assert.Equal("truncated", row.GetProperty("invalid").GetString());
        Assert.Equal(JsonValueKind.Null, row.GetProperty("probability").ValueKind);

        var tooLong = CommandLine.Run("judge", "--model", _model, "--mode", "instant", "--jsonl", Pairs(1));
        Assert.Equal("too_long", JsonDocument.Parse(tooLong.Output).RootElement.GetProperty("invalid").GetString());
    }

    [Fact]
    public void One_pair_is_answered_in_words()
    {
        var judged = CommandLine.Run("judge", "--model", _model, "--mode", "instant", "--prompt", "compact", "--instruction", "1 + 1?", "--a", "2", "--b", "3");
        Assert.Equal(ExitCode.Done, judged.ExitCode);
        Assert.Contains("Question  1 + 1?", judged.Output, StringComparison.Ordinal);
        Assert.Matches("Verdict  [AB] is better.*probability that A is better 0\\.\\d\\d", judged.Output);
    }

    [Fact]
    public void How_a_model_was_trained_to_judge_is_the_default()
    {
        new JudgeFile { Thinking = false, Prompt = "{instruction}{response_a}{response_b}", MaxCompletionTokens = 1, CalibrationScale = 0 }.Write(_model);
        var judged = CommandLine.Run("judge", "--model", _model, "--jsonl", Pairs(1));
        Assert.Equal(0.5, JsonDocument.Parse(judged.Output).RootElement.GetProperty("probability").GetDouble());
        var otherwise = CommandLine.Run("judge", "--model", _model, "--prompt", "compact", "--jsonl", Pairs(1));
        Assert.NotEqual(0.5, JsonDocument.Parse(otherwise.Output).RootElement.GetProperty("probability").GetDouble());
    }

    [Fact]
    public void An_interrupted_or_failed_judging_leaves_the_old_file_and_no_half_one()
    {
        var output = _folder.Write("out.jsonl", "old");
        using var stopped = new CancellationTokenSource();
        stopped.Cancel();
        var interrupted = CommandLine.Run(null, null, stopped.Token, "judge", "--model", _model, "--mode", "instant", "--prompt", "compact", "--jsonl", Pairs(3), "--output", output);
        Assert.Equal(ExitCode.Interrupted, interrupted.ExitCode);
        Assert.Equal("old", File.ReadAllText(output));
        Assert.False(File.Exists(output + ".tmp"));
    }

    [Theory]
    [InlineData("Give one pair with --instruction, --a and --b", "--mode", "instant")]
    [InlineData("Give one pair with --instruction, --a and --b", "--mode", "instant", "--instruction", "x", "--a", "y")]
    [InlineData("Say --mode instant or --mode thinking", "--instruction", "x", "--a", "y", "--b", "z")]
    [InlineData("There is no prompt file", "--mode", "instant", "--prompt", "none.txt", "--instruction", "x", "--a", "y", "--b", "z")]
    [InlineData("--votes needs a --temperature", "--mode", "thinking", "--votes", "3", "--instruction", "x", "--a", "y", "--b", "z")]
    [InlineData("'sometimes' not recognized", "--mode", "sometimes")]
    [InlineData("nowhere.jsonl", "--mode", "instant", "--jsonl", "nowhere.jsonl")]
    public void Wrong_arguments_are_said_with_exit_code_2(string expected, params string[] arguments)
    {
        var refused = CommandLine.Run(["judge", "--model", _model, .. arguments]);
        Assert.Equal(ExitCode.WrongInput, refused.ExitCode);
        Assert.Contains(expected, refused.Error, StringComparison.Ordinal);
        Assert.Equal("", refused.Output);
    }

    [Fact]
    public void A_model_is_described()
    {
        var described = CommandLine.Run("inspect", _model);
        Assert.Equal(ExitCode.Done, described.ExitCode);
        foreach (var words in (string[])["llama: 1 layers, width 16", "256 tokens", "Parameters", "Memory", "ChatML", "<|im_end|> (2)"])
            Assert.Contains(words, described.Output, StringComparison.Ordinal);
        var json = JsonDocument.Parse(CommandLine.Run("inspect", _model, "--json").Output).RootElement;
        Assert.Equal("llama", json.GetProperty("architecture").GetString());
        Assert.Equal(256, json.GetProperty("context_length").GetInt32());
    }

    [Fact]
    public void Text_and_ids_give_the_same_tokens_and_log_probabilities()
    {
        var text = JsonDocument.Parse(CommandLine.Run("inspect", _model, "--text", "What is better?", "--json").Output).RootElement;
        var ids = text.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray();
        Assert.Equal(TokenizerReader.FromFolder(_model).Encode("What is better?"), ids);
        Assert.Equal(ids.Length - 1, text.GetProperty("log_probs").GetArrayLength());
        Assert.Equal(["ids", "log_probs"], text.EnumerateObject().Select(property => property.Name));
        Assert.Equal(text.GetRawText(), CommandLine.Run("inspect", _model, "--ids", string.Join(' ', ids), "--json").Output.Trim());
        using var engine = ManagedEngine.Open(_model);
        Assert.Equal(Models.LogProbabilities(engine, ids, default), text.GetProperty("log_probs").EnumerateArray().Select(l => l.GetSingle()));
        Assert.Contains("Nothing was put before the text.", CommandLine.Run("inspect", _model, "--text", "What").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_without_a_tokenizer_is_inspected_by_ids()
    {
        File.Delete(Path.Combine(_model, "tokenizer.json"));
        Assert.Contains("none: the model takes token ids only", CommandLine.Run("inspect", _model).Output, StringComparison.Ordinal);
        Assert.Equal(2, JsonDocument.Parse(CommandLine.Run("inspect", _model, "--ids", "5 9 2", "--json").Output).RootElement.GetProperty("log_probs").GetArrayLength());
        var refused = CommandLine.Run("inspect", _model, "--text", "x");
        Assert.Equal(ExitCode.WrongInput, refused.ExitCode);
        Assert.Contains("has no tokenizer", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_field_is_tokenized_line_by_line_without_weights()
    {
        File.Delete(Path.Combine(_model, "model.safetensors"));
        var file = _folder.Write("text.jsonl", "{\"t\": \"What\u2028is\"}\n\n{\"t\": \"\"}\n");
        var tokenized = CommandLine.Run("inspect", _model, "--jsonl", file, "--field", "t", "--json");
        var tokenizer = TokenizerReader.FromFolder(_model);
        Assert.Equal($"{{\"ids\": [{string.Join(", ", tokenizer.Encode("What\u2028is"))}]}}\n{{\"ids\": []}}\n", tokenized.Output);
        var refused = CommandLine.Run("inspect", _model, "--jsonl", _folder.Write("bad.jsonl", "{\"t\": \"x\"}\n{\"u\": 1}\n"), "--field", "t", "--json");
        Assert.Equal(ExitCode.WrongInput, refused.ExitCode);
        Assert.Contains("bad.jsonl:2: has no text in the field 't'; its fields are u", refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'x' is no token id", "--ids", "5 x")]
    [InlineData("is no token id", "--ids", "99999")]
    [InlineData("There is no token", "--ids", "")]
    [InlineData("are alternatives", "--ids", "1", "--text", "x")]
    [InlineData("go together", "--jsonl", "x")]
    public void Wrong_requests_to_inspect_are_said(string expected, params string[] arguments)
    {
        var refused = CommandLine.Run(["inspect", _model, .. arguments]);
        Assert.Equal(ExitCode.WrongInput, refused.ExitCode);
        Assert.Contains(expected, refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_commands_and_missing_models_are_exit_code_2()
    {
        Assert.Equal(ExitCode.WrongInput, CommandLine.Run("juge").ExitCode);
        Assert.Equal(ExitCode.WrongInput, CommandLine.Run().ExitCode);
        var missing = CommandLine.Run("inspect", _folder.At("nowhere"));
        Assert.Equal(ExitCode.WrongInput, missing.ExitCode);
        Assert.Contains("does not exist", missing.Error, StringComparison.Ordinal);
        var help = CommandLine.Run("--help");
        Assert.Equal(ExitCode.Done, help.ExitCode);
        foreach (var command in (string[])["run", "judge", "inspect"]) Assert.Contains(command, help.Output, StringComparison.Ordinal);
    }

    private string Pairs(int count) => _folder.Write("pairs.jsonl", string.Concat(Enumerable.Range(0, count).Select(i =>
        $"{{\"id\":\"p{i}\",\"instruction\":\"1 + {i}?\",\"response_a\":\"{i + 1}\",\"response_b\":\"{i}\",\"label\":\"{(i % 2 == 0 ? "A" : "B")}\"}}\n")));
}
