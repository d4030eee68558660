using J1.Extensions.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace J1.Apps.Tests.Chat;

public sealed class ChatClientBuilderTests
{
    private static readonly JudgeOptions Options = new() { Rater = ScriptedRater.ByNumber(), OnJudgeFailure = JudgeFailure.Release, Streaming = JudgeStreaming.BufferThenRelease };

    [Fact]
    public async Task A_judge_is_one_line_in_a_pipeline()
    {
        using var client = new ScriptedChatClient("a 3").AsBuilder().UseJudge(Options).Build();
        Assert.Equal(3, (await client.GetResponseAsync("How?")).GetVerdict()!.Score);
        using var services = new ServiceCollection().AddSingleton<IAnswerRater>(ScriptedRater.ByNumber()).BuildServiceProvider();
        using var other = new ScriptedChatClient("a 4").AsBuilder().UseJudge(provider => Options with { Rater = provider.GetRequiredService<IAnswerRater>() }).Build(services);
        Assert.Equal(4, (await other.GetResponseAsync("How?")).GetVerdict()!.Score);
        Assert.Throws<ArgumentException>(() => new ScriptedChatClient("a").AsBuilder().UseJudge(Options with { Threshold = -1 }));
    }

    [Fact]
    public async Task Above_the_tools_the_final_answer_is_judged_alone()
    {
        var rater = ScriptedRater.ByNumber();
        var model = new ScriptedChatClient((call, _) => call == 0 ? "" : "it rains 7")
        {
            Wrap = text => new ChatResponse(new ChatMessage(ChatRole.Assistant, text.Length == 0 ? [new FunctionCallContent("1", "weather")] : [new TextContent(text)])),
        };
        var options = new ChatOptions { Tools = [AIFunctionFactory.Create(() => "rain", "weather")] };
        using var client = model.AsBuilder().UseJudge(Options with { Rater = rater }).UseFunctionInvocation().Build();
        Assert.Equal(7, (await client.GetResponseAsync("How?", options)).GetVerdict()!.Score);
        Assert.Equal((2, 1), (model.Calls, rater.Calls));
    }
}
