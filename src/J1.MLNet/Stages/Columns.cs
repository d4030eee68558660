using Microsoft.ML;
using Microsoft.ML.Data;

namespace J1.MLNet.Stages;

/// <summary>Columns as schemas and schema shapes know them, with errors that name the column and what was expected.</summary>
internal static class Columns
{
    // Under the name that the parameter has wherever ML.NET checks a schema.
    private static readonly string InputSchema = "inputSchema";
    private static readonly MLContext Context = new(0);

    public static DataViewSchema.Column Require(DataViewSchema schema, StageInput wanted)
    {
        if (schema.GetColumnOrNull(wanted.Column) is not { } column) throw Missing(wanted.Column, TypeText(wanted), schema.Select(c => c.Name));
        var fits = wanted.IsVector ? column.Type is VectorDataViewType { ItemType: TextDataViewType } : column.Type is TextDataViewType;
        return fits ? column : throw Mismatch(wanted.Column, $"{column.Type}", TypeText(wanted));
    }

    public static void Require(SchemaShape shape, StageInput wanted) =>
        Require(shape, wanted.Column, TypeText(wanted), column => column.ItemType is TextDataViewType && column.Kind == SchemaShape.Column.VectorKind.Scalar != wanted.IsVector);

    public static void Require(SchemaShape shape, string name, string expected, Func<SchemaShape.Column, bool> fits)
    {
        var column = shape.FirstOrDefault(c => c.Name == name);
        if (column.Name is null) throw Missing(name, expected, shape.Select(c => c.Name));
        if (!fits(column)) throw Mismatch(name, $"{(column.Kind == SchemaShape.Column.VectorKind.Scalar ? "" : "a vector of ")}{(column.IsKey ? "keys of " : "")}{column.ItemType}", expected);
    }

    public static ArgumentOutOfRangeException Missing(string name, string expected, IEnumerable<string> present) =>
        new(InputSchema, $"Column '{name}' is missing; expected {expected}. The input has {string.Join(", ", present)}. Add the column, or name the right one in the options.");

    public static ArgumentOutOfRangeException Mismatch(string name, string actual, string expected) =>
        new(InputSchema, $"Schema mismatch for column '{name}': it is {actual}; expected {expected}.");

    /// <summary>
    /// The shape with columns added. A column of a shape cannot be made from outside ML.NET; a custom mapping that writes one of the right type can be asked for its.
    /// </summary>
    public static SchemaShape Add(SchemaShape shape, IEnumerable<(string Name, DataViewType Type)> added)
    {
        foreach (var (name, type) in added)
            shape = type switch
            {
                TextDataViewType => Add<TextCell>(shape, name),
                BooleanDataViewType => Add<BooleanCell>(shape, name),
                VectorDataViewType => Add<SinglesCell>(shape, name),
                _ when type == NumberDataViewType.Int32 => Add<IntegerCell>(shape, name),
                _ => Add<SingleCell>(shape, name),
            };
        return shape;
    }

    private static SchemaShape Add<TCell>(SchemaShape shape, string name) where TCell : class, new()
    {
        var definition = SchemaDefinition.Create(typeof(TCell), SchemaDefinition.Direction.Read);
        definition[0].ColumnName = name;
        return Context.Transforms.CustomMapping<Nothing, TCell>((_, _) => { }, null, null, definition).GetOutputSchema(shape);
    }

    private static string TypeText(StageInput input) => input.IsVector ? "a vector of text" : "text";

    public sealed class Nothing;

    public sealed class TextCell
    {
        public string Value { get; set; } = "";
    }

    public sealed class BooleanCell
    {
        public bool Value { get; set; }
    }

    public sealed class SingleCell
    {
        public float Value { get; set; }
    }

    public sealed class IntegerCell
    {
        public int Value { get; set; }
    }

    public sealed class SinglesCell
    {
        public float[] Value { get; set; } = [];
    }
}
