using J1.Extensions.AI;
using Microsoft.Agents.AI;
using Microsoft.Extensions.AI;

namespace J1.Apps.Tests.Agents;

/// <summary>The README's words about Agent Framework, as they stand there; compiled where its package restores.</summary>
public sealed class AgentSnippets
{
    [Fact]
    public async Task An_agent_is_judged()
    {
        using var model = new ScriptedChatClient("a 4", "b 8");
        var options = new JudgeOptions { Rater = ScriptedRater.ByNumber(), Threshold = 7, MaxAttempts = 2, OnJudgeFailure = JudgeFailure.Release, Streaming = JudgeStreaming.BufferThenRelease };

        AIAgent agent = new ChatClientAgent(model.UseJudge(options), instructions: "Answer in one sentence.");
        var response = await agent.RunAsync("Why is the sky blue?");
        var verdict = response.AsChatResponse().GetVerdict()!;

        Assert.Equal(("b 8", 8.0, 2), (response.Text, verdict.Score, verdict.Answers));
        var streamed = await agent.RunStreamingAsync("Why is the sky blue?").ToListAsync();
        Assert.Equal("b 8", string.Concat(streamed.Select(update => update.Text)));
    }
}
