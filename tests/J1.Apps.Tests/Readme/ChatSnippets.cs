using J1.Extensions.AI;
using J1.Judging;
using Microsoft.Extensions.AI;

namespace J1.Apps.Tests.Readme;

/// <summary>The README's words about chat clients, as they stand there.</summary>
public sealed class ChatSnippets
{
    [Fact]
    public async Task A_chat_client_is_judged()
    {
        using IChatClient model = new ScriptedChatClient("Because.", "Air scatters blue light more than red.");
        using IChatClient judgeModel = new ScriptedChatClient("<think> Too short. </think><score> 2 </score>", "<think> Right. </think><score> 9 </score>");

        using var judge = new ChatClientJudge(judgeModel, new JudgeFormat { Mode = JudgeMode.Pointwise });
        var options = new JudgeOptions
        {
            Rater = new JudgeRater(judge),
            Threshold = 7,                                   // of 10
            MaxAttempts = 3,                                 // each is told what the judge said of the last; the best is kept
            OnJudgeFailure = JudgeFailure.Release,           // or Block; there is no default
            Streaming = JudgeStreaming.BufferThenRelease,    // or ReleaseThenAnnotate, or Refuse
        };
        using var chat = model.UseJudge(options);
        var response = await chat.GetResponseAsync("Why is the sky blue?");
        Console.WriteLine($"{response.Text} {response.GetVerdict()!.Score} of 10, {response.GetVerdict()!.Answers} answers");

        Assert.Equal(("Air scatters blue light more than red.", 9.0, 2), (response.Text, response.GetVerdict()!.Score, response.GetVerdict()!.Answers));
    }

    [Fact]
    public async Task The_best_of_three_is_taken()
    {
        using IChatClient model = new ScriptedChatClient("a 1", "b 3", "c 2");
        IOrderedJudge localJudge = new NumberJudge();

        using var chat = model.UseJudge(new JudgeOptions
        {
            Chooser = new TwoOrderJudge(localJudge),         // for example new EngineJudge(ManagedEngine.Open(folder), format)
            Candidates = 3,
            OnJudgeFailure = JudgeFailure.Release,
            Streaming = JudgeStreaming.BufferThenRelease,
        });

        Assert.Equal("b 3", (await chat.GetResponseAsync("How?")).Text);
    }
}
