using J1.Engines.Managed.Files;
using J1.Engines.Managed.Kernels;

namespace J1.Engines.Managed.Models;

/// <summary>
/// From the last layer to log-probabilities, and back. Only rows that predict a completion token are looked at, each once however many sequences
/// read it, and their logits (rows × V) exist a piece at a time.
/// </summary>
internal sealed unsafe class LanguageHead
{
    // Floats of logits held at once: 256 MiB.
    private const long LogitFloats = 1L << 26;

    private readonly ModelConfig _config;
    private readonly Decoder _decoder;
    private readonly float* _weights;   // (V, C)
    private readonly float* _norm;      // (C)

    public LanguageHead(ModelConfig config, Decoder decoder, TensorBlock weights)
    {
        (_config, _decoder) = (config, decoder);
        _weights = weights[config.TieEmbeddings ? Shapes.Embedding : Shapes.Head];
        _norm = weights[Shapes.FinalNorm];
    }

    /// <summary>Rows whose logits are held at once.</summary>
    public static int RowsAtOnce(ModelConfig config) => (int)Math.Clamp(LogitFloats / config.VocabularySize, 1, 8192);

    /// <summary>Log-probabilities and entropies of every sequence's completion.</summary>
    /// <param name="tree">The packed batch; path i is sequence i without its last token.</param>
    /// <param name="sequences">The sequences.</param>
    /// <param name="x">The last layer's output, shape [T, C].</param>
    /// <param name="temperature">Divides the logits.</param>
    public TokenScores[] Score(TokenTree tree, IReadOnlyList<TokenSequence> sequences, float* x, float temperature)
    {
        using var rows = new ScoredRows(this, tree, sequences, x);
        return rows.Score(temperature);
    }

    /// <summary>
    /// The same, then <paramref name="loss"/> for each sequence, then backward: dx is overwritten with the gradient at the last layer's output,
    /// and the head's and the last norm's gradients are added to where they are not null.
    /// </summary>
    /// <param name="tree">The packed batch.</param>
    /// <param name="sequences">The sequences.</param>
    /// <param name="x">The last layer's output, shape [T, C].</param>
    /// <param name="temperature">Divides the logits.</param>
    /// <param name="loss">Called once for each sequence, in their order here.</param>
    /// <param name="dx">Shape [T, C].</param>
    /// <param name="dWeights">Shape [V, C]; null where the head is not trained.</param>
    /// <param name="dNorm">Shape [C]; null where it is not trained.</param>
    public void Backward(TokenTree tree, IReadOnlyList<TokenSequence> sequences, float* x, float temperature, SequenceLoss loss, float* dx, float* dWeights, float* dNorm)
    {
        using var rows = new ScoredRows(this, tree, sequences, x);
        var scores = rows.Score(temperature);
        for (var i = 0; i < sequences.Count; i++)
        {
            var given = loss(i, scores[i]);
            if (given.LogProbs.Length != sequences[i].CompletionLength || (given.Entropies is { } entropies && entropies.Length != sequences[i].CompletionLength))
                throw new InvalidOperationException($"The loss of sequence {i} returned {given.LogProbs.Length} gradients for {sequences[i].CompletionLength} completion tokens.");
            rows.Take(i, given);
        }
        rows.Backward(dx, dWeights, dNorm);
    }

    /// <summary>The rows of a batch that predict something, their statistics, and what is asked of them.</summary>
    private sealed class ScoredRows : IDisposable
    {
        private readonly LanguageHead _head;
        private readonly IReadOnlyList<TokenSequence> _sequences;
        private readonly int _tokens;
        private readonly int[][] _places;        // [sequence][completion token]: index into the arrays below
        private readonly List<int> _rows = [];   // R: rows of the batch
        private readonly NativeBuffer _inputs, _normed, _rms, _logits;   // (R, C), (R, C), (R), (piece, V)
        private readonly List<(int Target, float Gradient)>[] _asked;
        private readonly float[] _dEntropy;
        private readonly int _piece;
        private LogitStatistics[] _statistics = [];
        private float _temperature;

        public ScoredRows(LanguageHead head, TokenTree tree, IReadOnlyList<TokenSequence> sequences, float* x)
        {
            (_head, _sequences, _tokens) = (head, sequences, tree.Tokens.Length);
            var c = head._config.HiddenSize;
            var known = new Dictionary<int, int>();
            _places = new int[sequences.Count][];
            for (var i = 0; i < sequences.Count; i++)
            {
                _places[i] = new int[sequences[i].CompletionLength];
                for (var t = 0; t < _places[i].Length; t++)
                {
                    var row = tree.RowOf(i, sequences[i].PromptLength - 1 + t);
                    if (!known.TryGetValue(row, out _places[i][t]))
                    {
                        known.Add(row, _places[i][t] = _rows.Count);
                        _rows.Add(row);
                    }
                }
            }
            _asked = [.. _rows.Select(_ => new List<(int, float)>())];
            _dEntropy = new float[_rows.Count];
            _piece = Math.Min(_rows.Count, RowsAtOnce(head._config));
            _inputs = new NativeBuffer((long)_rows.Count * c, zeroed: false);
            _normed = new NativeBuffer((long)_rows.Count * c, zeroed: false);
            _rms = new NativeBuffer(_rows.Count, zeroed: false);
            _logits = new NativeBuffer((long)_piece * head._config.VocabularySize, zeroed: false);
            for (var r = 0; r < _rows.Count; r++)
                new ReadOnlySpan<float>(x + (long)_rows[r] * c, c).CopyTo(_inputs.Slice((long)r * c, c));
            head._decoder.Norm(_inputs.Pointer, head._norm, _rows.Count, _normed.Pointer, _rms.Pointer);
        }

        public TokenScores[] Score(float temperature)
        {
            (_temperature, _statistics) = (temperature, new LogitStatistics[_rows.Count]);
            var v = _head._config.VocabularySize;
            TokenScores[] scores = [.. _places.Select(places => new TokenScores(new float[places.Length], new float[places.Length]))];
            var readers = new List<(int Sequence, int Token)>[_rows.Count];
            for (var i = 0; i < _places.Length; i++)
                for (var t = 0; t < _places[i].Length; t++)
                    (readers[_places[i][t]] ??= []).Add((i, t));

            ForPieces((first, count) =>
            {
                Logits(first, count);
                Workers.Run(count, row =>
                {
                    var z = _logits.Pointer + (long)row * v;
                    var statistics = _statistics[first + row] = RowKernels.Statistics(z, v, 1 / temperature);
                    foreach (var (sequence, token) in readers[first + row])
                    {
                        var target = _sequences[sequence].Tokens[_sequences[sequence].PromptLength + token];
                        scores[sequence].LogProbs[token] = (float)statistics.LogProb(z[target]);
                        scores[sequence].Entropies[token] = (float)statistics.Entropy;
                    }
                });
            });
            return scores;
        }

        public void Take(int sequence, TokenGradients gradients)
        {
            for (var t = 0; t < _places[sequence].Length; t++)
            {
                _asked[_places[sequence][t]].Add((_sequences[sequence].Tokens[_sequences[sequence].PromptLength + t], gradients.LogProbs[t]));
                _dEntropy[_places[sequence][t]] += gradients.Entropies?[t] ?? 0;
            }
        }

        public void Backward(float* dx, float* dWeights, float* dNorm)
        {
            int v = _head._config.VocabularySize, c = _head._config.HiddenSize;
            using var dNormed = new NativeBuffer((long)_rows.Count * c, zeroed: false);
            ForPieces((first, count) =>
            {
                if (_piece < _rows.Count) Logits(first, count); // else the forward pass left them
                Workers.Run(count, row =>
                {
                    var z = _logits.Pointer + (long)row * v;
                    var sum = 0f;
                    foreach (var (_, gradient) in _asked[first + row]) sum += gradient;
                    RowKernels.LogitGradient(z, v, _statistics[first + row], sum, _dEntropy[first + row]);
                    foreach (var (target, gradient) in _asked[first + row]) z[target] += gradient / _temperature;
                });
                // z = n Eᵀ:  dn = dz E, dE += dzᵀ n
                Gemm.Multiply(GemmLayout.NN, count, c, v, _logits.Pointer, v, _head._weights, c, dNormed.Pointer + (long)first * c, c, false);
                if (dWeights is not null) Gemm.Multiply(GemmLayout.TN, v, c, count, _logits.Pointer, v, _normed.Pointer + (long)first * c, c, dWeights, c, true);
            });

            using var dInputs = new NativeBuffer((long)_rows.Count * c);
            _head._decoder.NormBackward(_inputs.Pointer, _head._norm, dNormed.Pointer, _rows.Count, _rms.Pointer, dInputs.Pointer, dNorm);
            for (var row = 0; row < _tokens; row++) new Span<float>(dx + (long)row * c, c).Clear();
            for (var r = 0; r < _rows.Count; r++) dInputs.Slice((long)r * c, c).CopyTo(new Span<float>(dx + (long)_rows[r] * c, c));
        }

        public void Dispose()
        {
            foreach (var buffer in (NativeBuffer[])[_inputs, _normed, _rms, _logits]) buffer.Dispose();
        }

        private void ForPieces(Action<int, int> body)
        {
            for (var first = 0; first < _rows.Count; first += _piece) body(first, Math.Min(_piece, _rows.Count - first));
        }

        private void Logits(int first, int count)
        {
            int v = _head._config.VocabularySize, c = _head._config.HiddenSize;
            Gemm.Multiply(GemmLayout.NT, count, v, c, _normed.Pointer + (long)first * c, c, _head._weights, c, _logits.Pointer, v, false);
        }
    }
}
