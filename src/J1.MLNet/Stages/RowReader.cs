using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Stages;

/// <summary>Reads a stage's inputs from whatever row is current.</summary>
internal sealed class RowReader
{
    private readonly Action<List<string>>[] _read;
    private readonly List<string> _texts = [];

    public RowReader(Stage stage, DataViewRow row) => _read = [.. stage.Inputs.Select(input => Reader(row, row.Schema[input.Column], input.IsVector))];

    public string[] Read()
    {
        _texts.Clear();
        foreach (var read in _read) read(_texts);
        return [.. _texts];
    }

    private static Action<List<string>> Reader(DataViewRow row, DataViewSchema.Column column, bool isVector)
    {
        if (isVector)
        {
            var vector = row.GetGetter<VBuffer<ReadOnlyMemory<char>>>(column);
            VBuffer<ReadOnlyMemory<char>> values = default;
            return texts =>
            {
                vector(ref values);
                texts.AddRange(values.DenseValues().Select(value => value.ToString()));
            };
        }
        var text = row.GetGetter<ReadOnlyMemory<char>>(column);
        return texts =>
        {
            ReadOnlyMemory<char> value = default;
            text(ref value);
            texts.Add(value.ToString());
        };
    }
}
