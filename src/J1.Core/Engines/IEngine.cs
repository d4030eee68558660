namespace J1.Engines;

/// <summary>
/// A language model as a log-probability machine. An engine knows tokens and nothing of rewards: ragged token lists go in,
/// log-probabilities come out, logits never leave. Padding, masks, key/value caches and the sharing of prefixes are its own business,
/// and no result depends on them: not on the order of a batch, not on what else is in it.
/// Engines are synchronous, and one call runs at a time; callers that share an engine between threads serialise their calls.
/// </summary>
public interface IEngine : IDisposable
{
    /// <summary>Text to tokens and back, and the model's chat format.</summary>
    ITokenizer Tokenizer { get; }

    /// <summary>The most tokens a sequence (prompt and completion) may hold.</summary>
    int ContextLength { get; }

    /// <summary>A stable name of the weights for caches and provenance, for example a content hash.</summary>
    string Identity { get; }

    /// <summary>
    /// Draws <paramref name="samplesPerPrompt"/> completions of every prompt in one call, so that the engine can share what their prefixes share.
    /// The same seed gives the same tokens, whatever else is in the call: sample (i, j) depends on the seed, prompt i's tokens, i and j alone.
    /// </summary>
    /// <returns>Shape [prompts][samplesPerPrompt].</returns>
    /// <exception cref="ContextOverflowException">A prompt leaves no room for even one new token.</exception>
    Sample[][] Generate(IReadOnlyList<int[]> prompts, int samplesPerPrompt, SamplingOptions sampling, ulong seed, CancellationToken cancellationToken = default);

    /// <summary>
    /// The log-probability of every completion token given all before it, and the entropy of the distribution it was drawn from,
    /// both at <paramref name="temperature"/> (logits are divided by it; no truncation).
    /// </summary>
    /// <returns>One entry a sequence, each array as long as that sequence's completion.</returns>
    TokenScores[] Score(IReadOnlyList<TokenSequence> batch, float temperature = 1, CancellationToken cancellationToken = default);
}

/// <summary>An engine that tells each token as it is drawn.</summary>
public interface IStreamingEngine : IEngine
{
    /// <summary>Draws one completion, the same as <see cref="IEngine.Generate"/> does with this seed for this prompt alone.</summary>
    /// <param name="prompt">Tokens.</param>
    /// <param name="sampling">How to draw.</param>
    /// <param name="seed">Of the sampling.</param>
    /// <param name="drawn">Told every token in turn, the end token included, on the calling thread. An exception it throws ends the call.</param>
    /// <param name="cancellationToken">Ends the call before the next token.</param>
    /// <exception cref="ContextOverflowException">The prompt leaves no room for even one new token.</exception>
    Sample Generate(int[] prompt, SamplingOptions sampling, ulong seed, Action<int> drawn, CancellationToken cancellationToken = default);
}

/// <summary>Given the scores of sequence <paramref name="index"/> of the batch, the gradient of the loss with respect to each of its log-probabilities.</summary>
public delegate TokenGradients SequenceLoss(int index, TokenScores scores);

/// <summary>
/// An engine whose weights can move. What is trained is a sum over sequences of any function of their tokens' log-probabilities
/// (and entropies); losses that need two sequences at once, value heads and distillation over the whole vocabulary are out of its scope.
/// </summary>
public interface ITrainableEngine : IEngine
{
    /// <summary>
    /// Forward, one callback a sequence, backward; gradients add up until <see cref="Step"/>. Micro-batches, recomputation and prefix
    /// sharing are the engine's choice: the callback sees the scores that <see cref="IEngine.Score"/> would return, once for each sequence, in any order,
    /// one call at a time. An exception thrown by it ends the call; gradients accumulated since the last step are then discarded.
    /// </summary>
    void Accumulate(IReadOnlyList<TokenSequence> batch, float temperature, SequenceLoss loss, CancellationToken cancellationToken = default);

    /// <summary>
    /// One AdamW step with the accumulated gradients, which are then zero again.
    /// </summary>
    /// <exception cref="NonFiniteException">The gradient norm is not finite; the weights are unchanged and the gradients cleared.</exception>
    StepReport Step(OptimizerOptions options);

    /// <summary>Forgets the optimizer's moments and step count, as a new stage of training does; the weights stay.</summary>
    void RestartOptimizer();

    /// <summary>Today's weights as an engine that does not move, for the KL term (with LoRA: the base with today's adapter).</summary>
    IEngine Freeze();

    /// <summary>Writes weights, optimizer moments and step count to <paramref name="folder"/>, atomically: a kill at any moment leaves the old content or the new.</summary>
    void Save(string folder);

    /// <summary>Reads what <see cref="Save"/> wrote. Load, then step, equals never having stopped.</summary>
    void Load(string folder);
}

/// <summary>Prompt and completion as one list; only the completion (everything from <paramref name="PromptLength"/> on) is scored. PromptLength is at least 1.</summary>
public sealed record TokenSequence(int[] Tokens, int PromptLength)
{
    /// <summary>How many tokens are scored.</summary>
    public int CompletionLength => Tokens.Length - PromptLength;

    /// <summary>Joins a prompt and a completion.</summary>
    public static TokenSequence Of(int[] prompt, int[] completion)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(completion);
        return new([.. prompt, .. completion], prompt.Length);
    }
}

/// <summary>What <see cref="IEngine.Score"/> returns for a sequence: shape [completion] each, in nats.</summary>
public sealed record TokenScores(float[] LogProbs, float[] Entropies);

/// <summary>d loss / d log-probability of each completion token, and optionally d loss / d entropy; shape [completion] each.</summary>
public sealed record TokenGradients(float[] LogProbs, float[]? Entropies = null);

/// <summary>One drawn completion, its end token included, with the log-probability of each token at the sampling temperature (before any truncation by top-k, top-p, min-p).</summary>
public sealed record Sample(int[] Tokens, float[] LogProbs, FinishReason Finish);

/// <summary>Why a completion ended.</summary>
public enum FinishReason
{
    /// <summary>The model ended it with one of its end tokens.</summary>
    Stop,

    /// <summary>The token limit or the context's end cut it off.</summary>
    Length,
}

/// <summary>How completions are drawn. Filters apply after the temperature in the order top-k, top-p, min-p.</summary>
public sealed record SamplingOptions
{
    /// <summary>The most tokens a completion may have, its end token included. Default 256.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>Divides the logits; 0 is greedy. Default 1.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keep the k most likely tokens; 0 keeps all. Default 0.</summary>
    public int TopK { get; init; }

    /// <summary>Keep the smallest set of most likely tokens whose probabilities reach this sum; 1 keeps all. Default 1.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Keep tokens at least this share as likely as the most likely one; 0 keeps all. Default 0.</summary>
    public float MinP { get; init; }

    /// <summary>Greedy decoding: the most likely token each time, the lowest id of equals.</summary>
    public static SamplingOptions Greedy(int maxTokens) => new() { MaxTokens = maxTokens, Temperature = 0 };

    /// <summary>Throws when a value is out of its range.</summary>
    /// <exception cref="ArgumentException">Names the option, its value and its range.</exception>
    public void Validate()
    {
        if (MaxTokens < 1) throw new ArgumentException($"{nameof(MaxTokens)} is {MaxTokens}; it must be at least 1.");
        if (!(Temperature >= 0 && float.IsFinite(Temperature))) throw new ArgumentException($"{nameof(Temperature)} is {Temperature}; it must be a number of at least 0.");
        if (TopK < 0) throw new ArgumentException($"{nameof(TopK)} is {TopK}; it must be at least 0 (0 keeps all).");
        if (!(TopP > 0 && TopP <= 1)) throw new ArgumentException($"{nameof(TopP)} is {TopP}; it must be above 0 and at most 1.");
        if (!(MinP >= 0 && MinP < 1)) throw new ArgumentException($"{nameof(MinP)} is {MinP}; it must be at least 0 and below 1.");
    }
}

/// <summary>AdamW (Loshchilov and Hutter, 2019) and the clipping before it. The schedule is the caller's: the learning rate comes with each step.</summary>
public sealed record OptimizerOptions
{
    /// <summary>Step size. Default 1e-6, the paper's for full training.</summary>
    public float LearningRate { get; init; } = 1e-6f;

    /// <summary>Decay of the first moment. Default 0.9.</summary>
    public float Beta1 { get; init; } = 0.9f;

    /// <summary>Decay of the second moment. Default 0.999.</summary>
    public float Beta2 { get; init; } = 0.999f;

    /// <summary>Added to the root of the second moment. Default 1e-8.</summary>
    public float Epsilon { get; init; } = 1e-8f;

    /// <summary>Decoupled weight decay, on matrices only (not on norms and biases). Default 0.</summary>
    public float WeightDecay { get; init; }

    /// <summary>Gradients are scaled by min(1, this / (norm + 1e-6)); 0 turns clipping off. Default 1.</summary>
    public float MaxGradientNorm { get; init; } = 1;
}

/// <summary>What a step did.</summary>
/// <param name="GradientNorm">Euclidean norm of all gradients before clipping.</param>
/// <param name="LearningRate">The learning rate used.</param>
/// <param name="StepCount">Steps taken so far, this one included.</param>
public sealed record StepReport(double GradientNorm, float LearningRate, long StepCount);

/// <summary>A prompt does not fit the model's context.</summary>
public sealed class ContextOverflowException(string message, int length, int limit) : Exception(message)
{
    /// <summary>Tokens in the prompt.</summary>
    public int Length { get; } = length;

    /// <summary>Tokens the context holds.</summary>
    public int Limit { get; } = limit;
}

/// <summary>A loss or a gradient is NaN or infinite. The message says where.</summary>
public sealed class NonFiniteException(string message) : Exception(message);
