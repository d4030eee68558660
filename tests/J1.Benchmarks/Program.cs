using System.Globalization;
using J1.Benchmarks;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
IBenchmark[] benchmarks = [new GemmBenchmark(), new TrainingBenchmark()];

var chosen = benchmarks.FirstOrDefault(benchmark => args.Length > 0 && benchmark.Name == args[0]);
if (chosen is null)
{
    Console.Error.WriteLine("Usage: dotnet run -c Release --project tests/J1.Benchmarks -- NAME [arguments]");
    foreach (var benchmark in benchmarks) Console.Error.WriteLine($"  {benchmark.Name,-10}{benchmark.About}");
    return 2;
}

chosen.Run(Console.Out, args[1..]);
return 0;
