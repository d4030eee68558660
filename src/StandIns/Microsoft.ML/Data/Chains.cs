using System.Collections;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

[Flags]
public enum TransformerScope
{
    None = 0,
    Training = 1,
    Testing = 2,
    TrainTest = Training | Testing,
    Scoring = 4,
    Everything = Training | Testing | Scoring,
}

public sealed class EstimatorChain<TLastTransformer> : IEstimator<TransformerChain<TLastTransformer>> where TLastTransformer : class, ITransformer
{
    private readonly (IEstimator<ITransformer> Estimator, TransformerScope Scope, bool CacheAfter)[] links;

    public readonly IEstimator<TLastTransformer> LastEstimator;

    public EstimatorChain() => links = [];

    internal EstimatorChain((IEstimator<ITransformer>, TransformerScope, bool)[] links)
    {
        this.links = links;
        LastEstimator = this.links.Length == 0 ? null : (IEstimator<TLastTransformer>)this.links[^1].Estimator;
    }

    public TransformerChain<TLastTransformer> Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        GetOutputSchema(SchemaShape.Create(input.Schema));
        var fitted = new List<ITransformer>();
        foreach (var (estimator, _, cacheAfter) in links)
        {
            fitted.Add(estimator.Fit(input));
            input = fitted[^1].Transform(input);
            if (cacheAfter && fitted.Count < links.Length) input = new CacheView(input, null);
        }
        return new TransformerChain<TLastTransformer>(fitted, links.Select(l => l.Scope));
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => links.Aggregate(inputSchema, (shape, link) => link.Estimator.GetOutputSchema(shape));

    public EstimatorChain<TNewTrans> Append<TNewTrans>(IEstimator<TNewTrans> estimator, TransformerScope scope = TransformerScope.Everything) where TNewTrans : class, ITransformer
    {
        ArgumentNullException.ThrowIfNull(estimator);
        return new EstimatorChain<TNewTrans>([.. links, (estimator, scope, false)]);
    }

    public EstimatorChain<TLastTransformer> AppendCacheCheckpoint(IHostEnvironment env)
    {
        ArgumentNullException.ThrowIfNull(env);
        if (links.Length == 0) return this;
        var marked = links.ToArray();
        marked[^1].CacheAfter = true;
        return new EstimatorChain<TLastTransformer>(marked);
    }
}

public sealed class TransformerChain<TLastTransformer> : ITransformer, IEnumerable<ITransformer>, IDisposable, ITransformerChain where TLastTransformer : class, ITransformer
{
    private readonly ITransformer[] transformers;
    private readonly TransformerScope[] scopes;
    private bool disposed;

    public readonly TLastTransformer LastTransformer;

    public TransformerChain(IEnumerable<ITransformer> transformers, IEnumerable<TransformerScope> scopes)
    {
        this.transformers = [.. transformers];
        this.scopes = [.. scopes];
        if (this.transformers.Length != this.scopes.Length) throw new ArgumentOutOfRangeException(nameof(scopes), "Should be one for each transformer.");
        LastTransformer = (TLastTransformer)this.transformers.LastOrDefault();
    }

    public TransformerChain(params ITransformer[] transformers) : this(transformers, transformers?.Select(_ => TransformerScope.Everything)) { }

    bool ITransformer.IsRowToRowMapper => transformers.All(t => t.IsRowToRowMapper);
    IReadOnlyList<ITransformer> ITransformerChain.Transformers => transformers;
    IReadOnlyList<TransformerScope> ITransformerChain.Scopes => scopes;

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => transformers.Aggregate(inputSchema, (schema, t) => t.GetOutputSchema(schema));
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema, TransformerScope scope) => GetModelFor(scope).GetOutputSchema(inputSchema);

    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        GetOutputSchema(input.Schema);
        return transformers.Aggregate(input, (view, t) => t.Transform(view));
    }

    public IDataView Transform(IDataView input, TransformerScope scope) => GetModelFor(scope).Transform(input);

    public TransformerChain<ITransformer> GetModelFor(TransformerScope scopeFilter)
    {
        var kept = transformers.Zip(scopes).Where(t => (t.Second & scopeFilter) != 0).ToArray();
        return new(kept.Select(t => t.First), kept.Select(t => t.Second));
    }

    public TransformerChain<TNewLast> Append<TNewLast>(TNewLast transformer, TransformerScope scope = TransformerScope.Everything) where TNewLast : class, ITransformer
    {
        ArgumentNullException.ThrowIfNull(transformer);
        return new([.. transformers, transformer], [.. scopes, scope]);
    }

    public IEnumerator<ITransformer> GetEnumerator() => ((IEnumerable<ITransformer>)transformers).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        if (!((ITransformer)this).IsRowToRowMapper) throw new InvalidOperationException("GetRowToRowMapper method called despite IsRowToRowMapper being false.");
        var mappers = new List<IRowToRowMapper>();
        foreach (var transformer in transformers) mappers.Add(transformer.GetRowToRowMapper(mappers.Count == 0 ? inputSchema : mappers[^1].OutputSchema));
        return new CompositeMapper(inputSchema, mappers);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ctx.Sign(TransformerChain.Signature);
        ctx.Writer.Write(transformers.Length);
        for (var i = 0; i < transformers.Length; i++)
        {
            ctx.Writer.Write((int)scopes[i]);
            ctx.SaveModel(transformers[i], TransformerChain.PartName(i));
        }
    }

    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        foreach (var transformer in transformers.OfType<IDisposable>()) transformer.Dispose();
    }
}

internal interface ITransformerChain
{
    IReadOnlyList<ITransformer> Transformers { get; }
    IReadOnlyList<TransformerScope> Scopes { get; }
}

internal static class TransformerChain
{
    public const string Signature = "TransformerChain";

    public static string PartName(int index) => $"Transform_{index:000}";

    public static ITransformer Load(IHostEnvironment env, ModelLoadContext ctx)
    {
        var transformers = new ITransformer[ctx.Reader.ReadInt32()];
        var scopes = new TransformerScope[transformers.Length];
        for (var i = 0; i < transformers.Length; i++)
        {
            scopes[i] = (TransformerScope)ctx.Reader.ReadInt32();
            transformers[i] = ctx.LoadModel(env, PartName(i));
        }
        return new TransformerChain<ITransformer>(transformers, scopes);
    }
}
