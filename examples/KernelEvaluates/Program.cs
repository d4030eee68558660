// A Semantic Kernel app whose prompt functions are judged one and all, although none of them knows of it: what is low is asked for again, what stays low is not shown.
//   dotnet run --project examples/KernelEvaluates -- http://localhost:11434/v1 MODEL TOPIC
using System.ClientModel;
using System.ClientModel.Primitives;
using System.Globalization;
using J1.Extensions.AI;
using J1.Judging;
using J1.SemanticKernel;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.SemanticKernel;
using OpenAI;

if (args.Length != 3)
{
    Console.Error.WriteLine("Say the server, the model and a topic: KernelEvaluates http://localhost:11434/v1 MODEL \"the sea\"");
    return 2;
}

var client = new OpenAI.Chat.ChatClient(args[1], new ApiKeyCredential(Environment.GetEnvironmentVariable("OPENAI_API_KEY") ?? "none"),
    new OpenAIClientOptions { Endpoint = new Uri(args[0]), RetryPolicy = new ClientRetryPolicy(0) }).AsIChatClient();
using var judge = new ChatClientJudge(client, new JudgeFormat { Mode = JudgeMode.Pointwise }, new() { Host = new OpenAIHost() });

var builder = Kernel.CreateBuilder();
builder.Services.AddSingleton(client);
builder.AddJudge(new KernelJudgeOptions
{
    Judge = new()
    {
        Rater = new JudgeRater(judge),
        Threshold = 6,
        MaxAttempts = 2,
        OnLowScore = LowScore.Block,
        BlockedText = "(nothing good enough was written)",
        OnJudgeFailure = JudgeFailure.Block,
        Streaming = JudgeStreaming.BufferThenRelease,
        OnVerdict = verdict => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  [{verdict.Outcome}, scores {string.Join(", ", verdict.Ratings.Select(rating => rating?.Score?.ToString("0.#", CultureInfo.InvariantCulture) ?? "none"))}]")),
    },
});
var kernel = builder.Build();
kernel.ImportPluginFromFunctions("Writer",
[
    KernelFunctionFactory.CreateFromPrompt("Write a title for a text about {{$topic}}.", functionName: "Title"),
    KernelFunctionFactory.CreateFromPrompt("Write two sentences about {{$topic}} under the title \"{{Writer.Title}}\".", functionName: "Text"),
]);

Console.WriteLine((await kernel.InvokeAsync("Writer", "Text", new KernelArguments { ["topic"] = args[2] })).ToString());
await foreach (var piece in kernel.InvokePromptStreamingAsync("Write one question about {{$topic}}.", new KernelArguments { ["topic"] = args[2] })) Console.Write(piece);
Console.WriteLine();
return 0;
