using System.CommandLine;
using System.Text.RegularExpressions;
using J1.Cli.Pulling;
using J1.Cli.Running;

namespace J1.Cli.Commands;

/// <summary><c>j1 pull OWNER/NAME</c>: a model from a hub.</summary>
internal static partial class PullCommand
{
    private const string PublicHub = "https://huggingface.co";

    public static Command Create(CommandContext context)
    {
        var model = new Argument<string>("OWNER/NAME") { Description = "The model." };
        var revision = new Option<string>("--revision") { Description = "A branch, tag or commit. Default main.", HelpName = "NAME", DefaultValueFactory = _ => "main" };
        var include = new Option<string[]>("--include") { Description = "Only files whose names are like this, as in '*.gguf'; may be repeated. Default: safetensors and what goes with them.", HelpName = "PATTERN", DefaultValueFactory = _ => [] };
        var output = new Option<string?>("--output") { Description = "The model's folder. Default: OWNER/NAME in $J1_MODELS, or in .cache/j1/models in the home folder.", HelpName = "DIR" };
        var quiet = new Option<bool>("--quiet") { Description = "Show no progress, only the folder." };
        var command = new Command("pull", "Bring a model's files from a hub ($HF_ENDPOINT, with $HF_TOKEN), going on where it was broken off.") { model, revision, include, output, quiet };
        command.SetAction((arguments, cancellationToken) => RunAsync(
            context, arguments.GetRequiredValue(model), arguments.GetRequiredValue(revision), arguments.GetValue(include) ?? [], arguments.GetValue(output), arguments.GetValue(quiet), Environment.GetEnvironmentVariable, cancellationToken));
        return command;
    }

    internal static async Task<int> RunAsync(CommandContext context, string model, string revision, string[] include, string? output, bool quiet, Func<string, string?> environment, CancellationToken cancellationToken)
    {
        if (!ModelName().IsMatch(model)) throw new UsageException($"'{model}' is no model's name; expected OWNER/NAME.");
        var address = environment("HF_ENDPOINT") is { Length: > 0 } given ? given : PublicHub;
        if (!Uri.TryCreate(address.TrimEnd('/') + "/", UriKind.Absolute, out var endpoint) || endpoint.Scheme is not ("http" or "https"))
            throw new UsageException($"HF_ENDPOINT is '{address}'; expected an address such as {PublicHub}.");
        var models = environment("J1_MODELS") is { Length: > 0 } set ? set : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "j1", "models");
        var folder = output ?? Path.Combine(models, model);
        var display = new RunDisplay(context with { Out = context.Error }, quiet);
        using var pull = new ModelPull(endpoint, environment("HF_TOKEN") is { Length: > 0 } token ? token : null, display, context.Time);
        try
        {
            await pull.RunAsync(model, revision, include, folder, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException error)
        {
            throw new IOException(error.Message, error);
        }
        context.Out.WriteLine(folder);
        return ExitCode.Done;
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*\z")]
    private static partial Regex ModelName();
}
