using System.Diagnostics;
using System.Globalization;
using J1.Cli.Configuration;
using J1.Engines;
using J1.Engines.Managed;

namespace J1.Cli.Running;

/// <summary>What a run would be: its configuration, data, token counts, memory, time, and the first prompt as the model sees it. Nothing is trained or written.</summary>
internal static class DryRun
{
    /// <summary>Prompts that token counts are taken of.</summary>
    private const int Counted = 1000;

    public static int Show(CommandContext context, LoadedFile loaded)
    {
        var run = loaded.Runs[0];
        if (loaded.Sweep is not null)
        {
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"# A sweep of {loaded.Runs.Count} runs:"));
            foreach (var one in loaded.Runs) context.Out.WriteLine($"#   {one.Id}");
            context.Out.WriteLine("# What follows is the first of them.");
        }
        var e = run.Experiment;
        context.Out.WriteLine(ConfigWriter.Write(e, Directory.GetCurrentDirectory()));
        if (e.Synthesize is { } synthesize)
            foreach (var file in new[] { synthesize.NoisyInstruction, synthesize.WrongAnswer }.OfType<string>())
                context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"synthesize  {Synthesis.ReadSources(file).Count:N0} sources in {file}; the pairs that will come of them are not counted below"));
        if (e.Synthesize is not null && e.Data is { Generate: null, Files: [] })
        {
            context.Out.WriteLine("All training pairs are to be written first: there is nothing else to count yet.");
            return ExitCode.Done;
        }

        var data = RunData.Load(e.Data, e.Seed, []);
        var model = new RunModel(e, data.Train);
        var pairs = data.For(model.Tasks, e.Evaluate.Pairs, e.Calibrate.Pairs, e.Data.SplitSeed);
        var task = model.Tasks[0];
        int[] lengths = [.. pairs.Train.Take(Counted).SelectMany(pair => model.Tasks.SelectMany(task => task.Prompts(pair))).Select(prompt => prompt.Length).Order()];
        var memory = model.Memory(pairs);
        context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
            data        {pairs.Train.Count:N0} pairs to train on, {pairs.Calibration.Count:N0} more to calibrate on, {pairs.Test.Count:N0} to test; left out: {pairs.TrainDropped + pairs.TestDropped:N0} too long, {data.Unlabelled:N0} without a label A or B
            sources     {string.Join(", ", pairs.Train.GroupBy(pair => pair.Source).OrderByDescending(group => group.Count()).Take(12).Select(group => $"{(group.Key.Length > 0 ? group.Key : "(none)")} {group.Count()}"))}
            prompts     {lengths[0]} to {lengths[^1]} tokens, median {lengths[lengths.Length / 2]}, 95% at most {lengths[(int)(0.95 * (lengths.Length - 1))]}; completions of at most {model.Tasks.Max(task => task.MaxCompletionTokens)}, context {Math.Min(e.Model.ContextLength ?? int.MaxValue, model.Config.ContextLength)}
            memory      about {memory}
            """));
        context.Out.WriteLine($"time        {Time(model, e, pairs, memory, lengths.Average())}");
        if (loaded.Sweep is not null) context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"            the {loaded.Runs.Count} runs of the sweep about {loaded.Runs.Count} times that, less the warm starts that they share"));
        context.Out.WriteLine();
        context.Out.WriteLine("The first prompt, as the model sees it (control tokens and all):");
        var first = task.Prompts(pairs.Train[0])[0];
        context.Out.WriteLine(Visible(model.Tokenizer, first));
        return ExitCode.Done;
    }

    /// <summary>
    /// Scoring and drawing are timed on the model for a moment; a step backward costs about two forward. Completions are taken to be as long as they may, which is the most.
    /// </summary>
    private static string Time(RunModel model, Experiment e, UsablePairs pairs, MemoryEstimate memory, double promptTokens)
    {
        if (memory.Total > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes) return "not estimated: it does not fit into this machine's memory";
        using var engine = model.Open();
        var task = model.Tasks[0];
        // As many at once as in a run, since small batches are slow.
        var atOnce = (int)Math.Clamp(e.Model.MicroBatchTokens / promptTokens / 1.5, 2, 64);
        var prompts = pairs.Train.Take(Math.Max(atOnce / 2, Math.Min(e.Grpo.PairsPerStep, 32))).SelectMany(task.Prompts).ToArray();
        var completion = model.Tasks.Max(one => one.MaxCompletionTokens);
        var scored = prompts.Take(atOnce).Select(prompt => new TokenSequence(prompt, Math.Max(1, prompt.Length / 2))).ToArray();
        var forward = scored.Sum(sequence => (double)sequence.Tokens.Length) / Seconds(() => engine.Score(scored));
        double tokens = 0;
        var drawing = task.Format.IsInstantVerdict ? 0 : Seconds(() => tokens = engine.Generate(prompts, e.Grpo.GroupSize, new SamplingOptions { MaxTokens = Math.Min(16, completion) }, 0).Sum(group => group.Sum(sample => (double)sample.Tokens.Length)));
        var drawn = task.Format.IsInstantVerdict ? forward : tokens / drawing;
        var (warm, grpo) = (e.WarmStartOfRun, e.GrpoOfRun);
        var groups = 2.0 * grpo.PairsPerStep;
        var recomputed = e.Model.RecomputeActivations ? 4 : 3;
        var warmSeconds = warm is null ? 0 : warm.Steps * 2.0 * warm.PairsPerStep * (promptTokens + completion) * recomputed / forward;
        // A group's samples share their prompt.
        var trained = groups * (promptTokens + grpo.GroupSize * (double)completion);
        var grpoSeconds = grpo.Steps * (groups * grpo.GroupSize * completion / drawn + grpo.UpdatesPerBatch * trained * recomputed / forward + (grpo.KlCoefficient > 0 ? trained / forward : 0));
        var measurements = 2.0 + (warm is null ? 0 : 1) + (e.Evaluate.Every > 0 ? (grpo.Steps - 1) / e.Evaluate.Every : 0);
        var judged = measurements * pairs.Test.Count + pairs.Calibration.Count;
        var measureSeconds = judged * 2 * (promptTokens / forward + (task.Format.IsInstantVerdict ? 0 : e.Evaluate.Votes * completion / drawn));
        return string.Create(CultureInfo.InvariantCulture, $"at most about {Sizes.Text(TimeSpan.FromSeconds(warmSeconds + grpoSeconds + measureSeconds))} on this machine as busy as it is: warm start {Sizes.Text(TimeSpan.FromSeconds(warmSeconds))}, GRPO {Sizes.Text(TimeSpan.FromSeconds(grpoSeconds))}, measurements {Sizes.Text(TimeSpan.FromSeconds(measureSeconds))} (forward {forward:N0} tokens/s, drawing {drawn:N0} tokens/s)");
    }

    /// <summary>The best of a few times: a first one pays for compiling, and others share the machine.</summary>
    private static double Seconds(Action work)
    {
        var (begun, best) = (Stopwatch.GetTimestamp(), double.MaxValue);
        for (var i = 0; i < 2 || (i < 20 && Stopwatch.GetElapsedTime(begun).TotalSeconds < 1); i++)
        {
            var start = Stopwatch.GetTimestamp();
            work();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }

    /// <summary>Text with the control tokens, which decoding leaves out, in angle quotes.</summary>
    private static string Visible(ITokenizer tokenizer, int[] tokens)
    {
        var text = new System.Text.StringBuilder();
        var from = 0;
        for (var i = 0; i <= tokens.Length; i++)
        {
            var isControl = i < tokens.Length && tokenizer.Decode([tokens[i]]).Length == 0;
            if (i < tokens.Length && !isControl) continue;
            text.Append(tokenizer.Decode(tokens.AsSpan(from, i - from)));
            if (i < tokens.Length) text.Append(CultureInfo.InvariantCulture, $"‹{tokens[i]}›");
            from = i + 1;
        }
        return string.Concat(text.ToString().Select(c => char.IsControl(c) && c != '\n' ? '\uFFFD' : c));
    }
}
