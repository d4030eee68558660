using Microsoft.ML.Data;

namespace Microsoft.ML;

/// <summary>What a saved model is made of. From outside only a built-in's <see cref="Save"/> can fill a <see cref="ModelSaveContext"/>.</summary>
public interface ICanSaveModel
{
    void Save(ModelSaveContext ctx);
}

public interface ITransformer : ICanSaveModel
{
    bool IsRowToRowMapper { get; }
    DataViewSchema GetOutputSchema(DataViewSchema inputSchema);

    /// <summary>Checks the schema; computes nothing.</summary>
    IDataView Transform(IDataView input);

    IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema);
}

public interface IEstimator<out TTransformer> where TTransformer : ITransformer
{
    TTransformer Fit(IDataView input);

    /// <summary>The columns that there will be, or an exception where these inputs do not do; nothing is trained.</summary>
    SchemaShape GetOutputSchema(SchemaShape inputSchema);
}
