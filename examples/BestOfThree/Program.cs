// Best of three with a local judge: three answers to each question, compared with each other in both orders by a small trained model, and the best is taken.
//   dotnet run -c Release --project examples/BestOfThree -- [JUDGE-FOLDER] [QUESTIONS]
// A judge's folder is what `j1 run` leaves: a model with its j1_judge.json. No network is used.
using J1.Data;
using J1.Engines;
using J1.Engines.Managed;
using J1.Extensions.AI;
using J1.Judging;
using Microsoft.Extensions.AI;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

var folder = args.Length > 0 ? args[0] : "experiments/quickstart/judge";
var count = args.Length > 1 ? int.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture) : 20;
if (JudgeFile.Find(folder) is not { } own) // how this model was trained to be asked
{
    Console.Error.WriteLine($"There is no judge in '{folder}'. Train one (j1 run configs/quickstart.yaml), and say where it is: BestOfThree FOLDER");
    return 2;
}

using var engine = ManagedEngine.Open(folder);
var judge = new TwoOrderJudge(new EngineJudge(engine, own.Format, new() { Sampling = SamplingOptions.Greedy(own.MaxCompletionTokens) }));

var (problems, _) = ProblemGenerator.Generate([ProblemKind.Count, ProblemKind.Lift], count, 0, seed: 2026);
using var pupil = new Pupil(problems);
using var chat = pupil.UseJudge(new JudgeOptions
{
    Chooser = judge,
    Candidates = 3,
    OnJudgeFailure = JudgeFailure.Release,
    Streaming = JudgeStreaming.Refuse,
});

var (first, best) = (0, 0);
foreach (var problem in problems)
{
    var response = await chat.GetResponseAsync(problem.Instruction);
    var verdict = response.GetVerdict()!;
    first += Pupil.IsRight(problem, pupil.Given[^3]) ? 1 : 0;
    best += Pupil.IsRight(problem, response.Text) ? 1 : 0;
    Console.WriteLine($"{problem.Instruction}\n  {response.Text}  [answer {verdict.Chosen + 1} of {verdict.Answers}; {verdict.Reason}]");
}
Console.WriteLine($"Right with the first answer: {first} of {count}. Right with the best of three: {best} of {count}.");
return 0;

/// <summary>Stands for a model that is right about half of the time.</summary>
internal sealed class Pupil(IReadOnlyList<PreferencePair> problems) : IChatClient
{
    private SplitMix _random = SplitMix.For(1, 0);

    public List<string> Given { get; } = [];

    public static bool IsRight(PreferencePair problem, string answer) => answer == Right(problem);

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var problem = problems.First(one => one.Instruction == messages.Last().Text);
        Given.Add(_random.NextInt(2) == 0 ? Right(problem) : problem.Label == Preference.A ? problem.ResponseB : problem.ResponseA);
        return Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, Given[^1])));
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (var update in (await GetResponseAsync(messages, options, cancellationToken)).ToChatResponseUpdates()) yield return update;
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose() { }

    private static string Right(PreferencePair problem) => problem.Label == Preference.A ? problem.ResponseA : problem.ResponseB;
}
