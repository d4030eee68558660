using J1.Engines;

namespace J1.Data;

/// <summary>Kinds of small problems whose answer is one digit, and is found by writing down one digit after another.</summary>
public enum ProblemKind
{
    /// <summary>A purse that coins come into and go from; the thought is what it holds after each.</summary>
    Coins,

    /// <summary>How many words of a list are animals; the thought is the running count.</summary>
    Count,

    /// <summary>A lift that goes a floor up or down at each word; the thought is the floor after each.</summary>
    Lift,

    /// <summary>A walk on a ring of six places; the thought is the place after each move.</summary>
    Ring,
}

/// <summary>
/// Preference pairs that need a thought: a small problem in words, a right and a wrong answer, and the working that finds the right one.
/// Which answer is better cannot be seen from the answers, and hardly be guessed from the question without working it out.
/// </summary>
public static class ProblemGenerator
{
    private const int Places = 6;
    private static readonly string[] Animals = ["cat", "dog", "hen", "cow", "fox"];
    private static readonly string[] Things = ["cup", "pen", "hat", "key", "box"];
    private static readonly string[] Ups = ["up", "climb", "rise", "mount", "soar"];
    private static readonly string[] Downs = ["down", "drop", "sink", "fall", "dive"];

    /// <summary>
    /// Makes training and test pairs of different problems: no two pairs of either set share their numbers or words. Kinds take turns; the better response is A in half the pairs on average.
    /// </summary>
    /// <param name="kinds">At least one.</param>
    /// <param name="trainPairs">Pairs to train on.</param>
    /// <param name="testPairs">Pairs to test on.</param>
    /// <param name="seed">The same seed makes the same pairs.</param>
    /// <exception cref="ArgumentException">There are not so many different problems.</exception>
    public static (IReadOnlyList<PreferencePair> Train, IReadOnlyList<PreferencePair> Test) Generate(IReadOnlyList<ProblemKind> kinds, int trainPairs, int testPairs, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(kinds);
        if (kinds.Count == 0) throw new ArgumentException("Name at least one kind of problem.", nameof(kinds));
        var random = SplitMix.For(seed, 0x9206, (ulong)trainPairs, (ulong)testPairs);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var pairs = new PreferencePair[trainPairs + testPairs];
        for (var i = 0; i < pairs.Length; i++)
        {
            var problem = Draw(kinds[i % kinds.Count], ref random);
            for (var tries = 0; !seen.Add(problem.Content); tries++)
            {
                if (tries == 1000) throw new ArgumentException($"There are not enough different problems of the kind {problem.Kind} for {pairs.Length} pairs; ask for fewer.");
                problem = Draw(problem.Kind, ref random);
            }
            pairs[i] = ToPair(problem, i, ref random);
        }
        // The test comes first, so that its size says which problems it holds, whatever is trained on.
        return (pairs[testPairs..], pairs[..testPairs]);
    }

    private static PreferencePair ToPair(Problem problem, int index, ref SplitMix random)
    {
        var wrong = (problem.Answer + 1 + random.NextInt(problem.Answers - 1)) % problem.Answers;
        var (right, other) = (Say(problem.Answer, ref random), Say(wrong, ref random));
        var isA = random.NextInt(2) == 0;
        var name = problem.Kind.ToString().ToLowerInvariant();
        return new PreferencePair
        {
            Id = $"{name}-{index}",
            Source = name,
            Category = "reasoning",
            Instruction = problem.Question,
            ResponseA = isA ? right : other,
            ResponseB = isA ? other : right,
            Label = isA ? Preference.A : Preference.B,
            Thought = problem.Working,
            SwappedThought = problem.Working,
        };
    }

    private static string Say(int answer, ref SplitMix random) => random.NextInt(3) switch
    {
        0 => $"It is {answer}.",
        1 => $"I say {answer}.",
        _ => $"That makes {answer}.",
    };

    private static Problem Draw(ProblemKind kind, ref SplitMix random) => kind switch
    {
        ProblemKind.Coins => Coins(ref random),
        ProblemKind.Count => Count(ref random),
        ProblemKind.Lift => Lift(ref random),
        _ => Ring(ref random),
    };

    private static Problem Coins(ref SplitMix random)
    {
        var running = new int[6];
        running[0] = random.NextInt(Places);
        var moves = new int[running.Length - 1];
        for (var i = 0; i < moves.Length; i++)
        {
            do moves[i] = (1 + random.NextInt(3)) * (random.NextInt(2) == 0 ? 1 : -1);
            while (running[i] + moves[i] is < 0 or >= Places);
            running[i + 1] = running[i] + moves[i];
        }
        var story = string.Join(", ", moves.Select(m => m > 0 ? $"get {m}" : $"lose {-m}"));
        return new Problem(ProblemKind.Coins, $"coins {running[0]} {story}", $"How many coins are left when I have {running[0]}, {story}?", string.Join(", ", running), running[^1], Places);
    }

    private static Problem Count(ref SplitMix random)
    {
        var words = new string[5];
        var running = new int[words.Length];
        for (var (i, count) = (0, 0); i < words.Length; i++)
        {
            var isAnimal = random.NextInt(2) == 0;
            words[i] = isAnimal ? Animals[random.NextInt(Animals.Length)] : Things[random.NextInt(Things.Length)];
            running[i] = count += isAnimal ? 1 : 0;
        }
        var list = string.Join(", ", words);
        return new Problem(ProblemKind.Count, $"count {list}", $"How many of these are animals: {list}?", string.Join(", ", running), running[^1], Places);
    }

    private static Problem Lift(ref SplitMix random)
    {
        var words = new string[5];
        var running = new int[words.Length + 1];
        running[0] = random.NextInt(Places);
        for (var i = 0; i < words.Length; i++)
        {
            var isUp = running[i] == 0 || (running[i] < Places - 1 && random.NextInt(2) == 0);
            words[i] = isUp ? Ups[random.NextInt(Ups.Length)] : Downs[random.NextInt(Downs.Length)];
            running[i + 1] = running[i] + (isUp ? 1 : -1);
        }
        var way = string.Join(", ", words);
        return new Problem(ProblemKind.Lift, $"lift {running[0]} {way}", $"On which floor am I when from {running[0]} I {way}?", string.Join(", ", running), running[^1], Places);
    }

    private static Problem Ring(ref SplitMix random)
    {
        var start = random.NextInt(Places);
        var moves = new int[4];
        for (var i = 0; i < moves.Length; i++) moves[i] = (1 + random.NextInt(3)) * (random.NextInt(2) == 0 ? 1 : -1);
        var running = new int[moves.Length + 1];
        running[0] = start;
        for (var i = 0; i < moves.Length; i++) running[i + 1] = (running[i] + moves[i] + Places) % Places;
        var walk = string.Join(", ", moves.Select(m => m > 0 ? $"right {m}" : $"left {-m}"));
        return new Problem(ProblemKind.Ring, $"ring {start} {walk}", $"A ring has places 0 to 5. Where am I when from {start} I go {walk}?", string.Join(", ", running), running[^1], Places);
    }

    /// <param name="Kind">Its kind.</param>
    /// <param name="Content">What makes it this problem and no other, whatever the wording.</param>
    /// <param name="Question">In words.</param>
    /// <param name="Working">The digits on the way, one for each number or word of the question's list; the last is the answer.</param>
    /// <param name="Answer">The right one.</param>
    /// <param name="Answers">Answers are 0 to this - 1.</param>
    private sealed record Problem(ProblemKind Kind, string Content, string Question, string Working, int Answer, int Answers);
}
