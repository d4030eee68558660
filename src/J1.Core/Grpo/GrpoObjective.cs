using J1.Engines;

namespace J1.Grpo;

/// <summary>
/// The maths of GRPO's loss: from a sequence's log-probabilities now (l), when it was sampled (o) and under the reference (q)
/// to the gradient with respect to each l. No tensors, no model. With w the token's aggregation weight and A the advantage:
/// <code>
/// ratio  r = exp(l - o)                         (gspo: exp of the sequence's mean of l - o)
/// loss     = w · ( -min(r·A, clip(r, 1-low, 1+high)·A) + β·k3 - c·H )
/// k3       = exp(q - l) - (q - l) - 1           (Schulman, "Approximating KL Divergence", 2020)
/// </code>
/// </summary>
public sealed class GrpoObjective
{
    private readonly LossProfile _profile;
    private readonly double _clipLow, _clipHigh, _cap, _kl, _entropy;
    private readonly bool _weightKl;
    private readonly int _maxCompletionTokens;

    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public GrpoObjective(GrpoOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _profile = options.Loss;
        _clipLow = options.ClipLow ?? (_profile == LossProfile.Gspo ? 3e-4 : 0.2);
        _clipHigh = options.ClipHigh ?? _profile switch { LossProfile.Dapo => 0.28, LossProfile.Gspo => 4e-4, LossProfile.Cispo => 5, _ => 0.2 };
        _cap = options.Delta ?? double.PositiveInfinity;
        _kl = options.KlCoefficient;
        _weightKl = options.ImportanceWeightedKl;
        _entropy = options.EntropyCoefficient;
        _maxCompletionTokens = options.MaxCompletionTokens;
    }

    /// <summary>Whether <see cref="Evaluate"/> needs reference log-probabilities.</summary>
    public bool NeedsReference => _kl > 0;

    /// <summary>
    /// The weight of every token of a sequence, known before the backward pass, which is why the cut into micro-batches cannot matter.
    /// </summary>
    /// <param name="sequences">Sequences in the batch that take part in the loss.</param>
    /// <param name="tokens">Their completion tokens, all together.</param>
    /// <param name="length">Completion tokens of this sequence.</param>
    public double TokenWeight(int sequences, long tokens, int length) => _profile switch
    {
        LossProfile.Grpo or LossProfile.Gspo => 1.0 / sequences / Math.Max(1, length),
        LossProfile.DrGrpo => 1.0 / sequences / _maxCompletionTokens,
        _ => 1.0 / tokens,
    };

    /// <summary>Loss and gradients of one sequence.</summary>
    /// <param name="now">Log-probabilities and entropies under the policy as it is, shape [completion].</param>
    /// <param name="old">Log-probabilities when the tokens were drawn, shape [completion].</param>
    /// <param name="reference">Log-probabilities under the reference, shape [completion]; may be null when the KL coefficient is 0.</param>
    /// <param name="advantage">The sequence's advantage.</param>
    /// <param name="tokenWeight">See <see cref="TokenWeight"/>.</param>
    public SequenceTerm Evaluate(TokenScores now, float[] old, float[]? reference, double advantage, double tokenWeight)
    {
        ArgumentNullException.ThrowIfNull(now);
        ArgumentNullException.ThrowIfNull(old);
        var length = now.LogProbs.Length;
        if (old.Length != length) throw new ArgumentException($"{old.Length} old log-probabilities for {length} tokens.");
        if (NeedsReference && reference?.Length != length) throw new ArgumentException($"{reference?.Length ?? 0} reference log-probabilities for {length} tokens.");

        var gradient = new double[length];
        var term = new SequenceTerm { Tokens = length };

        double meanLogRatio = 0;
        for (var t = 0; t < length; t++) meanLogRatio += ((double)now.LogProbs[t] - old[t]) / length;

        // d r_sequence / d l_t = r_sequence / length, for every t: what each token's surrogate sends to the shared ratio is summed first.
        double sharedRatioGradient = 0;
        for (var t = 0; t < length; t++)
        {
            double l = now.LogProbs[t];
            var ratio = Math.Exp(_profile == LossProfile.Gspo ? meanLogRatio : l - old[t]);

            var (loss, dRatio) = Surrogate(ratio, l, advantage, term);
            if (_profile == LossProfile.Cispo) gradient[t] = -Math.Min(ratio, _clipHigh) * advantage;
            else if (_profile == LossProfile.Gspo) sharedRatioGradient += dRatio * ratio / length;
            else gradient[t] = dRatio * ratio;

            if (_kl > 0)
            {
                var d = reference![t] - l;
                var k3 = Math.Exp(d) - d - 1;
                var dk3 = 1 - Math.Exp(d);
                term.Kl += k3;
                loss += _kl * k3 * (_weightKl ? ratio : 1);
                if (!_weightKl) gradient[t] += _kl * dk3;
                else if (_profile == LossProfile.Gspo)
                {
                    gradient[t] += _kl * ratio * dk3;
                    sharedRatioGradient += _kl * k3 * ratio / length;
                }
                else gradient[t] += _kl * ratio * (dk3 + k3);
            }

            term.Entropy += now.Entropies[t];
            term.Loss += tokenWeight * (loss - _entropy * now.Entropies[t]);
        }

        term.Gradients = new TokenGradients(
            Array.ConvertAll(gradient, g => (float)(tokenWeight * (g + sharedRatioGradient))),
            _entropy > 0 ? Enumerable.Repeat((float)(-tokenWeight * _entropy), length).ToArray() : null);
        return term;
    }

    // -min(r·A, clip(r)·A) and its derivative by r; cispo's derivative goes to l instead.
    private (double Loss, double DRatio) Surrogate(double ratio, double logProb, double advantage, SequenceTerm term)
    {
        if (_profile == LossProfile.Cispo)
        {
            if (ratio > _clipHigh && advantage > 0) term.ClippedHigh++;
            return (-Math.Min(ratio, _clipHigh) * advantage * logProb, 0);
        }
        if (ratio < 1 - _clipLow && advantage < 0) term.ClippedLow++;
        if (ratio > 1 + _clipHigh && advantage > 0) term.ClippedHigh++;

        var capped = Math.Min(ratio, _cap);
        var clipped = Math.Clamp(ratio, 1 - _clipLow, 1 + _clipHigh);
        var unclippedWins = capped * advantage <= clipped * advantage;
        var moves = unclippedWins ? ratio <= _cap : ratio == clipped;
        return (-(unclippedWins ? capped : clipped) * advantage, moves ? -advantage : 0);
    }
}

/// <summary>One sequence's share of the loss, its gradients, and sums over its tokens for the log.</summary>
public sealed class SequenceTerm
{
    /// <summary>This sequence's part of the batch loss.</summary>
    public double Loss { get; internal set; }

    /// <summary>d loss / d log-probability (and entropy), shape [completion].</summary>
    public TokenGradients Gradients { get; internal set; } = new([]);

    /// <summary>Completion tokens.</summary>
    public int Tokens { get; internal init; }

    /// <summary>Sum of k3 over tokens.</summary>
    public double Kl { get; internal set; }

    /// <summary>Sum of entropies over tokens, in nats.</summary>
    public double Entropy { get; internal set; }

    /// <summary>Tokens whose ratio was clipped from below while it mattered.</summary>
    public int ClippedLow { get; internal set; }

    /// <summary>Tokens whose ratio was clipped from above while it mattered.</summary>
    public int ClippedHigh { get; internal set; }
}
