using System.Collections.Concurrent;

namespace Microsoft.ML.Data;

/// <summary>One thread reads the source in blocks of rows, several map a block each, and the reader of this cursor gets the blocks in order.</summary>
internal sealed class ParallelCursor : DataViewRowCursor
{
    private const int BlockSize = 64;

    private readonly DataViewRowCursor source;
    private readonly CompositeMapper mapper;
    private readonly ActiveColumns active;
    private readonly int threads;
    private readonly BlockingCollection<Block> free = [];
    private readonly BlockingCollection<Block> read = [];
    private readonly BlockingCollection<Block> ordered = [];
    private readonly CancellationTokenSource stop = new();
    private Task[] workers;
    private Block current;
    private int slot;
    private long position = -1;

    public ParallelCursor(DataViewRowCursor source, CompositeMapper mapper, ActiveColumns active, int threads)
    {
        this.source = source;
        this.mapper = mapper;
        this.active = active;
        this.threads = threads;
    }

    public override long Position => position;
    public override long Batch => 0;
    public override DataViewSchema Schema => mapper.OutputSchema;
    public override bool IsColumnActive(DataViewSchema.Column column) => active.IsActive(column);
    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => Current().Output.IdGetter(() => slot)(ref id);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        var (block, getter) = ((Block)null, (ValueGetter<TValue>)null);
        return active.Getter<TValue>(column, c => (ValueGetter<TValue>)((ref TValue value) =>
        {
            if (block != Current()) (block, getter) = (current, (ValueGetter<TValue>)current.Output.Getter(c, () => slot));
            getter(ref value);
        }));
    }

    public override bool MoveNext()
    {
        if (workers == null) Start();
        while (current == null || slot + 1 >= current.Output.Count)
        {
            if (current != null) free.Add(current);
            current = null;
            if (!ordered.TryTake(out var next, Timeout.Infinite))
            {
                position = -1;
                return false;
            }
            next.Done.Wait();
            if (next.Failure is { } failure)
                throw new InvalidOperationException("Splitter/consolidator worker encountered exception while consuming source data", failure);
            (current, slot) = (next, -1);
        }
        slot++;
        position++;
        return true;
    }

    private Block Current() => current ?? throw new InvalidOperationException("Cannot call a getter where there is no row: move to one first.");

    private void Start()
    {
        for (var i = 0; i < 2 * threads; i++) free.Add(new Block());
        workers = [Run(ReadSource), .. Enumerable.Range(0, threads).Select(_ => Run(MapBlocks))];
    }

    private static Task Run(Action work) => Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void ReadSource()
    {
        var ended = false;
        while (!ended && TryTake(free, out var block))
        {
            block.Failure = null;
            block.Done.Reset();
            try
            {
                block.Input ??= new RowBlock(mapper.GetDependencies(active.Columns));
                block.Fill ??= block.Input.Filler(source, source.Schema);
                block.Input.Count = 0;
                while (block.Input.Count < BlockSize && !stop.IsCancellationRequested && !(ended = !source.MoveNext())) block.Fill(block.Input.Count);
            }
            catch (Exception e)
            {
                (block.Failure, ended) = (e, true);
            }
            ordered.Add(block);
            read.Add(block);
        }
        ordered.CompleteAdding();
        read.CompleteAdding();
    }

    private void MapBlocks()
    {
        while (TryTake(read, out var block))
        {
            try
            {
                if (block.Failure == null) Map(block);
            }
            catch (Exception e)
            {
                block.Failure = e;
            }
            block.Done.Set();
        }
    }

    private void Map(Block block)
    {
        if (block.Output == null)
        {
            block.Row = new BlockRow(mapper.InputSchema, block.Input, new ActiveColumns(mapper.InputSchema, mapper.GetDependencies(active.Columns)));
            block.Mapped = mapper.GetRow(block.Row, active.Columns);
            block.Output = new RowBlock(active.Columns);
            block.Take = block.Output.Filler(block.Mapped, mapper.OutputSchema);
        }
        block.Output.Count = 0;
        for (var i = 0; i < block.Input.Count && !stop.IsCancellationRequested; i++)
        {
            block.Row.Slot = i;
            block.Take(i);
        }
    }

    private bool TryTake(BlockingCollection<Block> blocks, out Block block)
    {
        block = null;
        try
        {
            return blocks.TryTake(out block, Timeout.Infinite, stop.Token);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        stop.Cancel();
        if (workers != null) Task.WaitAll(workers);
        source.Dispose();
        foreach (var collection in new[] { free, read, ordered }) collection.Dispose();
        stop.Dispose();
    }

    private sealed class Block
    {
        public RowBlock Input { get; set; }
        public RowBlock Output { get; set; }
        public Action<int> Fill { get; set; }
        public Action<int> Take { get; set; }
        public BlockRow Row { get; set; }
        public DataViewRow Mapped { get; set; }
        public Exception Failure { get; set; }
        public ManualResetEventSlim Done { get; } = new();
    }
}
