using System.Text;
using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Models;
using J1.Extensions.AI;
using J1.Judging;
using J1.Tests.Judging;
using Microsoft.Extensions.AI;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;
using EngineMessage = J1.Engines.ChatMessage;

namespace J1.Apps.Tests.Engines;

public sealed class EngineChatClientTests
{
    [Fact]
    public async Task A_local_engine_answers_a_conversation()
    {
        var engine = new ScriptedEngine { Write = (prompt, _, _) => "You said " + prompt.Length };
        using var client = new EngineChatClient(engine);
        var response = await client.GetResponseAsync([new(ChatRole.System, "Be brief."), new(ChatRole.User, "Hello")], new ChatOptions { Instructions = "Obey." });
        Assert.Equal("Obey.Be brief.Hello", engine.Prompts[0]);
        Assert.Equal("You said 19", response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal((26, 12), (response.Usage!.InputTokenCount, response.Usage.OutputTokenCount));
        Assert.NotNull(client.GetService<ChatClientMetadata>());
        Assert.Same(engine, client.GetService<IEngine>());
    }

    [Fact]
    public async Task What_is_streamed_is_what_is_answered_token_by_token_whatever_its_bytes()
    {
        using var engine = Tiny();
        var sampling = new SamplingOptions { MaxTokens = 60, Temperature = 1 };
        using var client = new EngineChatClient(engine, sampling, seed: 3);
        ChatMessage[] question = [new(ChatRole.User, "Go")];
        foreach (var seed in (long[])[1, 2, 3])
        {
            var pieces = await client.GetStreamingResponseAsync(question, new ChatOptions { Seed = seed }).ToListAsync();
            var whole = await client.GetResponseAsync(question, new ChatOptions { Seed = seed });
            var expected = engine.Generate([engine.Tokenizer.EncodeChat([EngineMessage.User("Go")])], 1, sampling, (ulong)seed)[0][0];
            Assert.Equal(engine.Tokenizer.Decode(expected.Tokens), string.Concat(pieces.Select(piece => piece.Text)));
            Assert.Equal(engine.Tokenizer.Decode(expected.Tokens), whole.Text);
            Assert.True(pieces.Count > 20, "It did not stream.");
        }
    }

    [Fact]
    public void Characters_are_passed_on_whole_and_broken_ones_at_the_end()
    {
        var bytes = new ByteTokenizer();
        foreach (var text in (string[])["plain", "naïve — “quotes”", "日本語", "👩‍👩‍👧 family 👍🏽", "\uFFFD in the middle", "é"])
        {
            var streamed = new StreamedText(bytes);
            var pieces = Encoding.UTF8.GetBytes(text).Select(b => streamed.Add(b)).Append(streamed.End()).ToArray();
            Assert.Equal(text, string.Concat(pieces));
            Assert.All(pieces, piece => Assert.False(piece.Length > 0 && (char.IsLowSurrogate(piece[0]) || char.IsHighSurrogate(piece[^1]))));
            if (!text.Contains('\uFFFD', StringComparison.Ordinal)) Assert.DoesNotContain(pieces, piece => piece.Contains('\uFFFD', StringComparison.Ordinal));
        }
        var cut = new StreamedText(bytes);
        Assert.Equal("a", cut.Add('a'));
        Assert.Equal("", cut.Add(0xE6));
        Assert.Equal("\uFFFD", cut.End());
    }

    [Fact]
    public void A_stop_sequence_ends_the_text_and_is_not_part_of_it_even_if_it_comes_in_pieces()
    {
        var streamed = new StreamedText(new ByteTokenizer(), ["END", "\n\n"]);
        var pieces = new List<string>();
        foreach (var letter in "the EN of it ENDless")
        {
            pieces.Add(streamed.Add(letter));
            if (streamed.HasStopped) break;
        }
        Assert.Equal("the EN of it ", string.Concat(pieces) + streamed.End());
        Assert.DoesNotContain(pieces, piece => piece == "E");
    }

    [Fact]
    public async Task A_stop_sequence_stops_the_engine_too()
    {
        using var engine = Tiny();
        using var client = new EngineChatClient(engine, new SamplingOptions { MaxTokens = 60, Temperature = 1 }, seed: 1);
        var text = (await client.GetResponseAsync("Go")).Text;
        var stop = text[(text.Length / 2)..].First(char.IsAscii).ToString();
        var stopped = await client.GetResponseAsync("Go", new ChatOptions { StopSequences = [stop] });
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], stopped.Text);
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);
        Assert.True(stopped.Usage!.OutputTokenCount < 60);
        Assert.Equal(ChatFinishReason.Length, (await client.GetResponseAsync("Go", new ChatOptions { MaxOutputTokens = 3 })).FinishReason);
    }

    [Fact]
    public async Task A_reader_that_leaves_or_cancels_frees_the_engine()
    {
        using var engine = Tiny();
        using var client = new EngineChatClient(engine, new SamplingOptions { MaxTokens = 200, Temperature = 1 });
        await foreach (var _ in client.GetStreamingResponseAsync("Go")) break;
        using var cancelled = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in client.GetStreamingResponseAsync("Go", cancellationToken: cancelled.Token)) await cancelled.CancelAsync();
        });
        Assert.NotEmpty((await client.GetResponseAsync("Go", new ChatOptions { MaxOutputTokens = 5 })).Text);
    }

    [Fact]
    public async Task Many_requests_at_once_wait_for_each_other()
    {
        using var engine = Tiny();
        using var client = new EngineChatClient(engine, new SamplingOptions { MaxTokens = 8, Temperature = 1 });
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => client.GetResponseAsync("Go", new ChatOptions { Seed = i % 2 })));
        Assert.Equal(2, answers.Select(answer => answer.Text).Distinct().Count());
    }

    [Fact]
    public async Task What_an_engine_cannot_do_is_refused()
    {
        using var client = new EngineChatClient(new ScriptedEngine());
        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync("Go", new ChatOptions { Tools = [AIFunctionFactory.Create(() => 1, "one")] }));
        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync("Go", new ChatOptions { ResponseFormat = ChatResponseFormat.Json }));
        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync([new(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")])]));
        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync([new(ChatRole.Tool, "x")]));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync([]));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync("Go", new ChatOptions { Temperature = -1 }));
        using var small = Tiny(context: 16);
        using var full = new EngineChatClient(small);
        await Assert.ThrowsAsync<ContextOverflowException>(() => full.GetResponseAsync(new string('x', 99)));
    }

    [Fact]
    public async Task The_same_engine_answers_and_judges()
    {
        var engine = new ScriptedEngine { Write = (prompt, _, _) => prompt.Contains("<score>", StringComparison.Ordinal) ? " It is short. </think><score> 4 </score>" : "Forty-two." };
        using var client = new EngineChatClient(engine).UseJudge(new JudgeOptions
        {
            Rater = new JudgeRater(new EngineJudge(engine, new JudgeFormat { Mode = JudgeMode.Pointwise })),
            OnJudgeFailure = JudgeFailure.Block,
            Streaming = JudgeStreaming.BufferThenRelease,
        });
        var verdict = (await client.GetResponseAsync("What is it?")).GetVerdict()!;
        Assert.Equal((4.0, "It is short."), (verdict.Score, verdict.Reason));
    }

    private static ManagedEngine Tiny(int context = 512) => ManagedEngine.Create(new ModelConfig
    {
        Architecture = Architecture.Llama,
        TieEmbeddings = true,
        VocabularySize = ByteTokenizer.Size,
        HiddenSize = 16,
        IntermediateSize = 32,
        LayerCount = 1,
        HeadCount = 2,
        KeyValueHeadCount = 1,
        HeadSize = 8,
        ContextLength = context,
        EndTokens = [ByteTokenizer.End],
    }, new ByteTokenizer(), 11);

    /// <summary>A token a byte, so that characters come in pieces.</summary>
    private sealed class ByteTokenizer : ITokenizer
    {
        public const int End = 256, Size = 257;

        public int VocabularySize => Size;

        public IReadOnlyList<int> EndTokens => [End];

        public int[] Encode(string text) => [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)];

        public int[] EncodeChat(IReadOnlyList<EngineMessage> messages, string assistantPrefix = "") => [.. messages.SelectMany(message => Encode(message.Content + "\n")), .. Encode(assistantPrefix)];

        public string Decode(ReadOnlySpan<int> tokens) => Encoding.UTF8.GetString([.. tokens.ToArray().Where(token => token < 256).Select(token => (byte)token)]);
    }
}
