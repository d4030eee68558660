// A chat on the console whose answers are rated, and asked for again with the judge's reasons where they are low.
//   dotnet run --project examples/RateAndRetry -- http://localhost:11434/v1 MODEL [JUDGE-MODEL]
// Any server that speaks the OpenAI protocol will do (Ollama, vLLM, llama.cpp, OpenAI with OPENAI_API_KEY). Questions are read line by line.
using System.ClientModel;
using System.ClientModel.Primitives;
using J1.Extensions.AI;
using J1.Judging;
using Microsoft.Extensions.AI;
using OpenAI;

if (args.Length is not (2 or 3))
{
    Console.Error.WriteLine("Say the server and the model: RateAndRetry http://localhost:11434/v1 MODEL [JUDGE-MODEL]");
    return 2;
}

using var judge = new ChatClientJudge(Client(args[^1]), new JudgeFormat { Mode = JudgeMode.Pointwise }, new() { Host = new OpenAIHost() });
using var chat = Client(args[1]).UseJudge(new JudgeOptions
{
    Rater = new JudgeRater(judge),
    Threshold = 7,
    MaxAttempts = 3,
    OnJudgeFailure = JudgeFailure.Release,
    Streaming = JudgeStreaming.BufferThenRelease,
});

var history = new List<ChatMessage>();
while (Console.ReadLine() is { } question)
{
    history.Add(new(ChatRole.User, question));
    var response = await chat.GetResponseAsync(history);
    history.AddMessages(response);
    var verdict = response.GetVerdict()!;
    Console.WriteLine(response.Text);
    Console.WriteLine(FormattableString.Invariant($"  [{verdict.Outcome}: {verdict.Score?.ToString("0.#", null) ?? "no score"}, answer {verdict.Chosen + 1} of {verdict.Answers}. {verdict.Reason}]"));
}
return 0;

IChatClient Client(string model) => new OpenAI.Chat.ChatClient(model, new ApiKeyCredential(Environment.GetEnvironmentVariable("OPENAI_API_KEY") ?? "none"),
    new OpenAIClientOptions { Endpoint = new Uri(args[0]), RetryPolicy = new ClientRetryPolicy(0) }).AsIChatClient();
