using System.Collections.Concurrent;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace J1.StandIns.Tests;

public sealed class CustomMappingTests
{
    private readonly MLContext context = new(1);

    private sealed class In
    {
        public int Number { get; set; }
    }

    private sealed class Out
    {
        public int Square { get; set; }
        public float Half { get; set; }
    }

    private sealed class Both
    {
        public int Number { get; set; }
        public int Square { get; set; }
        public float Half { get; set; }
    }

    private IDataView View(int count) => context.Data.LoadFromEnumerable(Enumerable.Range(0, count).Select(i => new In { Number = i }).ToArray());

    [Fact]
    public void A_mapping_is_called_from_several_threads_and_rows_keep_their_order()
    {
        var threads = new ConcurrentDictionary<int, bool>();
        var mapping = context.Transforms.CustomMapping<In, Out>((x, y) =>
        {
            threads[Environment.CurrentManagedThreadId] = true;
            Thread.SpinWait(2000);
            y.Square = x.Number * x.Number;
            y.Half = x.Number / 2f;
        }, null);
        var rows = context.Data.CreateEnumerable<Both>(mapping.Fit(View(1)).Transform(View(2000)), reuseRowObject: false).ToArray();
        Assert.Equal(Enumerable.Range(0, 2000), rows.Select(r => r.Number));
        Assert.All(rows, r => Assert.Equal((r.Number * r.Number, r.Number / 2f), (r.Square, r.Half)));
        Assert.True(Environment.ProcessorCount == 1 || threads.Count > 1);
    }

    [Fact]
    public void A_mapping_is_called_once_a_row_and_not_at_all_where_its_columns_are_not_read()
    {
        var calls = 0;
        var view = context.Transforms.CustomMapping<In, Out>((_, _) => Interlocked.Increment(ref calls), null).Fit(View(1)).Transform(View(500));
        Assert.Equal(500, view.GetColumn<int>("Number").Count());
        Assert.Equal(0, calls);
        Assert.Equal(500, context.Data.CreateEnumerable<Both>(view, reuseRowObject: true).Count());
        Assert.Equal(500, calls);
    }

    [Fact]
    public void An_exception_in_a_mapping_reaches_the_reader()
    {
        var view = context.Transforms.CustomMapping<In, Out>((x, _) => throw new TimeoutException("no answer"), null).Fit(View(1)).Transform(View(500));
        var error = Assert.ThrowsAny<Exception>(() => view.GetColumn<int>("Square").Count());
        while (error.InnerException != null) error = error.InnerException;
        Assert.Equal("no answer", Assert.IsType<TimeoutException>(error).Message);
    }

    [Fact]
    public void A_cursor_left_early_ends_its_threads()
    {
        var view = context.Transforms.CustomMapping<In, Out>((x, y) => y.Square = x.Number, null).Fit(View(1)).Transform(View(100_000));
        Assert.Equal(0, view.GetColumn<int>("Square").First());
        Assert.Equal([0, 1, 2], view.GetColumn<int>("Square").Take(3));
    }

    [Fact]
    public void Columns_are_checked_by_name_and_type_before_anything_is_read()
    {
        var mapping = context.Transforms.CustomMapping<In, Out>((_, _) => { }, null);
        Assert.ThrowsAny<ArgumentException>(() => mapping.Fit(context.Data.LoadFromEnumerable(new[] { new Item() })));
        Assert.ThrowsAny<ArgumentException>(() => mapping.Append(context.Transforms.CopyColumns("A", "Nowhere")).Fit(View(1)));
    }

    [Fact]
    public void Without_a_contract_a_mapping_is_not_saved()
    {
        var model = context.Transforms.CustomMapping<In, Out>((_, _) => { }, null).Fit(View(1));
        Assert.ThrowsAny<InvalidOperationException>(() => context.Model.Save(model, View(1).Schema, new MemoryStream()));
    }

    [Fact]
    public void A_contract_without_a_factory_is_an_error_that_names_it()
    {
        using var file = new MemoryStream();
        context.Model.Save(context.Transforms.CustomMapping<In, Out>((_, _) => { }, "J1.StandIns.Tests.Nobody").Fit(View(1)), View(1).Schema, file);
        var error = Assert.ThrowsAny<InvalidOperationException>(() => new MLContext().Model.Load(new MemoryStream(file.ToArray()), out _));
        Assert.Contains("J1.StandIns.Tests.Nobody", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_given_in_a_schema_definition_work_but_are_not_saved()
    {
        var input = SchemaDefinition.Create(typeof(DoubleFactory.Plain), SchemaDefinition.Direction.Both);
        input["Value"].ColumnName = "Number";
        var model = context.Transforms.CustomMapping<DoubleFactory.Plain, DoubleFactory.Doubled>(DoubleFactory.Map, "J1.StandIns.Tests.Double", input).Fit(View(1));
        Assert.Equal([0, 2, 4], model.Transform(View(3)).GetColumn<int>("Twice"));
        using var file = new MemoryStream();
        context.Model.Save(model, View(1).Schema, file);
        var loaded = context.Model.Load(new MemoryStream(file.ToArray()), out _);
        Assert.ThrowsAny<ArgumentException>(() => loaded.Transform(View(3)).GetColumn<int>("Twice").Count());
    }

    [CustomMappingFactoryAttribute("J1.StandIns.Tests.Double")]
    public sealed class DoubleFactory : CustomMappingFactory<DoubleFactory.Plain, DoubleFactory.Doubled>
    {
        public static void Map(Plain input, Doubled output) => output.Twice = 2 * input.Value;
        public override Action<Plain, Doubled> GetMapping() => Map;

        public sealed class Plain
        {
            public int Value { get; set; }
        }

        public sealed class Doubled
        {
            public int Twice { get; set; }
        }
    }

    [Fact]
    public void Types_names_and_annotations_of_outputs_can_be_set_at_run_time()
    {
        var output = SchemaDefinition.Create(typeof(Vector), SchemaDefinition.Direction.Both);
        output["Values"].ColumnName = "Renamed";
        output["Renamed"].ColumnType = new VectorDataViewType(NumberDataViewType.Single, 3);
        output["Renamed"].AddAnnotation("Note", "three of them".AsMemory(), TextDataViewType.Instance);
        var estimator = context.Transforms.CustomMapping<In, Vector>((x, y) => y.Values = [x.Number, 1, 2], null, outputSchemaDefinition: output);
        var view = estimator.Fit(View(1)).Transform(View(2));
        var column = view.Schema["Renamed"];
        Assert.Equal(new VectorDataViewType(NumberDataViewType.Single, 3), column.Type);
        ReadOnlyMemory<char> note = default;
        column.Annotations.GetValue("Note", ref note);
        Assert.Equal("three of them", note.ToString());
        Assert.Equal([1f, 1f, 2f], view.GetColumn<float[]>("Renamed").ElementAt(1));
        var shape = Shape.Of(estimator, View(1)).Single(c => c.Name == "Renamed");
        Assert.Equal(SchemaShape.Column.VectorKind.Vector, shape.Kind);
    }

    private sealed class Vector
    {
        public float[] Values { get; set; } = [];
    }
}

/// <summary>What an estimator says will come, asked inside a chain since SchemaShape.Create is internal.</summary>
internal sealed class Shape : IEstimator<ITransformer>
{
    private SchemaShape? seen;

    public static SchemaShape Of(IEstimator<ITransformer> estimator, IDataView data)
    {
        var shape = new Shape();
        estimator.Append(shape).Fit(data);
        return shape.seen!;
    }

    public ITransformer Fit(IDataView input) => new TransformerChain<ITransformer>();
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => seen = inputSchema;
}
