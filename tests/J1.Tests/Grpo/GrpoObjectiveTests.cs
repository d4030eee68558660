using System.Text.Json;
using J1.Engines;
using J1.Grpo;

namespace J1.Tests.Grpo;

public sealed class GrpoObjectiveTests
{
    /// <summary>Cases of the reference file that are other algorithms (sapo, vespo, luspo) or filters this project leaves out.</summary>
    private static readonly string[] OutOfScope = ["sapo", "vespo", "luspo seq", "dapo topq=.5", "dapo offp=.1"];

    private static readonly Lazy<JsonDocument> Golden = new(() => JsonDocument.Parse(File.ReadAllText(Shared.PathTo("golden/grpo_loss.json"))));

    public static TheoryData<string> Cases()
    {
        var data = new TheoryData<string>();
        if (Shared.Root is not null)
            foreach (var item in Golden.Value.RootElement.GetProperty("cases").EnumerateArray())
                if (!OutOfScope.Contains(item.GetProperty("name").GetString()))
                    data.Add(item.GetProperty("name").GetString()!);
        if (data.Count == 0) data.Add("absent");
        return data;
    }

    [SharedFact("golden/grpo_loss.json")]
    public void The_reference_file_holds_thirteen_cases_in_scope() => Assert.Equal(13, Cases().Count);

    [SharedTheory("golden/grpo_loss.json")]
    [MemberData(nameof(Cases))]
    public void Loss_and_gradients_equal_the_reference_trainers(string name)
    {
        var item = Golden.Value.RootElement.GetProperty("cases").EnumerateArray().Single(c => c.GetProperty("name").GetString() == name);
        var options = item.GetProperty("options");
        var accumulation = options.TryGetProperty("gradient_accumulation", out var parts) ? parts.GetDouble() : 1;
        var batch = Batch.Golden(Golden.Value.RootElement.GetProperty("inputs"));
        var (loss, gradients) = batch.Evaluate(new GrpoObjective(Options(options)));

        Assert.Equal(item.GetProperty("loss").GetDouble(), loss / accumulation, 1e-7);
        var expected = Rows(item.GetProperty("d_log_prob"));
        for (var i = 0; i < expected.Length; i++)
            for (var t = 0; t < gradients[i].Length; t++)
                Assert.Equal(expected[i][t], gradients[i][t] / accumulation, 1e-7);
    }

    [Theory]
    [InlineData(LossProfile.Grpo, false)]
    [InlineData(LossProfile.Bnpo, false)]
    [InlineData(LossProfile.DrGrpo, false)]
    [InlineData(LossProfile.Dapo, true)]
    [InlineData(LossProfile.Gspo, false)]
    [InlineData(LossProfile.Gspo, true)]
    public void Gradients_equal_finite_differences(LossProfile profile, bool weightedKl)
    {
        // Clip borders are moved away from every ratio: at a border the derivative does not exist.
        var objective = new GrpoObjective(new GrpoOptions { Loss = profile, ClipLow = 0.15, ClipHigh = 0.33, KlCoefficient = 0.05, ImportanceWeightedKl = weightedKl, EntropyCoefficient = 0.01, MaxCompletionTokens = 4 });
        for (var seed = 0UL; seed < 20; seed++)
        {
            var batch = Batch.Random(seed);
            var (_, gradients) = batch.Evaluate(objective);
            for (var i = 0; i < gradients.Length; i++)
                for (var t = 0; t < gradients[i].Length; t++)
                {
                    const float h = 1f / 1024;
                    var up = batch.With(i, t, h).Evaluate(objective).Loss;
                    var down = batch.With(i, t, -h).Evaluate(objective).Loss;
                    var numeric = (up - down) / (2 * h);
                    var kink = batch.NearKink(i, 0.15, 0.33, 4 * h);
                    if (!kink) Assert.Equal(numeric, gradients[i][t], 1e-5);
                }
        }
    }

    [Fact]
    public void On_policy_the_gradient_is_minus_advantage_times_weight()
    {
        var objective = new GrpoObjective(new GrpoOptions { KlCoefficient = 0 });
        var term = objective.Evaluate(new TokenScores([-1, -2], [0, 0]), [-1, -2], null, 0.5, 0.25);
        Assert.Equal([-0.125f, -0.125f], term.Gradients.LogProbs);
    }

    [Fact]
    public void A_missing_reference_is_refused_when_the_kl_term_needs_one()
    {
        var objective = new GrpoObjective(new GrpoOptions { KlCoefficient = 0.1 });
        var error = Assert.Throws<ArgumentException>(() => objective.Evaluate(new TokenScores([-1], [0]), [-1], null, 1, 1));
        Assert.Contains("0 reference log-probabilities for 1 tokens", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_out_of_range_are_refused_by_name()
    {
        Assert.Contains("GroupSize is 1", Assert.Throws<ArgumentException>(() => new GrpoObjective(new GrpoOptions { GroupSize = 1 })).Message, StringComparison.Ordinal);
        Assert.Contains("LearningRate is NaN", Assert.Throws<ArgumentException>(() => new GrpoObjective(new GrpoOptions { LearningRate = float.NaN })).Message, StringComparison.Ordinal);
    }

    private static GrpoOptions Options(JsonElement json)
    {
        double? Number(string name) => json.TryGetProperty(name, out var value) ? value.GetDouble() : null;
        var sequenceLevel = json.TryGetProperty("ratio_level", out var level) && level.GetString() == "sequence";
        return new GrpoOptions
        {
            Loss = json.GetProperty("loss").GetString() switch
            {
                "grpo" => sequenceLevel ? LossProfile.Gspo : LossProfile.Grpo,
                "bnpo" => LossProfile.Bnpo,
                "dr_grpo" => LossProfile.DrGrpo,
                "dapo" => LossProfile.Dapo,
                "cispo" => LossProfile.Cispo,
                var other => throw new InvalidOperationException(other),
            },
            ClipLow = Number("clip_low") ?? 0.2,
            ClipHigh = Number("clip_high") ?? 0.2,
            Delta = Number("delta"),
            KlCoefficient = Number("kl_coefficient") ?? 0,
            ImportanceWeightedKl = json.TryGetProperty("importance_weighted_kl", out var weighted) && weighted.GetBoolean(),
            MaxCompletionTokens = 4,
        };
    }

    private static double[][] Rows(JsonElement rows) => [.. rows.EnumerateArray().Select(row => row.EnumerateArray().Select(x => x.GetDouble()).ToArray())];

    private sealed record Batch(float[][] Now, float[][] Old, float[][] Reference, float[][] Entropies, double[] Advantages)
    {
        public static Batch Golden(JsonElement inputs)
        {
            var mask = Rows(inputs.GetProperty("mask"));
            float[][] Read(string name) => [.. Rows(inputs.GetProperty(name)).Select((row, i) => row.Where((_, t) => mask[i][t] == 1).Select(x => (float)x).ToArray())];
            return new Batch(Read("log_prob"), Read("old_log_prob"), Read("reference_log_prob"), Read("entropy"), [.. inputs.GetProperty("advantage").EnumerateArray().Select(x => x.GetDouble())]);
        }

        public static Batch Random(ulong seed)
        {
            var random = SplitMix.For(seed, 1);
            float[][] Draw() => [.. Enumerable.Range(0, 3).Select(i => Enumerable.Range(0, 2 + i).Select(_ => (float)(-2 * random.NextDouble())).ToArray())];
            return new Batch(Draw(), Draw(), Draw(), Draw(), [1, -0.7, 0.3]);
        }

        public Batch With(int sequence, int token, float change)
        {
            var now = Now.Select(row => row.ToArray()).ToArray();
            now[sequence][token] += change;
            return this with { Now = now };
        }

        public bool NearKink(int sequence, double low, double high, double margin)
        {
            bool Near(double ratio) => Math.Abs(ratio - (1 - low)) < margin * 4 || Math.Abs(ratio - (1 + high)) < margin * 4;
            var logRatios = Now[sequence].Zip(Old[sequence], (now, old) => (double)now - old).ToArray();
            return Near(Math.Exp(logRatios.Average())) || logRatios.Any(x => Near(Math.Exp(x)));
        }

        public (double Loss, float[][] Gradients) Evaluate(GrpoObjective objective)
        {
            var tokens = Now.Sum(row => row.Length);
            var terms = Now.Select((now, i) => objective.Evaluate(new TokenScores(now, Entropies[i]), Old[i], Reference[i], Advantages[i], objective.TokenWeight(Now.Length, tokens, now.Length))).ToArray();
            return (terms.Sum(term => term.Loss), [.. terms.Select(term => term.Gradients.LogProbs)]);
        }
    }
}
