using J1.Extensions.AI;

namespace Microsoft.Extensions.AI;

/// <summary>A judge in a chat client's pipeline.</summary>
public static class J1ChatClientBuilderExtensions
{
    /// <summary>Judges the answers of what stands below it in the pipeline.</summary>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public static ChatClientBuilder UseJudge(this ChatClientBuilder builder, JudgeOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        return builder.Use(inner => new JudgingChatClient(inner, options));
    }

    /// <summary>The same with options made of services; they are checked when the client is built.</summary>
    public static ChatClientBuilder UseJudge(this ChatClientBuilder builder, Func<IServiceProvider, JudgeOptions> options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        return builder.Use((inner, services) => new JudgingChatClient(inner, options(services)));
    }
}
