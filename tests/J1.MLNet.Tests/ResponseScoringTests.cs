using J1.Judging;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Tests;

public sealed class ResponseScoringTests
{
    private readonly MLContext _context = new(1);

    private static ScriptedJudge Pointwise => new() { Mode = JudgeMode.Pointwise };

    private IDataView View(params string[] responses) => _context.Data.LoadFromEnumerable(responses.Select(response => new Item { Instruction = "?", Response = response, Label = response.Length > 5 }));

    private IDataView Candidates(params string[][] rows) => _context.Data.LoadFromEnumerable(rows.Select(row => new Several { Instruction = "?", Responses = row }));

    [Fact]
    public void A_response_has_a_score_an_outcome_and_perhaps_a_thought()
    {
        var judge = Pointwise;
        var stage = _context.J1().Transforms.ScoreResponses(Judge.From(judge), new ScoreResponsesOptions { BatchSize = 2, ThoughtColumnName = "Thought" });
        var view = stage.Fit(View("abc")).Transform(View("abc", "abcde", "abcdefghijkl"));
        Assert.Equal([3, 5, 10], view.GetColumn<float>("Score"));
        Assert.Equal(2, judge.Calls);
        Assert.All(view.GetColumn<string>("Outcome"), outcome => Assert.Equal("Scored", outcome));
        Assert.Equal("I count 3.", view.GetColumn<string>("Thought").First());
    }

    [Fact]
    public void Votes_are_averaged_and_the_invalid_ones_left_out()
    {
        Judgement[] votes = [new() { Outcome = Outcome.Tie, ScoreA = 4 }, Judgement.Without(InvalidReason.Unparsed), new() { Outcome = Outcome.Tie, ScoreA = 7 }];
        var judge = new ScriptedJudge { Mode = JudgeMode.Pointwise, Say = (_, vote) => votes[vote] };
        var view = _context.J1().Transforms.ScoreResponses(Judge.From(judge, votes: 3)).Fit(View("a")).Transform(View("a"));
        Assert.Equal(5.5f, view.GetColumn<float>("Score").Single());
    }

    [Fact]
    public void An_invalid_score_is_not_a_number_and_the_outcome_says_why()
    {
        var judge = ScriptedJudge.Always(Judgement.Without(InvalidReason.TooLong), JudgeMode.Pointwise);
        var view = _context.J1().Transforms.ScoreResponses(Judge.From(judge)).Fit(View("a")).Transform(View("a"));
        Assert.True(float.IsNaN(view.GetColumn<float>("Score").Single()));
        Assert.Equal("TooLong", view.GetColumn<string>("Outcome").Single());
        view = _context.J1().Transforms.RateResponse(Judge.From(judge)).Fit(View("a")).Transform(View("a"));
        Assert.True(float.IsNaN(view.GetColumn<float>("Rating").Single()) && float.IsNaN(view.GetColumn<float>("Score").Single()));
        Assert.Equal((false, "TooLong"), (view.GetColumn<bool>("PredictedLabel").Single(), view.GetColumn<string>("Outcome").Single()));
    }

    [Fact]
    public void A_rating_accepts_from_its_minimum_on_and_is_a_binary_classifier()
    {
        var stage = _context.J1().Transforms.RateResponse(Judge.From(Pointwise), new RateResponseOptions { MinimumRating = 6 });
        var view = stage.Fit(View("a")).Transform(View("abc", "abcdef", "abcdefghi"));
        Assert.Equal([3, 6, 9], view.GetColumn<float>("Rating"));
        Assert.Equal([-3, 0, 3], view.GetColumn<float>("Score"));
        Assert.Equal([false, true, true], view.GetColumn<bool>("PredictedLabel"));
        Assert.Equal(["Rejected", "Accepted", "Accepted"], view.GetColumn<string>("Outcome"));
        var metrics = _context.BinaryClassification.EvaluateNonCalibrated(stage.Fit(View("a")).Transform(View("ab", "abc", "abcdefg", "abcdefgh")));
        Assert.Equal(1, metrics.Accuracy, 12);
        Assert.Throws<ArgumentException>(() => _context.J1().Transforms.RateResponse(Judge.From(Pointwise), new RateResponseOptions { MinimumRating = 11 }));
    }

    [Fact]
    public void A_judge_of_pairs_scores_no_single_response()
    {
        var error = Assert.Throws<ArgumentException>(() => _context.J1().Transforms.ScoreResponses(Judge.From(new ScriptedJudge())));
        Assert.Contains("needs a pointwise judge; this one is asked for Verdict", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => _context.J1().Transforms.RateResponse(Judge.From(new TwoOrderJudge(new ScriptedJudge()))));
    }

    [Fact]
    public void A_pointwise_judge_compares_pairs_too()
    {
        var judge = Pointwise;
        var view = _context.J1().Transforms.ScorePairs(Judge.From(judge, bothOrders: false)).Fit(_context.Data.LoadFromEnumerable(PairItem.Many(7))).Transform(_context.Data.LoadFromEnumerable(PairItem.Many(7)));
        Assert.Equal([-3, -2, -1, 0, 1, 2, 3], view.GetColumn<float>("Score"));
        // Both responses have to be read, whatever the orders.
        Assert.Equal(2, judge.Calls);
    }

    [Fact]
    public void The_best_of_several_wins_against_each_other()
    {
        var judge = new ScriptedJudge();
        var stage = _context.J1().Transforms.ChooseBest(Judge.From(judge));
        var view = stage.Fit(Candidates(["a"])).Transform(Candidates(["a", "aaa", "aa"], ["aa"], [], ["", "a", ""], ["aa", "bb", "a"]));
        Assert.Equal(["aaa", "aa", "", "a", "aa"], view.GetColumn<string>("Best"));
        Assert.Equal([1, 0, -1, 1, 0], view.GetColumn<int>("BestIndex"));
        Assert.Equal(["Chosen", "Only", "Invalid", "Only", "Chosen"], view.GetColumn<string>("Outcome"));
        var scores = view.GetColumn<float[]>("Scores").ToArray();
        Assert.Equal([-1, 1, 0], scores[0]);
        Assert.Equal([0.5f, 0.5f, -1], scores[4]);
        Assert.True(float.IsNaN(scores[1].Single()));
        // Six comparisons in both orders, in one call an order.
        Assert.Equal((2, 12), (judge.Calls, judge.Shown));
    }

    [Fact]
    public void The_best_by_a_pointwise_judge_is_the_highest_score()
    {
        var judge = Pointwise;
        var view = _context.J1().Transforms.ChooseBest(Judge.From(judge)).Fit(Candidates(["a"])).Transform(Candidates(["a", "aaa", "aa"], ["aa"]));
        Assert.Equal(["aaa", "aa"], view.GetColumn<string>("Best"));
        Assert.Equal([1, 3, 2], view.GetColumn<float[]>("Scores").First());
        Assert.Equal(["Chosen", "Chosen"], view.GetColumn<string>("Outcome"));
        Assert.Equal((1, 4), (judge.Calls, judge.Shown));
    }

    [Fact]
    public void Where_nothing_can_be_read_there_is_no_best()
    {
        var judge = ScriptedJudge.Always(Judgement.Without(InvalidReason.Unparsed));
        var view = _context.J1().Transforms.ChooseBest(Judge.From(judge)).Fit(Candidates(["a"])).Transform(Candidates(["a", "b"]));
        Assert.Equal(("", -1, "Invalid"), (view.GetColumn<string>("Best").Single(), view.GetColumn<int>("BestIndex").Single(), view.GetColumn<string>("Outcome").Single()));
    }

    [Fact]
    public void Many_comparisons_go_out_in_batches()
    {
        var judge = new ScriptedJudge();
        var view = _context.J1().Transforms.ChooseBest(Judge.From(judge), new ChooseBestOptions { BatchSize = 4 }).Fit(Candidates(["a"])).Transform(Candidates(["a", "aa", "aaa", "aaaa"], ["b", "bb"]));
        Assert.Equal(["aaaa", "bb"], view.GetColumn<string>("Best"));
        // Seven comparisons, four a call, in two orders.
        Assert.Equal(4, judge.Calls);
    }

    [Fact]
    public void Candidates_must_be_a_vector_of_text()
    {
        var stage = _context.J1().Transforms.ChooseBest(Judge.From(new ScriptedJudge()), new ChooseBestOptions { ResponsesColumnName = "Response" });
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => stage.Fit(View("a")));
        Assert.Contains("'Response': it is String; expected a vector of text", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => stage.Append(_context.Transforms.CopyColumns("X", "Best")).Fit(View("a")));
    }

    [Fact]
    public void A_prediction_engine_chooses_and_gives_scores()
    {
        var model = _context.J1().Transforms.ChooseBest(Judge.From(new ScriptedJudge())).Fit(Candidates(["a"]));
        using var engine = _context.Model.CreatePredictionEngine<Several, Chosen>(model);
        var chosen = engine.Predict(new Several { Instruction = "?", Responses = ["aa", "aaa"] });
        Assert.Equal(("aaa", 1), (chosen.Best, chosen.BestIndex));
        Assert.Equal([-1, 1], chosen.Scores);
    }

    private sealed class Item
    {
        public string Instruction { get; set; } = "";
        public string Response { get; set; } = "";
        public bool Label { get; set; }
    }

    private sealed class Several
    {
        public string Instruction { get; set; } = "";
        public string[] Responses { get; set; } = [];
    }

    private sealed class Chosen
    {
        public string Best { get; set; } = "";
        public int BestIndex { get; set; }
        public float[] Scores { get; set; } = [];
    }
}
