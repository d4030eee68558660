using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using J1.Engines.Managed.Files;
using J1.Engines.Managed.Generation;
using J1.Engines.Managed.Kernels;
using J1.Engines.Managed.Models;
using J1.Engines.Managed.Tokenizers;
using J1.Engines.Managed.Training;

namespace J1.Engines.Managed;

/// <summary>
/// A Llama-family model on the processor, in plain C#: <see cref="IEngine"/> for judging, <see cref="ITrainableEngine"/> for training all weights or a LoRA adapter.
/// Computes in float32; the same seed gives the same bits on every machine and any number of threads, and micro-batches, recomputation and shared prefixes change no score.
/// </summary>
public sealed unsafe class ManagedEngine : ITrainableEngine, IStreamingEngine
{
    private readonly EngineOptions _options;
    private readonly TensorBlock _weights;
    private readonly Decoder _decoder;
    private readonly LanguageHead _head;
    private readonly bool _frozen;
    private readonly string? _source;
    private TrainedTensors? _trained;   // the weights themselves, or the adapter's
    private LoraAdapter? _adapter;
    private PackedWeights? _packed;     // for generating; gone when the weights move
    private string? _identity;
    private bool _disposed;

    private ManagedEngine(ModelConfig config, ITokenizer tokenizer, TensorBlock weights, EngineOptions options, string? source, bool frozen)
    {
        (Config, Tokenizer, _weights, _options, _source, _frozen) = (config, tokenizer, weights, options, source, frozen);
        ContextLength = Math.Min(options.ContextLength ?? int.MaxValue, config.ContextLength);
        _decoder = new Decoder(config, weights, ContextLength);
        _head = new LanguageHead(config, _decoder, weights);
        if (frozen) return;
        if (options.Lora is { } lora) Adapt(lora);
        else _trained = new TrainedTensors(weights, ownsValues: false);
    }

    public ITokenizer Tokenizer { get; }

    public int ContextLength { get; }

    /// <summary>The model's shape.</summary>
    public ModelConfig Config { get; }

    /// <summary>Weights of the model, adapters not counted.</summary>
    public long ParameterCount => _weights.Layout.Length;

    /// <summary>Weights that training moves.</summary>
    public long TrainableCount => _trained?.Values.Layout.Length ?? 0;

    /// <summary>SHA-256 of all weights as they compute (adapter included) and of the shape, the first 32 hex digits.</summary>
    public string Identity
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _identity ??= Hash();
        }
    }

    /// <summary>Opens a Hugging Face folder or a .gguf file, its tokenizer with it (a folder without one takes token ids alone).</summary>
    /// <exception cref="ModelFileException">There is no model, or it cannot be used; the message says why.</exception>
    public static ManagedEngine Open(string path, EngineOptions? options = null)
    {
        using var files = ModelReader.Open(path);
        ITokenizer tokenizer = files.GgufMetadata is { } metadata ? TokenizerReader.FromGguf(metadata)
            : TokenizerReader.HasTokenizer(files.Path) ? TokenizerReader.FromFolder(files.Path)
            : new IdTokenizer(files.Config.VocabularySize, files.Config.EndTokens);
        return Open(files.Config, files.Weights, tokenizer, options, files.Path);
    }

    /// <summary>Takes weights from any source.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="source">Has exactly the tensors of the shape; may be disposed of afterwards.</param>
    /// <param name="tokenizer">Of the same vocabulary.</param>
    /// <param name="options">How to hold and train it.</param>
    /// <param name="path">Where it came from, for whoever loads an exported adapter.</param>
    public static ManagedEngine Open(ModelConfig config, IWeightSource source, ITokenizer tokenizer, EngineOptions? options = null, string? path = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(tokenizer);
        options ??= new EngineOptions();
        options.Validate();
        var weights = new TensorBlock(new TensorLayout(Shapes.Of(config)), zeroed: false);
        foreach (var tensor in weights.Layout.Tensors) source.Read(tensor.Name, weights.Span(tensor));
        return new ManagedEngine(config, tokenizer, weights, options, path, frozen: false);
    }

    /// <summary>Makes a model from nothing: matrices normal with deviation 1/√C (a width of 2,500 would give GPT-2's 0.02), those that add to the residual stream divided by √(2 L) as GPT-2 has it, norms 1.</summary>
    /// <exception cref="ArgumentException">The tokenizer has more tokens than the shape.</exception>
    public static ManagedEngine Create(ModelConfig config, ITokenizer tokenizer, ulong seed, EngineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tokenizer);
        options ??= new EngineOptions();
        options.Validate();
        if (tokenizer.VocabularySize > config.VocabularySize)
            throw new ArgumentException($"The tokenizer has {tokenizer.VocabularySize} tokens, the model {config.VocabularySize}.", nameof(tokenizer));
        var weights = new TensorBlock(new TensorLayout(Shapes.Of(config)));
        foreach (var (tensor, index) in weights.Layout.Tensors.Select((tensor, index) => (tensor, index)))
        {
            var values = weights.Span(tensor);
            if (tensor.Shape.Count == 1)
            {
                if (tensor.Name.EndsWith("norm.weight", StringComparison.Ordinal)) values.Fill(1);
                continue;
            }
            var residual = tensor.Name.EndsWith("o_proj.weight", StringComparison.Ordinal) || tensor.Name.EndsWith("down_proj.weight", StringComparison.Ordinal);
            var deviation = 1 / Math.Sqrt(config.HiddenSize) / (residual ? Math.Sqrt(2.0 * config.LayerCount) : 1);
            var random = SplitMix.For(seed, 0x1217, (ulong)index);
            foreach (ref var value in values) value = (float)(random.NextNormal() * deviation);
        }
        return new ManagedEngine(config, tokenizer, weights, options, null, frozen: false);
    }

    /// <summary>
    /// Puts a LoRA adapter in PEFT's layout on the model, in place of the one it has. Training then goes on with this adapter.
    /// </summary>
    /// <exception cref="ModelFileException">It is missing, damaged, or of another base model; nothing is changed.</exception>
    public void LoadAdapter(string folder)
    {
        using var adapter = new PeftAdapter(folder, Config);
        ThrowIfFrozen();
        var settings = adapter.Config;
        Adapt(new LoraOptions { Rank = settings.Rank, Alpha = settings.Alpha, RankStabilized = settings.RankStabilized, Targets = settings.TargetModules });
        _adapter!.Import(adapter);
        WeightsMoved();
    }

    public Sample[][] Generate(IReadOnlyList<int[]> prompts, int samplesPerPrompt, SamplingOptions sampling, ulong seed, CancellationToken cancellationToken = default) =>
        Generate(prompts, samplesPerPrompt, sampling, seed, null, cancellationToken);

    public Sample Generate(int[] prompt, SamplingOptions sampling, ulong seed, Action<int> drawn, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(drawn);
        return Generate([prompt], 1, sampling, seed, drawn, cancellationToken)[0][0];
    }

    private Sample[][] Generate(IReadOnlyList<int[]> prompts, int samplesPerPrompt, SamplingOptions sampling, ulong seed, Action<int>? drawn, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(sampling);
        ArgumentOutOfRangeException.ThrowIfLessThan(samplesPerPrompt, 1);
        sampling.Validate();
        for (var i = 0; i < prompts.Count; i++)
        {
            CheckTokens(prompts[i], $"prompt {i}");
            if (prompts[i].Length == 0) throw new ArgumentException($"Prompt {i} is empty; it needs at least one token.", nameof(prompts));
            if (prompts[i].Length >= ContextLength)
                throw new ContextOverflowException($"Prompt {i} has {prompts[i].Length} tokens, which leaves no room in a context of {ContextLength}. Shorten it, or use a model with a longer context.", prompts[i].Length, ContextLength);
        }
        _packed ??= new PackedWeights(Config, _decoder, _weights);
        return new Generator(Config, _decoder, _weights, _packed, Tokenizer.EndTokens, ContextLength).Generate(prompts, samplesPerPrompt, sampling, seed, drawn, cancellationToken);
    }

    public TokenScores[] Score(IReadOnlyList<TokenSequence> batch, float temperature = 1, CancellationToken cancellationToken = default)
    {
        CheckBatch(batch, temperature);
        var scores = new TokenScores[batch.Count];
        var inputs = Inputs(batch);
        foreach (var part in TokenTree.Parts(inputs, _options.MicroBatchTokens))
        {
            var tree = new TokenTree([.. part.Select(i => inputs[i])]);
            using var kept = new Activations(Config, tree.Tokens.Length);
            using var work = new Workspace(Config, tree.Tokens.Length, backward: false);
            _decoder.Embed(tree.Tokens, kept.Input);
            for (var layer = 0; layer < Config.LayerCount; layer++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                _decoder.Forward(layer, tree, kept, work, kept.Input);
            }
            var own = _head.Score(tree, [.. part.Select(i => batch[i])], kept.Input, temperature);
            for (var i = 0; i < part.Count; i++) scores[part[i]] = own[i];
        }
        return scores;
    }

    public void Accumulate(IReadOnlyList<TokenSequence> batch, float temperature, SequenceLoss loss, CancellationToken cancellationToken = default)
    {
        CheckBatch(batch, temperature);
        ArgumentNullException.ThrowIfNull(loss);
        ThrowIfFrozen();
        var inputs = Inputs(batch);
        var parts = TokenTree.Parts(inputs, _options.MicroBatchTokens).Select(part => (Indices: part, Tree: new TokenTree([.. part.Select(i => inputs[i])]))).ToList();
        if (parts.Count == 0) return;
        try
        {
            using var room = new TrainingRoom(Config, parts.Max(part => part.Tree.Tokens.Length), _options.RecomputeActivations);
            foreach (var (indices, tree) in parts)
                Accumulate(tree, [.. indices.Select(i => batch[i])], temperature, (i, scores) => loss(indices[i], scores), room, cancellationToken);
        }
        catch
        {
            _trained!.ClearGradients();
            throw;
        }
    }

    public StepReport Step(OptimizerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ThrowIfFrozen();
        var report = _trained!.Step(options);
        WeightsMoved();
        return report;
    }

    public void RestartOptimizer()
    {
        ThrowIfFrozen();
        _trained!.Restart();
    }

    public IEngine Freeze()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var copy = new TensorBlock(_weights.Layout, zeroed: false);
        _weights.CopyTo(copy);
        return new ManagedEngine(Config, Tokenizer, copy, _options, _source, frozen: true);
    }

    public void Save(string folder)
    {
        ThrowIfFrozen();
        _trained!.Save(folder);
    }

    /// <inheritdoc/>
    /// <exception cref="ModelFileException">There is no checkpoint, it is damaged, or it is of another model; nothing is changed.</exception>
    public void Load(string folder)
    {
        ThrowIfFrozen();
        _trained!.Load(folder);
        WeightsMoved();
    }

    /// <summary>
    /// Writes what other programs read: the adapter in PEFT's layout where one is trained, otherwise a Hugging Face folder with weights, configuration and tokenizer.
    /// </summary>
    /// <exception cref="ModelFileException">A file could not be written; the older ones stay.</exception>
    public void Export(string folder)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_adapter is not null)
        {
            _adapter.Export(folder, _source is null ? null : Path.GetFileNameWithoutExtension(_source));
            return;
        }
        HuggingFaceWriter.Save(folder, Config, _weights.Layout.Tensors, _weights.Read);
        if (Tokenizer is BpeTokenizer tokenizer) TokenizerWriter.Save(tokenizer, folder);
    }

    /// <summary>The gradient of a trained tensor as accumulated so far; tests compare it with references. Shape as the tensor's.</summary>
    internal float[] Gradient(string name)
    {
        var tensor = _trained!.Values.Layout.Tensors.Single(t => t.Name == name);
        var gradient = new float[tensor.Count];
        _trained.Gradients.Read(name, gradient);
        return gradient;
    }

    /// <summary>A trained tensor, to be looked at and moved by tests; <see cref="WeightsMoved"/> makes it take effect.</summary>
    internal Span<float> Weight(string name) => _trained!.Values.Span(_trained.Values.Layout.Tensors.Single(t => t.Name == name));

    /// <summary>Names of the tensors that are trained.</summary>
    internal IReadOnlyList<TensorInfo> TrainedTensors => _trained!.Values.Layout.Tensors;

    /// <summary>Forgets what was derived from the weights as they were.</summary>
    internal void WeightsMoved()
    {
        _adapter?.MergeInto(_weights);
        _packed?.Dispose();
        (_packed, _identity) = (null, null);
    }

    public void Dispose()
    {
        _disposed = true;
        _packed?.Dispose();
        if (_adapter is null) _trained?.Dispose();
        _adapter?.Dispose();
        _decoder.Dispose();
        _weights.Dispose();
    }

    private void Accumulate(TokenTree tree, TokenSequence[] sequences, float temperature, SequenceLoss loss, TrainingRoom room, CancellationToken cancellationToken)
    {
        var last = Config.LayerCount - 1;
        _decoder.Embed(tree.Tokens, room.InputOf(0));
        for (var layer = 0; layer <= last; layer++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _decoder.Forward(layer, tree, room.Layer(layer), room.Work, room.InputOf(layer + 1));
        }

        var gradients = (IGradients?)_adapter ?? new FullTraining(Config, _trained!);
        float* Gradient(string name) => _adapter is null ? _trained!.Gradients[name] : null;
        var head = Gradient(Config.TieEmbeddings ? Shapes.Embedding : Shapes.Head);
        _head.Backward(tree, sequences, room.InputOf(last + 1), temperature, loss, room.Stream, head, Gradient(Shapes.FinalNorm));

        for (var layer = last; layer >= 0; layer--)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (room.Recompute) _decoder.Forward(layer, tree, room.Layer(layer), room.Work, room.Scrap);
            _decoder.Backward(layer, tree, room.Layer(layer), room.Work, room.Stream, gradients);
        }

        // x = E[token]:  dE[token] += dx
        var c = Config.HiddenSize;
        var embedding = Gradient(Shapes.Embedding);
        if (embedding is not null)
            for (var t = 0; t < tree.Tokens.Length; t++)
            {
                if (tree.Tokens[t] == Config.PaddingToken) continue;
                var row = embedding + (long)tree.Tokens[t] * c;
                System.Numerics.Tensors.TensorPrimitives.Add(new ReadOnlySpan<float>(row, c), new ReadOnlySpan<float>(room.Stream + (long)t * c, c), new Span<float>(row, c));
            }
    }

    private void Adapt(LoraOptions lora)
    {
        if (_adapter is not null)
        {
            // Take the old adapter out: its base matrices are what the new one starts from.
            _adapter.Remove(_weights);
            _adapter.Dispose();
        }
        else _trained?.Dispose();
        _adapter = new LoraAdapter(Config, lora, _weights);
        _trained = _adapter.Trained;
        WeightsMoved();
    }

    // A sequence without its last token: nothing is predicted from that one.
    private static ArraySegment<int>[] Inputs(IReadOnlyList<TokenSequence> batch) => [.. batch.Select(s => new ArraySegment<int>(s.Tokens, 0, s.Tokens.Length - 1))];

    private void CheckBatch(IReadOnlyList<TokenSequence> batch, float temperature)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(batch);
        if (!(temperature > 0 && float.IsFinite(temperature))) throw new ArgumentException($"The temperature is {temperature}; it must be above 0.", nameof(temperature));
        for (var i = 0; i < batch.Count; i++)
        {
            var sequence = batch[i];
            CheckTokens(sequence.Tokens, $"sequence {i}");
            if (sequence.PromptLength < 1 || sequence.CompletionLength < 1)
                throw new ArgumentException($"Sequence {i} has {sequence.Tokens.Length} tokens, {sequence.PromptLength} of them prompt; both prompt and completion need at least one.", nameof(batch));
            if (sequence.Tokens.Length > ContextLength)
                throw new ContextOverflowException($"Sequence {i} has {sequence.Tokens.Length} tokens; the context holds {ContextLength}.", sequence.Tokens.Length, ContextLength);
        }
    }

    private void CheckTokens(int[] tokens, string what)
    {
        foreach (var token in tokens)
            if ((uint)token >= (uint)Config.VocabularySize) throw new ArgumentException($"Token {token} of {what} is not in the vocabulary of {Config.VocabularySize} tokens.");
    }

    private void ThrowIfFrozen()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_frozen) throw new InvalidOperationException("This engine is a frozen copy; train the one it was made from.");
    }

    private string Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"{Config.Architecture} {Config.LayerCount} {Config.HeadCount} {Config.KeyValueHeadCount} {Config.HeadSize} {Config.RmsEpsilon:R} {Config.Rope}")));
        const int atOnce = 1 << 26;
        for (long at = 0; at < _weights.Numbers.Length; at += atOnce)
            hash.AppendData(MemoryMarshal.AsBytes(_weights.Numbers.Slice(at, (int)Math.Min(atOnce, _weights.Numbers.Length - at))));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..32];
    }

    /// <summary>What one call to Accumulate holds, for its largest micro-batch (T rows).</summary>
    private sealed class TrainingRoom : IDisposable
    {
        private readonly Activations[] _layers;
        private readonly NativeBuffer[] _inputs;   // of each layer, where the layers themselves are not kept
        private readonly NativeBuffer _stream, _output;
        private readonly long _inputFloats;

        public TrainingRoom(ModelConfig config, int rows, bool recompute)
        {
            Recompute = recompute;
            _inputFloats = (long)rows * config.HiddenSize;
            _layers = [.. Enumerable.Range(0, recompute ? 1 : config.LayerCount).Select(_ => new Activations(config, rows))];
            _inputs = [.. Enumerable.Range(0, recompute ? config.LayerCount : 0).Select(_ => new NativeBuffer(_inputFloats, zeroed: false))];
            _stream = new NativeBuffer(_inputFloats, zeroed: false);
            _output = new NativeBuffer(_inputFloats, zeroed: false);
            Work = new Workspace(config, rows, backward: true);
        }

        public bool Recompute { get; }

        public Workspace Work { get; }

        /// <summary>The gradient on its way down, [T, C].</summary>
        public float* Stream => _stream.Pointer;

        /// <summary>Where a layer's output goes that nobody reads, [T, C].</summary>
        public float* Scrap => _output.Pointer;

        /// <summary>Where the input of a layer is kept (of the one after the last: the model's output), [T, C].</summary>
        public float* InputOf(int layer) => Recompute
            ? layer < _inputs.Length ? _inputs[layer].Pointer : _output.Pointer
            : layer < _layers.Length ? _layers[layer].Input : _output.Pointer;

        /// <summary>A layer's activations, its input in place.</summary>
        public Activations Layer(int layer)
        {
            if (!Recompute) return _layers[layer];
            Buffer.MemoryCopy(_inputs[layer].Pointer, _layers[0].Input, _inputFloats * sizeof(float), _inputFloats * sizeof(float));
            return _layers[0];
        }

        public void Dispose()
        {
            foreach (var layer in _layers) layer.Dispose();
            foreach (var input in _inputs) input.Dispose();
            _stream.Dispose();
            _output.Dispose();
            Work.Dispose();
        }
    }
}
