using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace J1.StandIns.Tests;

public sealed class ContextTests
{
    [Fact]
    public void Messages_reach_the_log_with_their_kind_and_source_and_progress_does_not()
    {
        var context = new MLContext(1);
        var seen = new List<LoggingEventArgs>();
        context.Log += (_, e) => seen.Add(e);
        var host = ((IHostEnvironment)context).Register("J1Judge");
        using (var channel = host.Start("Training"))
        using (var progress = host.StartProgressChannel("Training"))
        {
            progress.SetHeader(new ProgressHeader(["reward"], ["steps"]), entry => entry.SetProgress(0, 1, 2));
            progress.Checkpoint(0.5, 1);
            channel.Info(MessageSensitivity.None, "step {0} of {1}", 1, 2);
            channel.Warning(MessageSensitivity.None, "slow");
        }
        var told = seen.Where(e => e.Kind is ChannelMessageKind.Info or ChannelMessageKind.Warning).ToArray();
        Assert.Equal([("J1Judge; Training", "step 1 of 2", ChannelMessageKind.Info), ("J1Judge; Training", "slow", ChannelMessageKind.Warning)], told.Select(e => (e.Source, e.RawMessage, e.Kind)));
        Assert.Contains("step 1 of 2", told[0].Message, StringComparison.Ordinal);
        Assert.DoesNotContain(seen, e => e.RawMessage.Contains("reward", StringComparison.Ordinal));
    }

    [Fact]
    public void A_hosts_random_numbers_follow_from_the_seed_and_the_order_of_registering()
    {
        static int[] Numbers(int seed, params string[] order)
        {
            IHostEnvironment context = new MLContext(seed);
            return [.. order.Select(name => (name, context.Register(name).Rand.Next())).OrderBy(p => p.name, StringComparer.Ordinal).Select(p => p.Item2)];
        }
        Assert.Equal(Numbers(1, "a", "b"), Numbers(1, "a", "b"));
        Assert.NotEqual(Numbers(1, "a", "b"), Numbers(1, "b", "a"));
        Assert.NotEqual(Numbers(1, "a", "b"), Numbers(2, "a", "b"));
    }

    [Fact]
    public void A_context_starts_on_the_processor_with_no_fallback()
    {
        var context = new MLContext();
        Assert.Null(context.GpuDeviceId);
        Assert.False(context.FallbackToCpu);
        (context.GpuDeviceId, context.FallbackToCpu) = (1, true);
        Assert.Equal((1, true), (context.GpuDeviceId, context.FallbackToCpu));
    }

    [Fact]
    public void Options_are_kept_by_name()
    {
        var context = new MLContext();
        Assert.False(context.TryGetOption<int>("J1.Batch", out _));
        Assert.True(context.TryAddOption("J1.Batch", 4));
        Assert.False(context.TryAddOption("J1.Batch", 5));
        context.SetOption("J1.Batch", 6);
        Assert.Equal(6, context.GetOptionOrDefault<int>("J1.Batch"));
        Assert.False(context.TryGetOption<string>("J1.Batch", out _));
        Assert.True(context.RemoveOption("J1.Batch"));
    }

    [Fact]
    public void Asking_for_an_option_or_its_default_leaves_the_default_behind()
    {
        var context = new MLContext();
        Assert.Equal(0, context.GetOptionOrDefault<int>("J1.Batch"));
        Assert.False(context.TryAddOption("J1.Batch", 4));
        Assert.True(context.TryGetOption<int>("J1.Batch", out _));
    }

    [Fact]
    public void An_assembly_may_be_registered_again()
    {
        var context = new MLContext();
        context.ComponentCatalog.RegisterAssembly(typeof(ContextTests).Assembly);
        context.ComponentCatalog.RegisterAssembly(typeof(ContextTests).Assembly);
    }
}
