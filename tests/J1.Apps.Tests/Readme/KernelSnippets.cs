using J1.Extensions.AI;
using J1.SemanticKernel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.SemanticKernel;

namespace J1.Apps.Tests.Readme;

/// <summary>The README's words about kernels, as they stand there.</summary>
public sealed class KernelSnippets
{
    [Fact]
    public async Task A_kernel_is_judged()
    {
        var model = new ScriptedChatClient("a 4", "b 8");
        var options = new JudgeOptions { Rater = ScriptedRater.ByNumber(), Threshold = 7, MaxAttempts = 2, OnJudgeFailure = JudgeFailure.Release, Streaming = JudgeStreaming.Refuse };
        var builder = Kernel.CreateBuilder();
        builder.Services.AddSingleton<Microsoft.Extensions.AI.IChatClient>(model);

        builder.AddJudge(new KernelJudgeOptions { Judge = options, Functions = JudgedFunctions.Prompts });
        var result = await builder.Build().InvokePromptAsync("Why is the {{$what}} blue?", new KernelArguments { ["what"] = "sky" });
        var verdict = result.GetVerdict()!;

        Assert.Equal((8.0, 2), (verdict.Score, verdict.Answers));
    }
}
