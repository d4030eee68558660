using System.Globalization;
using System.Text.Json;
using J1.Cli.Configuration;
using J1.Data;
using J1.Engines;
using J1.Engines.Managed;
using J1.Engines.Managed.Tokenizers;

namespace J1.Cli.Running;

/// <summary>The first stage: training pairs whose rejected response a model writes. A file that is done is not made again while what it is made of is unchanged.</summary>
internal static class Synthesis
{
    /// <summary>Makes what is missing.</summary>
    /// <returns>The files of pairs.</returns>
    /// <exception cref="DataException">Sources cannot be read, or no pair came of any.</exception>
    public static IReadOnlyList<string> Run(LoadedExperiment loaded, RunFolder folder, RunDisplay display, TimeProvider time, CancellationToken cancellationToken)
    {
        if (loaded.Experiment.Synthesize is not { } section) return [];
        Directory.CreateDirectory(folder.At("synthetic"));
        var files = new List<string>();
        ITextModel? model = null;
        var open = new List<IDisposable>();
        try
        {
            if (section.NoisyInstruction is { } instructions) files.Add(Make("noisy_instruction", instructions, writer => new NoisyInstructionPairs(writer, loaded.Experiment.Seed)));
            if (section.WrongAnswer is { } problems) files.Add(Make("wrong_answer", problems, writer => new WrongAnswerPairs(writer, section.Samples, loaded.Experiment.Seed)));
        }
        finally
        {
            foreach (var one in open) one.Dispose();
        }
        return files;

        string Make(string name, string sources, Func<ITextModel, IPairBuilder> builder)
        {
            var file = folder.At(Path.Combine("synthetic", name + ".jsonl"));
            var (inputs, hashFile) = (StageInputs.OfSynthesis(loaded.Experiment, sources), file + ".inputs");
            if (File.Exists(file) && File.Exists(hashFile) && File.ReadAllText(hashFile).Trim() == inputs)
            {
                display.Say($"{name}: as it was made before ({file}).");
                return file;
            }
            // What a stop with other settings left is no beginning of this.
            if (File.Exists(hashFile) && File.ReadAllText(hashFile).Trim() != inputs) File.Delete(file + ".partial");
            File.Delete(file);
            Files.WriteAtomically(hashFile, inputs + "\n");

            var read = ReadSources(sources);
            model ??= Writer();
            display.Begin(name, 0, read.Count);
            var made = SyntheticPairs.WriteAsync(file, read, builder(model), section.AtOnce, progress => display.Step(progress.Done, Figures(progress)), cancellationToken).GetAwaiter().GetResult();
            display.Say($"{name}: {Figures(made)} of {made.Sources} sources.");
            return made.Pairs > 0 ? file : throw new DataException($"{sources}: no pair came of {made.Sources} sources ({Figures(made)}). Is the model able to follow the prompt?");
        }

        ITextModel Writer()
        {
            if (section.Endpoint is not null)
            {
                var endpoint = new ChatEndpoint(section, Environment.GetEnvironmentVariable, time);
                open.Add(endpoint);
                return endpoint.Model;
            }
            var engine = ManagedEngine.Open(section.Model!);
            open.Add(engine);
            if (engine.Tokenizer is IdTokenizer) throw new UsageException($"'{section.Model}' has no tokenizer, and what writes needs one.");
            return new EngineTextModel(engine, new SamplingOptions { MaxTokens = section.MaxTokens, Temperature = section.Temperature, TopP = section.TopP });
        }
    }

    /// <summary>Sources, as JSON lines of id, instruction, response, answer, source and category.</summary>
    public static IReadOnlyList<PairSource> ReadSources(string file) =>
    [
        .. JsonLines.Read(file).Select(line => new PairSource
        {
            Id = Text(line, "id") ?? throw Missing(line, "id"),
            Instruction = Text(line, "instruction") ?? throw Missing(line, "instruction"),
            Response = Text(line, "response"),
            Answer = Text(line, "answer"),
            Source = Text(line, "source") ?? "",
            Category = Text(line, "category") ?? "",
        }),
    ];

    private static string? Text((int Line, JsonElement Row) line, string field) => !line.Row.TryGetProperty(field, out var value) ? null : value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.GetRawText(),
        _ => null,
    };

    private static DataException Missing((int Line, JsonElement Row) line, string field) =>
        new(string.Create(CultureInfo.InvariantCulture, $"line {line.Line} of the sources has no \"{field}\"; expected a text."));

    private static string Figures(SynthesisProgress progress) => string.Create(CultureInfo.InvariantCulture, $"{progress.Pairs} pairs") +
        string.Concat(progress.Skipped.OrderBy(skip => skip.Key).Select(skip => string.Create(CultureInfo.InvariantCulture, $", {skip.Value} {Names.Snake(skip.Key.ToString()).Replace('_', ' ')}")));
}
