using System.Text;

namespace J1.Cli.Configuration;

/// <summary>C# names as configuration keys, and the nearest known name to a mistyped one.</summary>
internal static class Names
{
    /// <summary><c>GroupSize</c> is <c>group_size</c>.</summary>
    public static string Snake(string name)
    {
        var snake = new StringBuilder(name.Length + 8);
        for (var i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsUpper(name[i]) && !char.IsUpper(name[i - 1])) snake.Append('_');
            snake.Append(char.ToLowerInvariant(name[i]));
        }
        return snake.ToString();
    }

    /// <summary>The known name that differs in the fewest letters, or null where none is near.</summary>
    public static string? Nearest(string written, IEnumerable<string> known)
    {
        var (best, fewest) = ((string?)null, Math.Max(2, written.Length / 3) + 1);
        foreach (var name in known)
        {
            var distance = Distance(written.ToLowerInvariant().Replace('-', '_'), name);
            if (distance < fewest) (best, fewest) = (name, distance);
        }
        return best;
    }

    /// <summary>Letters to insert, delete, replace or exchange with their neighbour (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (var j = 0; j <= b.Length; j++) d[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
            for (var j = 1; j <= b.Length; j++)
            {
                d[i, j] = Math.Min(Math.Min(d[i - 1, j], d[i, j - 1]) + 1, d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        return d[a.Length, b.Length];
    }
}
