namespace J1.Cli.Configuration;

/// <summary>Training pairs whose rejected response a model writes, as the paper's are made. Files of sources are JSON lines of id, instruction, response and answer.</summary>
internal sealed record SynthesizeSection
{
    /// <summary>Sources with a good response: the answer to a modified instruction is rejected against it.</summary>
    [PathValue]
    public string? NoisyInstruction { get; init; }

    /// <summary>Sources with an answer, the key: a sampled solution that ends with another is rejected.</summary>
    [PathValue]
    public string? WrongAnswer { get; init; }

    /// <summary>The model that writes: a Hugging Face folder or a .gguf file.</summary>
    [PathValue]
    public string? Model { get; init; }

    /// <summary>A server that writes instead, with the chat completions protocol of OpenAI.</summary>
    public EndpointSection? Endpoint { get; init; }

    /// <summary>Sampling temperature. Default 0.7, Self-Taught Evaluator's.</summary>
    public float Temperature { get; init; } = 0.7f;

    /// <summary>Only the most likely tokens that together reach this probability are drawn. Default 0.9, Self-Taught Evaluator's.</summary>
    public float TopP { get; init; } = 0.9f;

    /// <summary>The most tokens of a reply. Default 1024.</summary>
    public int MaxTokens { get; init; } = 1024;

    /// <summary>Solutions of each problem of <see cref="WrongAnswer"/>. Default 8.</summary>
    public int Samples { get; init; } = 8;

    /// <summary>Sources that are written about together, between two of which the stage can be stopped. Default 8.</summary>
    public int AtOnce { get; init; } = 8;

    public void Validate()
    {
        if (!(Temperature > 0 && float.IsFinite(Temperature))) throw new ArgumentException($"{nameof(Temperature)} is {Temperature}; it must be above 0.");
        if (!(TopP is > 0 and <= 1)) throw new ArgumentException($"{nameof(TopP)} is {TopP}; it must be above 0 and at most 1.");
        if (MaxTokens < 1) throw new ArgumentException($"{nameof(MaxTokens)} is {MaxTokens}; it must be at least 1.");
        if (Samples < 1) throw new ArgumentException($"{nameof(Samples)} is {Samples}; it must be at least 1.");
        if (AtOnce < 1) throw new ArgumentException($"{nameof(AtOnce)} is {AtOnce}; it must be at least 1.");
        if (NoisyInstruction is null && WrongAnswer is null) throw new ArgumentException("names no sources; expected noisy_instruction, or wrong_answer.");
        if (Model is null && Endpoint is null) throw new ArgumentException("names nothing that writes; expected a model, or an endpoint.");
        if (Model is not null && Endpoint is not null) throw new ArgumentException($"{nameof(Model)} and {nameof(Endpoint)} are both given; expected one of them.");
    }
}

/// <summary>A chat server.</summary>
internal sealed record EndpointSection
{
    /// <summary>The address before /chat/completions, for example http://localhost:8000/v1.</summary>
    public required string Url { get; init; }

    /// <summary>The model's name there.</summary>
    public required string Model { get; init; }

    /// <summary>The environment variable that holds the key, which is written nowhere; a server without one needs none. Default J1_API_KEY.</summary>
    public string KeyVariable { get; init; } = "J1_API_KEY";

    public void Validate()
    {
        // A record that is asked about one value has no others.
        if (Url is not null && !(Uri.TryCreate(Url, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"))
            throw new ArgumentException($"{nameof(Url)} is '{Url}'; it must be an address such as http://localhost:8000/v1.");
    }
}
