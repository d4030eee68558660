using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.StandIns.Tests;

public sealed class DataTests
{
    private readonly MLContext context = new(1);

    private sealed class Row
    {
        public string? Text { get; set; }
        public float Number;
        public float[] Free { get; set; } = [];

        [VectorType(2)]
        public double[] Fixed { get; set; } = [1, 2];

        [KeyType(3)]
        public uint Key { get; set; }

        [ColumnName("Named")]
        public bool Flag { get; set; }

        [NoColumn]
        public int Ignored { get; set; }
    }

    private sealed class TextOnly
    {
        public string Text { get; set; } = "";
    }

    private sealed class Elsewhere
    {
        public string Nowhere { get; set; } = "unset";
        public float Number { get; set; }
    }

    private sealed class WrongType
    {
        public int Number { get; set; }
    }

    private static Row[] Rows(int count) => [.. Enumerable.Range(0, count).Select(i => new Row { Text = $"t{i}", Number = i, Free = new float[i % 3], Key = (uint)i % 4 })];

    private IDataView View(int count) => context.Data.LoadFromEnumerable(Rows(count));

    [Fact]
    public void Members_become_columns_with_the_types_of_their_attributes()
    {
        var schema = View(1).Schema;
        Assert.Equal(TextDataViewType.Instance, schema["Text"].Type);
        Assert.Equal(NumberDataViewType.Single, schema["Number"].Type);
        Assert.Equal(new VectorDataViewType(NumberDataViewType.Single), schema["Free"].Type);
        Assert.Equal(new VectorDataViewType(NumberDataViewType.Double, 2), schema["Fixed"].Type);
        Assert.Equal(new KeyDataViewType(typeof(uint), 3), schema["Key"].Type);
        Assert.Equal(BooleanDataViewType.Instance, schema["Named"].Type);
        Assert.Null(schema.GetColumnOrNull("Ignored"));
        Assert.Throws<ArgumentOutOfRangeException>(() => schema["Ignored"]);
    }

    [Fact]
    public void Rows_come_back_as_they_went_in()
    {
        var back = context.Data.CreateEnumerable<Row>(View(5), reuseRowObject: false).ToArray();
        Assert.Equal(Rows(5).Select(r => (r.Text, r.Number, r.Free.Length)), back.Select(r => (r.Text, r.Number, r.Free.Length)));
        Assert.All(back, r => Assert.Equal([1, 2], r.Fixed));
        var same = context.Data.CreateEnumerable<Row>(View(5), reuseRowObject: true).Distinct().Count();
        Assert.Equal(1, same);
    }

    [Fact]
    public void A_key_goes_in_counted_from_zero_and_comes_out_counted_from_one_with_zero_for_what_is_out_of_range() =>
        Assert.Equal([1u, 2u, 3u, 0u, 1u], View(5).GetColumn<uint>("Key"));

    private sealed class Holder
    {
        public float[]? Free { get; set; }
    }

    [Fact]
    public void An_array_of_the_right_length_is_filled_again_and_an_empty_vector_leaves_null()
    {
        var arrays = context.Data.CreateEnumerable<Holder>(context.Data.LoadFromEnumerable(new[] { 0, 2, 2 }.Select(n => new Row { Free = new float[n] })), reuseRowObject: true)
            .Select(r => r.Free).ToArray();
        Assert.Null(arrays[0]);
        Assert.Same(arrays[1], arrays[2]);
    }

    [Fact]
    public void Null_text_is_empty_text_and_a_null_array_an_empty_vector()
    {
        var view = context.Data.LoadFromEnumerable(new[] { new Row { Text = null, Free = null! } });
        Assert.Equal("", view.GetColumn<string>("Text").Single());
        Assert.Empty(view.GetColumn<float[]>("Free").Single());
    }

    [Fact]
    public void A_member_without_a_column_is_an_error_unless_ignored()
    {
        Assert.ThrowsAny<ArgumentException>(() => context.Data.CreateEnumerable<Elsewhere>(View(1), false).Count());
        var row = context.Data.CreateEnumerable<Elsewhere>(View(2), false, ignoreMissingColumns: true).Last();
        Assert.Equal(("unset", 1f), (row.Nowhere, row.Number));
    }

    [Fact]
    public void A_column_is_not_converted_on_reading()
    {
        Assert.ThrowsAny<InvalidOperationException>(() => context.Data.CreateEnumerable<WrongType>(View(1), false).Count());
        Assert.ThrowsAny<Exception>(() => View(1).GetColumn<int>("Number").Count());
        Assert.ThrowsAny<ArgumentException>(() => View(1).GetColumn<float>("Nowhere").Count());
    }

    [Fact]
    public void Rows_are_streamed_a_list_knows_its_length_and_an_enumerable_is_read_again_by_each_cursor()
    {
        Assert.Equal(3, View(3).GetRowCount());
        Assert.False(View(3).CanShuffle);
        var reads = 0;
        IEnumerable<TextOnly> Stream()
        {
            reads++;
            for (var i = 0; i < 3; i++) yield return new TextOnly { Text = $"{i}" };
        }
        var view = context.Data.LoadFromEnumerable(Stream());
        Assert.Null(view.GetRowCount());
        Assert.False(view.CanShuffle);
        Assert.Equal(0, reads);
        Assert.Equal(["0", "1", "2"], view.GetColumn<string>("Text"));
        Assert.Equal(3, view.GetColumn<string>("Text").Count());
        Assert.Equal(2, reads);
    }

    [Fact]
    public void The_getter_of_a_column_that_was_not_asked_for_throws_and_so_does_one_of_the_wrong_type()
    {
        var view = View(1);
        using var cursor = view.GetRowCursor([view.Schema["Text"]]);
        Assert.True(cursor.IsColumnActive(view.Schema["Text"]));
        Assert.False(cursor.IsColumnActive(view.Schema["Number"]));
        Assert.ThrowsAny<ArgumentException>(() => cursor.GetGetter<float>(view.Schema["Number"]));
        Assert.ThrowsAny<Exception>(() => cursor.GetGetter<float>(view.Schema["Text"]));
    }

    [Fact]
    public void Inactive_columns_throw_behind_transforms_and_filters_too()
    {
        var view = View(20);
        foreach (var stage in new[] { context.Data.SkipRows(view, 1), context.Data.Cache(view), context.Transforms.CopyColumns("Copy", "Text").Fit(view).Transform(view), context.Data.FilterRowsByColumn(view, "Number", 1) })
        {
            using var cursor = stage.GetRowCursor([stage.Schema["Text"]]);
            Assert.True(cursor.MoveNext());
            ReadOnlyMemory<char> text = default;
            cursor.GetGetter<ReadOnlyMemory<char>>(stage.Schema["Text"])(ref text);
            Assert.StartsWith("t", text.ToString(), StringComparison.Ordinal);
            Assert.ThrowsAny<Exception>(() => cursor.GetGetter<float>(stage.Schema["Number"]));
        }
    }

    [Fact]
    public void Several_cursors_may_be_open_at_once()
    {
        var view = View(3);
        using var first = view.GetRowCursor(view.Schema);
        using var second = view.GetRowCursor(view.Schema);
        Assert.True(first.MoveNext() && first.MoveNext() && second.MoveNext());
        Assert.Equal((1, 0), (first.Position, second.Position));
    }

    [Fact]
    public void Take_and_skip_keep_the_order()
    {
        Assert.Equal([0f, 1f], context.Data.TakeRows(View(5), 2).GetColumn<float>("Number"));
        Assert.Equal([3f, 4f], context.Data.SkipRows(View(5), 3).GetColumn<float>("Number"));
        Assert.Empty(context.Data.SkipRows(View(5), 7).GetColumn<float>("Number"));
    }

    [Fact]
    public void Take_reads_no_further_than_it_must()
    {
        var read = 0;
        IEnumerable<TextOnly> Stream()
        {
            for (; ; read++) yield return new TextOnly();
        }
        Assert.Equal(2, context.Data.TakeRows(context.Data.LoadFromEnumerable(Stream()), 2).GetColumn<string>("Text").Count());
        Assert.InRange(read, 1, 3);
    }

    [Fact]
    public void A_filter_includes_its_lower_bound_and_not_its_upper_nor_what_is_no_number()
    {
        Assert.Equal([2f, 3f], context.Data.FilterRowsByColumn(View(9), "Number", 2, 4).GetColumn<float>("Number"));
        var holes = context.Data.LoadFromEnumerable(new[] { new Row { Number = float.NaN }, new Row { Number = 1 } });
        Assert.Equal([1f], context.Data.FilterRowsByColumn(holes, "Number").GetColumn<float>("Number"));
        Assert.ThrowsAny<ArgumentException>(() => context.Data.FilterRowsByColumn(View(1), "Text"));
    }

    [Fact]
    public void Shuffled_rows_are_the_same_rows_in_an_order_that_the_seed_decides()
    {
        float[] Order(int seed) => [.. context.Data.ShuffleRows(View(50), seed).GetColumn<float>("Number")];
        Assert.Equal(Order(1), Order(1));
        Assert.NotEqual(Order(1), Order(2));
        Assert.Equal(Rows(50).Select(r => r.Number), Order(1).Order());
        var pairs = context.Data.CreateEnumerable<Row>(context.Data.ShuffleRows(View(50), 3), false);
        Assert.All(pairs, r => Assert.Equal($"t{r.Number}", r.Text));
    }

    [Fact]
    public void A_split_has_every_row_on_one_side_and_reads_the_same_each_time()
    {
        var split = context.Data.TrainTestSplit(View(400), 0.25, seed: 3);
        float[] Test() => [.. split.TestSet.GetColumn<float>("Number")];
        Assert.Equal(Test(), Test());
        Assert.InRange(Test().Length, 60, 140);
        Assert.Equal(Rows(400).Select(r => r.Number), split.TrainSet.GetColumn<float>("Number").Concat(Test()).Order());
    }

    [Fact]
    public void Rows_of_one_sampling_key_stay_on_one_side()
    {
        var rows = Enumerable.Range(0, 300).Select(i => new TextOnly { Text = $"group {i % 30}" }).ToArray();
        var split = context.Data.TrainTestSplit(context.Data.LoadFromEnumerable(rows), 0.3, "Text");
        var (train, test) = (split.TrainSet.GetColumn<string>("Text").ToHashSet(), split.TestSet.GetColumn<string>("Text").ToHashSet());
        Assert.Empty(train.Intersect(test));
        Assert.Equal(30, train.Count + test.Count);
        Assert.NotEmpty(test);
    }

    [Fact]
    public void The_test_sets_of_the_folds_are_all_rows_once()
    {
        var folds = context.Data.CrossValidationSplit(View(100), 3);
        Assert.Equal(3, folds.Count);
        Assert.Equal(Rows(100).Select(r => r.Number), folds.SelectMany(f => f.TestSet.GetColumn<float>("Number")).Order());
        Assert.All(folds, f => Assert.Equal(100, f.TrainSet.GetColumn<float>("Number").Count() + f.TestSet.GetColumn<float>("Number").Count()));
        Assert.ThrowsAny<ArgumentException>(() => context.Data.CrossValidationSplit(View(10), 1));
    }

    [Fact]
    public void A_cache_reads_its_source_once_for_each_column_first_asked_for()
    {
        var reads = 0;
        IEnumerable<Row> Stream()
        {
            Interlocked.Increment(ref reads);
            foreach (var row in Rows(10)) yield return row;
        }
        var cache = context.Data.Cache(context.Data.LoadFromEnumerable(Stream()));
        Assert.Equal(0, reads);
        for (var i = 0; i < 3; i++) Assert.Equal(10, cache.GetColumn<float>("Number").Count());
        Assert.Equal(1, reads);
        Assert.Equal(10, cache.GetColumn<string>("Text").Count());
        Assert.Equal(2, reads);
        Assert.Equal(10, context.Data.CreateEnumerable<TextOnly>(cache, false).Count());
        Assert.Equal(2, reads);
    }

    [Fact]
    public void A_cache_may_be_read_by_several_threads()
    {
        var cache = context.Data.Cache(View(500));
        var expected = Rows(500).Select(r => r.Number).ToArray();
        Parallel.For(0, 8, _ => Assert.Equal(expected, cache.GetColumn<float>("Number")));
    }

    [Fact]
    public void A_preview_holds_the_first_rows()
    {
        var preview = View(10).Preview(maxRows: 4);
        Assert.Equal(4, preview.RowView.Length);
        Assert.Equal("Text", preview.ColumnView[preview.Schema["Text"].Index].Column.Name);
        Assert.Equal(3f, preview.ColumnView[preview.Schema["Number"].Index].Values[3]);
        Assert.Equal(3f, preview.RowView[3].Values.Single(v => v.Key == "Number").Value);
    }

    [Fact]
    public void Dropped_columns_are_gone_and_selected_ones_are_all_there_is()
    {
        var view = View(3);
        Assert.Null(context.Transforms.DropColumns("Text", "Free").Fit(view).Transform(view).Schema.GetColumnOrNull("Text"));
        var selected = context.Transforms.SelectColumns("Number", "Text").Fit(view).Transform(view);
        Assert.Equal(["Number", "Text"], selected.Schema.Select(c => c.Name));
        Assert.Equal(["t0", "t1", "t2"], selected.GetColumn<string>("Text"));
        Assert.ThrowsAny<ArgumentException>(() => context.Transforms.SelectColumns("Nowhere").Fit(view));
    }

    [Fact]
    public void Only_columns_of_one_type_are_concatenated()
    {
        var view = View(3);
        Assert.Equal([0f, 0f, 0f], context.Transforms.Concatenate("All", "Number", "Number", "Number").Fit(view).Transform(view).GetColumn<float[]>("All").First());
        Assert.ThrowsAny<ArgumentException>(() => context.Transforms.Concatenate("All", "Number", "Text").Fit(view).Transform(view));
        Assert.ThrowsAny<InvalidOperationException>(() => context.Transforms.CopyColumns("Copy", "Text").Append(context.Transforms.Concatenate("All", "Number", "Text")).Fit(view));
    }

    [Fact]
    public void Values_are_mapped_by_a_table_that_is_saved()
    {
        var view = View(3);
        var model = context.Transforms.Conversion.MapValue("Word", new Dictionary<string, string> { ["t0"] = "zero", ["t2"] = "two" }, "Text").Fit(view);
        using var file = new MemoryStream();
        context.Model.Save(model, view.Schema, file);
        var loaded = new MLContext().Model.Load(new MemoryStream(file.ToArray()), out var schema);
        Assert.Equal(new KeyDataViewType(typeof(uint), 3), schema["Key"].Type);
        Assert.Equal(new VectorDataViewType(NumberDataViewType.Double, 2), schema["Fixed"].Type);
        foreach (var m in new[] { model, loaded }) Assert.Equal(["zero", "", "two"], m.Transform(view).GetColumn<string>("Word"));
        var numbers = context.Transforms.Conversion.MapValue("Known", new Dictionary<string, float> { ["t1"] = 1.5f }, "Text").Fit(view).Transform(view);
        Assert.Equal(1.5f, numbers.GetColumn<float>("Known").ElementAt(1));
    }

    [Fact]
    public void Vectors_are_dense_or_sparse_and_buffers_are_used_again()
    {
        var sparse = new VBuffer<float>(4, 2, [5, 7], [1, 3]);
        Assert.False(sparse.IsDense);
        Assert.Equal([0, 5, 0, 7], sparse.DenseValues());
        Assert.Equal((7f, 0f), (sparse.GetItemOrDefault(3), sparse.GetItemOrDefault(2)));
        Assert.Equal([1, 3], sparse.GetIndices().ToArray());
        VBuffer<float> copy = default;
        sparse.CopyTo(ref copy);
        Assert.Equal([0, 5, 0, 7], copy.DenseValues());
        var editor = VBufferEditor.Create(ref copy, 2);
        Assert.False(editor.CreatedNewValues);
        editor.Values[0] = 1;
        editor.Values[1] = 2;
        copy = editor.Commit();
        Assert.True(copy.IsDense);
        Assert.Equal([1, 2], copy.GetValues().ToArray());
        Assert.True(VBufferEditor.Create(ref copy, 100).CreatedNewValues);
    }

    [Fact]
    public void Types_are_equal_by_what_they_hold()
    {
        Assert.Equal(new KeyDataViewType(typeof(uint), 5), new KeyDataViewType(typeof(uint), 5UL));
        Assert.NotEqual(new KeyDataViewType(typeof(uint), 5), new KeyDataViewType(typeof(uint), 6));
        Assert.NotEqual<DataViewType>(new KeyDataViewType(typeof(uint), 5), NumberDataViewType.UInt32);
        Assert.NotEqual(new VectorDataViewType(NumberDataViewType.Single, 2), new VectorDataViewType(NumberDataViewType.Single));
        Assert.False(new VectorDataViewType(NumberDataViewType.Single).IsKnownSize);
        Assert.Equal(typeof(VBuffer<ReadOnlyMemory<char>>), new VectorDataViewType(TextDataViewType.Instance, 2).RawType);
        Assert.ThrowsAny<ArgumentException>(() => new KeyDataViewType(typeof(int), 5));
    }

    [Fact]
    public void Row_ids_differ_between_rows_and_are_the_same_on_every_reading()
    {
        DataViewRowId[] Ids()
        {
            using var cursor = View(20).GetRowCursor([]);
            var (read, ids) = (cursor.GetIdGetter(), new List<DataViewRowId>());
            for (DataViewRowId id = default; cursor.MoveNext(); ids.Add(id)) read(ref id);
            return [.. ids];
        }
        Assert.Equal(20, Ids().Distinct().Count());
        Assert.Equal(Ids(), Ids());
        var one = new DataViewRowId(1, 2);
        Assert.Equal(4, new[] { one, one.Fork(), one.Next(), one.Combine(new DataViewRowId(3, 4)) }.Distinct().Count());
    }
}
