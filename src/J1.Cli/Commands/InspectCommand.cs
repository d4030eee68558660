using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using J1.Engines.Managed;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;

namespace J1.Cli.Commands;

/// <summary><c>j1 inspect MODEL</c>: what a model is, and what it makes of a text.</summary>
internal sealed class InspectCommand(CommandContext context)
{
    public static Command Create(CommandContext context)
    {
        var model = new Argument<string>("MODEL") { Description = "A Hugging Face folder or a .gguf file." };
        var adapter = new Option<string?>("--adapter") { Description = "A LoRA adapter (PEFT folder) on top of it.", HelpName = "DIR" };
        var text = new Option<string?>("--text") { Description = "Print this text's tokens and the log-probability of each after the first. Nothing is put before the text.", HelpName = "TEXT" };
        var ids = new Option<string?>("--ids") { Description = "The same of these token ids.", HelpName = "\"5 9 2\"" };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var jsonl = new Option<string?>("--jsonl") { Description = "Tokenize a field of every row of this file; prints {\"ids\": […]} a line, and loads no weights.", HelpName = "FILE" };
        var field = new Option<string?>("--field") { Description = "The field that --jsonl takes.", HelpName = "NAME" };
        var command = new Command("inspect", "Show a model's architecture, parameters, memory, tokenizer and chat format, or how likely it finds a text.") { model, adapter, text, ids, json, jsonl, field };
        command.SetAction((arguments, cancellationToken) => Task.FromResult(new InspectCommand(context).Run(
            arguments.GetRequiredValue(model), arguments.GetValue(adapter), arguments.GetValue(text), arguments.GetValue(ids),
            arguments.GetValue(json), arguments.GetValue(jsonl), arguments.GetValue(field), cancellationToken)));
        return command;
    }

    private int Run(string model, string? adapter, string? text, string? ids, bool json, string? jsonl, string? field, CancellationToken cancellationToken)
    {
        if (new[] { text, ids, jsonl }.Count(given => given is not null) > 1)
            throw new UsageException("--text, --ids and --jsonl are alternatives; give one of them.");
        if (jsonl is null != field is null)
            throw new UsageException("--jsonl and --field go together: the file, and the name of the field to tokenize.");
        if (jsonl is not null)
            Tokenize(model, jsonl, field!, cancellationToken);
        else if (text is not null || ids is not null)
            Score(model, adapter, text, ids, json, cancellationToken);
        else
            Describe(model, adapter, json);
        return ExitCode.Done;
    }

    private void Tokenize(string model, string file, string field, CancellationToken cancellationToken)
    {
        var tokenizer = Models.TokenizerOf(model) ?? throw NoTokenizer(model);
        foreach (var (line, row) in JsonLines.Read(file))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!row.TryGetProperty(field, out var value) || value.ValueKind != JsonValueKind.String)
                throw new Data.DataException($"{file}:{line}: has no text in the field '{field}'; its fields are {string.Join(", ", row.EnumerateObject().Select(property => property.Name))}.");
            context.Out.WriteLine(Ids(tokenizer.Encode(value.GetString()!)));
        }
    }

    private static string Ids(int[] ids) => $$"""{"ids": [{{string.Join(", ", ids)}}]}""";

    private void Score(string model, string? adapter, string? text, string? ids, bool json, CancellationToken cancellationToken)
    {
        using var engine = ManagedEngine.Open(model);
        if (adapter is not null) engine.LoadAdapter(adapter);
        if (text is not null && engine.Tokenizer is IdTokenizer) throw NoTokenizer(model);
        var tokens = text is not null ? engine.Tokenizer.Encode(text) : ParseIds(ids!, engine.Config.VocabularySize);
        if (tokens.Length == 0) throw new UsageException("There is no token to look at.");
        if (tokens.Length > engine.ContextLength) throw new UsageException($"These are {tokens.Length} tokens; the model's context holds {engine.ContextLength}.");
        var logProbs = Models.LogProbabilities(engine, tokens, cancellationToken);
        if (json)
        {
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $$"""{"ids": [{{string.Join(", ", tokens)}}], "log_probs": [{{string.Join(", ", logProbs.Select(l => l.ToString(CultureInfo.InvariantCulture)))}}]}"""));
            return;
        }

        context.Out.WriteLine("     id  log-prob  token");
        for (var i = 0; i < tokens.Length; i++)
        {
            var shown = engine.Tokenizer is BpeTokenizer tokenizer ? JsonSerializer.Serialize(tokenizer.Decode([tokens[i]], keepSpecial: true), Json.Line) : "";
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tokens[i],7}  {(i == 0 ? "" : logProbs[i - 1].ToString("0.0000", CultureInfo.InvariantCulture)),8}  {shown}").TrimEnd());
        }
        if (logProbs.Length > 0)
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tokens.Length} tokens, sum {logProbs.Sum():0.0000}, perplexity {Math.Exp(-logProbs.Average()):0.00}. Nothing was put before the {(text is null ? "ids" : "text")}."));
    }

    private static int[] ParseIds(string ids, int vocabularySize) => [.. ids.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries).Select(written =>
        int.TryParse(written, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id < vocabularySize
            ? id
            : throw new UsageException($"'{written}' is no token id of this model; ids are whole numbers from 0 to {vocabularySize - 1}."))];

    private void Describe(string model, string? adapter, bool json)
    {
        using var files = ModelReader.Open(model);
        var tokenizer = Models.TokenizerOf(files);
        using var lora = adapter is null ? null : new PeftAdapter(adapter, files.Config);
        var parameters = files.Weights.Tensors.Values.Sum(tensor => tensor.Count);
        var adapterParameters = lora?.Tensors.Values.Sum(tensor => tensor.Count) ?? 0;
        var c = files.Config;
        if (json)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(new
            {
                path = files.Path,
                format = files.Format,
                architecture = c.Architecture,
                parameters,
                layers = c.LayerCount,
                c.HiddenSize,
                c.IntermediateSize,
                heads = c.HeadCount,
                kv_heads = c.KeyValueHeadCount,
                c.HeadSize,
                c.VocabularySize,
                c.ContextLength,
                c.TieEmbeddings,
                tokenizer = tokenizer is null ? null : new { tokens = tokenizer.VocabularySize, end_tokens = tokenizer.EndTokens, chat_format = tokenizer.Chat.Name },
                adapter = lora is null ? null : new { lora.Config.Rank, lora.Config.Alpha, lora.Config.RankStabilized, targets = lora.Config.TargetModules, parameters = adapterParameters },
                memory = new { inference_bytes = 4 * (parameters + adapterParameters), training_bytes = 16 * parameters },
            }, Json.Indented));
            return;
        }

        Row("Model", $"{files.Path} ({(files.Format == ModelFormat.Gguf ? "GGUF" : "Hugging Face folder")})");
        Row("Architecture", $"{c.Architecture.ToString().ToLowerInvariant()}: {c.LayerCount} layers, width {c.HiddenSize}, feed-forward {c.IntermediateSize}, {c.HeadCount} heads of {c.HeadSize} ({c.KeyValueHeadCount} for keys and values), {(c.TieEmbeddings ? "head tied to the embedding" : "own head")}");
        Row("Rotary", string.Create(CultureInfo.InvariantCulture, $"base {c.Rope.Theta}{(c.Rope.Scaling == RopeScaling.None ? "" : $", scaled {c.Rope.Scaling.ToString().ToLowerInvariant()} by {c.Rope.Factor}")}"));
        Row("Context", $"{c.ContextLength} tokens");
        Row("Parameters", parameters.ToString("N0", CultureInfo.InvariantCulture));
        if (lora is not null)
            Row("Adapter", string.Create(CultureInfo.InvariantCulture, $"LoRA, rank {lora.Config.Rank}, alpha {lora.Config.Alpha}{(lora.Config.RankStabilized ? ", rank-stabilised" : "")}, on {string.Join(", ", lora.Config.TargetModules)}: {adapterParameters:N0} parameters"));
        Row("Memory", $"{Sizes.Text(4 * (parameters + adapterParameters))} for the weights in use; {Sizes.Text(16 * parameters)} to train them all (weights, gradients, two moments), activations besides");
        Row("Tokenizer", tokenizer is null ? "none: the model takes token ids only" : $"{tokenizer.VocabularySize} tokens; a completion ends at {string.Join(" or ", tokenizer.EndTokens.Select(id => $"{tokenizer.Decode([id], keepSpecial: true)} ({id})"))}");
        if (tokenizer is not null) Row("Chat format", tokenizer.Chat.Name);

        void Row(string name, string value) => context.Out.WriteLine($"{name,-13} {value}");
    }

    private static UsageException NoTokenizer(string model) => new($"'{model}' has no tokenizer, so it takes no text. Put its tokenizer.json into the folder, or use --ids.");
}
