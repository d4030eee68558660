namespace J1.Benchmarks;

/// <summary>One measurement that a reader can repeat: <c>dotnet run -c Release --project tests/J1.Benchmarks -- NAME</c>.</summary>
internal interface IBenchmark
{
    /// <summary>The word on the command line.</summary>
    string Name { get; }

    /// <summary>What is measured, in a line.</summary>
    string About { get; }

    /// <summary>Measures and prints.</summary>
    void Run(TextWriter output, IReadOnlyList<string> arguments);
}
