using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using J1.Cli.Configuration;
using J1.Cli.Running;
using J1.Data;
using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Tokenizers;
using J1.Evaluation;
using J1.Judging;

namespace J1.Cli.Commands;

/// <summary><c>j1 judge</c>: which of two answers is better, for one pair or for a file of them.</summary>
internal sealed class JudgeCommand(CommandContext context)
{
    private const int PairsPerCall = 32;

    public static Command Create(CommandContext context)
    {
        var model = new Option<string>("--model") { Description = "A Hugging Face folder, a .gguf file, or a run's folder.", HelpName = "MODEL", Required = true };
        var adapter = new Option<string?>("--adapter") { Description = "A LoRA adapter (PEFT folder) on top of it.", HelpName = "DIR" };
        var mode = new Option<string?>("--mode") { Description = "Whether the judge thinks first. Default: what the model's j1_judge.json says.", HelpName = "instant|thinking" };
        mode.AcceptOnlyFromAmong("instant", "thinking");
        var format = new Option<string?>("--format") { Description = "What is asked for. Default: what j1_judge.json says, or verdict.", HelpName = "verdict|scores|…" };
        format.AcceptOnlyFromAmong([.. Enum.GetNames<JudgeMode>().Select(Names.Snake)]);
        var prompt = new Option<string?>("--prompt") { Description = $"A prompt file, or one of {string.Join(", ", JudgePrompt.BuiltInNames)}.", HelpName = "NAME|FILE" };
        var instruction = new Option<string?>("--instruction") { Description = "What was asked.", HelpName = "TEXT" };
        var a = new Option<string?>("--a") { Description = "The first answer.", HelpName = "TEXT" };
        var b = new Option<string?>("--b") { Description = "The second answer.", HelpName = "TEXT" };
        var jsonl = new Option<string?>("--jsonl") { Description = "A file of pairs: id, instruction, response_a, response_b; a label, where there is one, is only used to measure.", HelpName = "FILE" };
        var output = new Option<string?>("--output") { Description = "Where the judgements of --jsonl go. Default: the standard output.", HelpName = "FILE" };
        var seed = new Option<ulong>("--seed") { Description = "Of the sampling. Default 0." };
        var temperature = new Option<float>("--temperature") { Description = "Of a thinking judge's sampling; 0 is greedy. Default 0." };
        var votes = new Option<int>("--votes") { Description = "Thoughts an order; needs a temperature. Default 1.", DefaultValueFactory = _ => 1 };
        var maxTokens = new Option<int?>("--max-tokens") { Description = "The most tokens of a thought and its answer. Default: what j1_judge.json says, or 256." };
        var command = new Command("judge", "Judge which of two answers is better, in both orders.")
        {
            model, adapter, mode, format, prompt, instruction, a, b, jsonl, output, seed, temperature, votes, maxTokens,
        };
        command.SetAction((arguments, cancellationToken) =>
        {
            var options = new Request(
                arguments.GetRequiredValue(model), arguments.GetValue(adapter), arguments.GetValue(mode), arguments.GetValue(format), arguments.GetValue(prompt),
                arguments.GetValue(seed), arguments.GetValue(temperature), arguments.GetValue(votes), arguments.GetValue(maxTokens));
            var (one, file) = ((arguments.GetValue(instruction), arguments.GetValue(a), arguments.GetValue(b)), arguments.GetValue(jsonl));
            return new JudgeCommand(context).RunAsync(options, one, file, arguments.GetValue(output), cancellationToken);
        });
        return command;
    }

    private async Task<int> RunAsync(Request request, (string? Instruction, string? A, string? B) one, string? file, string? output, CancellationToken cancellationToken)
    {
        var isOne = one is ({ }, { }, { });
        if (isOne == file is not null || (!isOne && one is not (null, null, null)))
            throw new UsageException("Give one pair with --instruction, --a and --b, or a file of pairs with --jsonl.");
        if (output is not null && file is null) throw new UsageException("--output goes with --jsonl; a single judgement is printed.");
        if (request.Votes < 1) throw new UsageException($"--votes is {request.Votes}; it must be at least 1.");
        if (request.Votes > 1 && request.Temperature == 0) throw new UsageException("--votes needs a --temperature above 0: greedy thoughts are all the same.");
        if (!(request.Temperature >= 0)) throw new UsageException("--temperature must be at least 0.");
        if (request.MaxTokens is < 1) throw new UsageException($"--max-tokens is {request.MaxTokens}; it must be at least 1.");

        PreferencePair[] pairs = file is null
            ? [new PreferencePair { Id = "pair", Instruction = one.Instruction!, ResponseA = one.A!, ResponseB = one.B! }]
            : [.. PreferencePairs.Read(file)];
        using var engine = Open(request, out var judgeFile);
        var judge = Judge(request, engine, judgeFile);
        if (file is not null)
            await JudgeFileAsync(judge, pairs, output, cancellationToken).ConfigureAwait(false);
        else
        {
            var judgement = (await judge.JudgeAsync(pairs, cancellationToken).ConfigureAwait(false))[0];
            context.Out.WriteLine(RunReport.Judgement(pairs[0], judgement));
            if (judgement.Invalid == InvalidReason.TooLong) throw new UsageException($"The prompt does not fit the model's context of {engine.ContextLength} tokens.");
        }
        return ExitCode.Done;
    }

    private static ManagedEngine Open(Request request, out JudgeFile? judgeFile)
    {
        // A run's folder stands for the model in it.
        var model = Directory.Exists(request.Model) && !File.Exists(Path.Combine(request.Model, "config.json")) && Directory.Exists(Path.Combine(request.Model, "model")) ? Path.Combine(request.Model, "model") : request.Model;
        if (Directory.Exists(model) && PeftAdapter.Exists(model) && !File.Exists(Path.Combine(model, "config.json")))
            throw new UsageException($"'{model}' is a LoRA adapter. Name its base with --model, and this folder with --adapter.");
        judgeFile = JudgeFile.Find(request.Adapter, model);
        var engine = ManagedEngine.Open(model);
        try
        {
            if (request.Adapter is not null) engine.LoadAdapter(request.Adapter);
            return engine.Tokenizer is IdTokenizer ? throw new UsageException($"'{model}' has no tokenizer, and a judge reads text. Put its tokenizer.json into the folder.") : engine;
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    private static TwoOrderJudge Judge(Request request, ManagedEngine engine, JudgeFile? file)
    {
        if (request.Mode is null && file is null)
            throw new UsageException($"Say --mode instant or --mode thinking: the model has no {JudgeFile.Name} that tells how it was trained to judge.");
        var thinking = request.Mode is null ? file!.Thinking : request.Mode == "thinking";
        var mode = request.Format is null ? file?.Mode ?? JudgeMode.Verdict : Enum.GetValues<JudgeMode>().First(known => Names.Snake(known.ToString()) == request.Format);
        var isAsTrained = file is not null && thinking == file.Thinking && mode == file.Mode && request.Prompt is null;
        var format = isAsTrained ? file!.Format : JudgeFormats.Of(mode, thinking, request.Prompt);
        var options = new EngineJudgeOptions
        {
            Sampling = new SamplingOptions { MaxTokens = request.MaxTokens ?? (isAsTrained ? file!.MaxCompletionTokens : 256), Temperature = request.Temperature },
            Seed = request.Seed,
            LongPrompts = LongPromptPolicy.Drop,
        };
        var calibration = isAsTrained && file!.CalibrationScale is { } scale ? new Calibration(scale) : null;
        try
        {
            return new TwoOrderJudge(new EngineJudge(engine, format, options), format.IsInstantVerdict ? 1 : request.Votes, calibration);
        }
        catch (ArgumentException error)
        {
            throw new UsageException(error.Message);
        }
    }

    /// <summary>Rows in, rows out, in their order. A file appears when it is complete.</summary>
    private async Task JudgeFileAsync(TwoOrderJudge judge, PreferencePair[] pairs, string? output, CancellationToken cancellationToken)
    {
        var beside = output + ".tmp";
        var judgements = new List<PairJudgement>(pairs.Length);
        var writer = output is null ? context.Out : OpenOutput(output, beside);
        try
        {
            var (begun, shown) = (context.Time.GetTimestamp(), 0L);
            foreach (var some in pairs.Chunk(PairsPerCall))
            {
                cancellationToken.ThrowIfCancellationRequested();
                foreach (var judgement in await judge.JudgeAsync(some, cancellationToken).ConfigureAwait(false))
                {
                    judgements.Add(judgement);
                    writer.Write(JsonSerializer.Serialize(Row.Of(judgement), Json.Line) + "\n");
                }
                var now = context.Time.GetTimestamp();
                if (judgements.Count < pairs.Length && shown != 0 && context.Time.GetElapsedTime(shown, now).TotalSeconds < 2) continue;
                shown = now;
                var left = context.Time.GetElapsedTime(begun, now) / judgements.Count * (pairs.Length - judgements.Count);
                context.Error.WriteLine($"{judgements.Count}/{pairs.Length} judged{(judgements.Count < pairs.Length ? $", {Sizes.Text(left)} left" : "")}");
            }
            writer.Flush();
            if (output is not null)
            {
                writer.Dispose();
                File.Move(beside, output, overwrite: true);
            }
        }
        catch
        {
            if (output is not null)
            {
                writer.Dispose();
                File.Delete(beside);
            }
            throw;
        }
        Measure(pairs, judgements);
    }

    private static StreamWriter OpenOutput(string output, string beside)
    {
        try
        {
            if (Directory.Exists(output)) throw new UsageException($"--output '{output}' is a folder; name a file in it.");
            return new StreamWriter(beside);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"--output '{output}' cannot be written: {error.Message}");
        }
    }

    /// <summary>Where rows have labels, how the judge did, to the error stream.</summary>
    private void Measure(PreferencePair[] pairs, List<PairJudgement> judgements)
    {
        PreferencePair[] labelled = [.. pairs.Where(pair => pair.Label is Preference.A or Preference.B)];
        if (labelled.Length == 0) return;
        if (pairs.DistinctBy(pair => pair.Id).Count() < pairs.Length)
        {
            context.Error.WriteLine("Not measured against the labels: some ids are there more than once.");
            return;
        }
        var ids = labelled.Select(pair => pair.Id).ToHashSet(StringComparer.Ordinal);
        var s = EvaluationSummary.Of(labelled, [.. judgements.Where(judgement => ids.Contains(judgement.Id))]);
        context.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"On {s.N} labelled pairs: consistent accuracy {s.ConsistentAccuracy:0.00} [{s.Interval95[0]:0.00}, {s.Interval95[1]:0.00}], both orders together {s.AccuracyBothOrders:0.00}, flips {s.Flips:0.00}, ties {s.Ties:0.00}, invalid {s.Invalid:0.00}, says the first answer {s.ARate?.ToString("0.00", CultureInfo.InvariantCulture) ?? "-"}; the longer answer {s.LongerBaseline:0.00}."));
    }

    private sealed record Request(string Model, string? Adapter, string? Mode, string? Format, string? Prompt, ulong Seed, float Temperature, int Votes, int? MaxTokens);

    /// <summary>A line of the output.</summary>
    private sealed record Row
    {
        public required string Id { get; init; }

        /// <summary>"A", "B" or "tie"; null where there is no verdict.</summary>
        public required string? Verdict { get; init; }

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public InvalidReason? Invalid { get; init; }

        public required bool Flipped { get; init; }

        /// <summary>That A is better; null for a judge that gives none.</summary>
        public required double? Probability { get; init; }

        public required double? Margin { get; init; }

        /// <summary>With A shown first.</summary>
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public string? Thought { get; init; }

        /// <summary>With B shown first.</summary>
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public string? ThoughtSwapped { get; init; }

        public static Row Of(PairJudgement judgement) => new()
        {
            Id = judgement.Id,
            Verdict = judgement.Outcome switch { Outcome.A => "A", Outcome.B => "B", Outcome.Tie => "tie", _ => null },
            Invalid = judgement.Invalid,
            Flipped = judgement.Flipped,
            Probability = judgement.Probability,
            Margin = judgement.Margin,
            Thought = judgement.First[0].Thought,
            ThoughtSwapped = judgement.Second[0].Thought,
        };
    }
}
