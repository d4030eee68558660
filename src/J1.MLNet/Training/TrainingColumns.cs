using J1.Data;
using J1.Engines;
using J1.MLNet.Stages;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Training;

/// <summary>Training rows as preference pairs, with errors that name column, row and what was expected.</summary>
internal sealed class TrainingColumns(JudgeTrainerOptions options)
{
    private const string LabelExpected = "Boolean (true: A is better) or text (A or B)";
    private const double MostWeight = 100;

    private readonly string[] _texts =
        [options.Columns.InstructionColumnName, options.Columns.ResponseAColumnName, options.Columns.ResponseBColumnName, .. new[] { options.ThoughtColumnName, options.SwappedThoughtColumnName }.OfType<string>()];

    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    public void Check(SchemaShape shape)
    {
        foreach (var text in _texts) Columns.Require(shape, new StageInput(text));
        Columns.Require(shape, options.LabelColumnName, LabelExpected, column => column is { Kind: SchemaShape.Column.VectorKind.Scalar, IsKey: false, ItemType: BooleanDataViewType or TextDataViewType });
        if (options.WeightColumnName is { } weight)
            Columns.Require(shape, weight, "Single", column => column is { Kind: SchemaShape.Column.VectorKind.Scalar, IsKey: false } && column.ItemType.Equals(NumberDataViewType.Single));
    }

    /// <summary>Reads every row, a weighted one as often as its weight says.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="DataException">A value cannot be used.</exception>
    public List<PreferencePair> Read(IDataView view, ulong seed)
    {
        foreach (var text in _texts) Columns.Require(view.Schema, new StageInput(text));
        var label = Require(view.Schema, options.LabelColumnName, LabelExpected, type => type is BooleanDataViewType or TextDataViewType);
        DataViewSchema.Column? weight = options.WeightColumnName is { } name ? Require(view.Schema, name, "Single", type => type.Equals(NumberDataViewType.Single)) : null;

        var pairs = new List<PreferencePair>();
        using var cursor = view.GetRowCursor(view.Schema.Where(column => _texts.Contains(column.Name) && !column.IsHidden || column.Index == label.Index || column.Index == weight?.Index));
        var texts = _texts.ToDictionary(column => column, column => cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema[column]), StringComparer.Ordinal);
        var readLabel = Label(cursor, label);
        var readWeight = weight is { } column ? cursor.GetGetter<float>(column) : null;
        for (var row = 0; cursor.MoveNext(); row++)
        {
            var times = readWeight is null ? 1 : Times(readWeight, row, seed);
            if (times == 0) continue;
            var pair = Pair(texts, readLabel, row);
            pairs.Add(pair);
            for (var again = 1; again < times; again++) pairs.Add(pair with { Id = FormattableString.Invariant($"{pair.Id} ({again + 1})") });
        }
        return pairs;
    }

    private PreferencePair Pair(Dictionary<string, ValueGetter<ReadOnlyMemory<char>>> texts, Func<int, Preference> label, int row)
    {
        var (instruction, a, b) = (Text(options.Columns.InstructionColumnName), Text(options.Columns.ResponseAColumnName), Text(options.Columns.ResponseBColumnName));
        if (a.Length == 0 && b.Length == 0)
            throw new DataException($"Columns '{options.Columns.ResponseAColumnName}' and '{options.Columns.ResponseBColumnName}', row {row}: both responses are missing; expected two texts to compare. Leave out the row, or give it the weight 0.");
        foreach (var (column, text) in new[] { (options.Columns.InstructionColumnName, instruction), (options.Columns.ResponseAColumnName, a), (options.Columns.ResponseBColumnName, b) })
            if (string.IsNullOrWhiteSpace(text)) throw new DataException($"Column '{column}', row {row}: it is null or empty; expected text. Leave out the row, or give it the weight 0.");
        if (a == b) throw new DataException($"Columns '{options.Columns.ResponseAColumnName}' and '{options.Columns.ResponseBColumnName}', row {row}: the responses are equal, so no label can be right. Leave out the row, or give it the weight 0.");
        return new PreferencePair
        {
            Id = FormattableString.Invariant($"row {row}"),
            Instruction = instruction,
            ResponseA = a,
            ResponseB = b,
            Label = label(row),
            Thought = options.ThoughtColumnName is { } thought ? Text(thought) : null,
            SwappedThought = options.SwappedThoughtColumnName is { } swapped ? Text(swapped) : null,
        };

        string Text(string column)
        {
            ReadOnlyMemory<char> value = default;
            texts[column](ref value);
            return value.ToString();
        }
    }

    private Func<int, Preference> Label(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is BooleanDataViewType)
        {
            var boolean = row.GetGetter<bool>(column);
            return _ =>
            {
                var value = false;
                boolean(ref value);
                return value ? Preference.A : Preference.B;
            };
        }
        var text = row.GetGetter<ReadOnlyMemory<char>>(column);
        return number =>
        {
            ReadOnlyMemory<char> value = default;
            text(ref value);
            return value.Span switch
            {
                "A" => Preference.A,
                "B" => Preference.B,
                _ => throw new DataException($"Column '{options.LabelColumnName}', row {number}: it is '{value}'; expected A or B. Training needs to know which response is better: leave out the row, or give it the weight 0."),
            };
        };
    }

    private int Times(ValueGetter<float> read, int row, ulong seed)
    {
        var weight = 0f;
        read(ref weight);
        if (!(weight >= 0 && weight <= MostWeight))
            throw new DataException(FormattableString.Invariant($"Column '{options.WeightColumnName}', row {row}: it is {weight}; expected a number from 0 to {MostWeight}. A weight is how often a row stands in an epoch."));
        var whole = (int)weight;
        return whole + (SplitMix.For(seed, 0x3E16, (ulong)row).NextDouble() < weight - whole ? 1 : 0);
    }

    private static DataViewSchema.Column Require(DataViewSchema schema, string name, string expected, Func<DataViewType, bool> fits) =>
        schema.GetColumnOrNull(name) is not { } column ? throw Columns.Missing(name, expected, schema.Select(c => c.Name))
        : fits(column.Type) ? column : throw Columns.Mismatch(name, $"{column.Type}", expected);
}
