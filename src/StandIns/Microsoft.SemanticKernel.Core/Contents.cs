using System.Collections.ObjectModel;
using System.Text;
using Microsoft.SemanticKernel.ChatCompletion;

namespace Microsoft.SemanticKernel
{
    public abstract class KernelContent
    {
        protected KernelContent() { }

        protected KernelContent(object? innerContent, string? modelId = null, IReadOnlyDictionary<string, object?>? metadata = null) => (InnerContent, ModelId, Metadata) = (innerContent, modelId, metadata);

        public object? InnerContent { get; set; }

        public string? ModelId { get; set; }

        public IReadOnlyDictionary<string, object?>? Metadata { get; set; }
    }

    public sealed class TextContent : KernelContent
    {
        public TextContent() { }

        public TextContent(string? text, string? modelId = null, object? innerContent = null, Encoding? encoding = null, IReadOnlyDictionary<string, object?>? metadata = null) : base(innerContent, modelId, metadata) => (Text, Encoding) = (text, encoding ?? Encoding.UTF8);

        public string? Text { get; set; }

        public Encoding Encoding { get; set; } = Encoding.UTF8;

        public override string ToString() => Text ?? "";
    }

    public sealed class FunctionCallContent : KernelContent
    {
        public FunctionCallContent(string functionName, string? pluginName = null, string? id = null, KernelArguments? arguments = null) => (FunctionName, PluginName, Id, Arguments) = (functionName, pluginName, id, arguments);

        public string? Id { get; }

        public string? PluginName { get; }

        public string FunctionName { get; }

        public KernelArguments? Arguments { get; }
    }

    public class ChatMessageContent : KernelContent
    {
        public ChatMessageContent() { }

        public ChatMessageContent(AuthorRole role, string? content, string? modelId = null, object? innerContent = null, Encoding? encoding = null, IReadOnlyDictionary<string, object?>? metadata = null) : base(innerContent, modelId, metadata)
        {
            Role = role;
            if (content is not null) Items.Add(new TextContent(content, modelId, innerContent, encoding, metadata));
        }

        public ChatMessageContent(AuthorRole role, ChatMessageContentItemCollection items, string? modelId = null, object? innerContent = null, Encoding? encoding = null, IReadOnlyDictionary<string, object?>? metadata = null) : base(innerContent, modelId, metadata) => (Role, Items) = (role, items);

        public AuthorRole Role { get; set; }

        public string? Content => Items.OfType<TextContent>().FirstOrDefault()?.Text;

        public ChatMessageContentItemCollection Items { get; set; } = [];

        public override string ToString() => Content ?? "";
    }

    public abstract class StreamingKernelContent
    {
        protected StreamingKernelContent() { }

        protected StreamingKernelContent(object? innerContent, int choiceIndex = 0, string? modelId = null, IReadOnlyDictionary<string, object?>? metadata = null) => (InnerContent, ChoiceIndex, ModelId, Metadata) = (innerContent, choiceIndex, modelId, metadata);

        public int ChoiceIndex { get; set; }

        public object? InnerContent { get; set; }

        public string? ModelId { get; set; }

        public IReadOnlyDictionary<string, object?>? Metadata { get; set; }

        public abstract override string ToString();
    }

    public class StreamingTextContent : StreamingKernelContent
    {
        public StreamingTextContent(string? text, int choiceIndex = 0, string? modelId = null, object? innerContent = null, Encoding? encoding = null, IReadOnlyDictionary<string, object?>? metadata = null) : base(innerContent, choiceIndex, modelId, metadata) => Text = text;

        public string? Text { get; set; }

        public override string ToString() => Text ?? "";
    }

    public class StreamingChatMessageContent : StreamingKernelContent
    {
        public StreamingChatMessageContent(AuthorRole? role, string? content, object? innerContent = null, int choiceIndex = 0, string? modelId = null, Encoding? encoding = null, IReadOnlyDictionary<string, object?>? metadata = null) : base(innerContent, choiceIndex, modelId, metadata) => (Role, Content) = (role, content);

        public AuthorRole? Role { get; set; }

        public string? Content { get; set; }

        public override string ToString() => Content ?? "";
    }
}

namespace Microsoft.SemanticKernel.Services
{
    public interface IAIService
    {
        IReadOnlyDictionary<string, object?> Attributes { get; }
    }
}

namespace Microsoft.SemanticKernel.ChatCompletion
{
    public interface IChatCompletionService : Services.IAIService
    {
        Task<IReadOnlyList<ChatMessageContent>> GetChatMessageContentsAsync(ChatHistory chatHistory, PromptExecutionSettings? executionSettings = null, Kernel? kernel = null, CancellationToken cancellationToken = default);

        IAsyncEnumerable<StreamingChatMessageContent> GetStreamingChatMessageContentsAsync(ChatHistory chatHistory, PromptExecutionSettings? executionSettings = null, Kernel? kernel = null, CancellationToken cancellationToken = default);
    }

    public class ChatHistory : Collection<ChatMessageContent>;

    public class ChatMessageContentItemCollection : Collection<KernelContent>;

    public readonly struct AuthorRole : IEquatable<AuthorRole>
    {
        private readonly string? _label;

        public AuthorRole(string label) => _label = label;

        public static AuthorRole System { get; } = new("system");

        public static AuthorRole User { get; } = new("user");

        public static AuthorRole Assistant { get; } = new("assistant");

        public static AuthorRole Tool { get; } = new("tool");

        public string Label => _label ?? "user";

        public static bool operator ==(AuthorRole left, AuthorRole right) => left.Equals(right);

        public static bool operator !=(AuthorRole left, AuthorRole right) => !left.Equals(right);

        public bool Equals(AuthorRole other) => string.Equals(Label, other.Label, StringComparison.OrdinalIgnoreCase);

        public override bool Equals(object? obj) => obj is AuthorRole other && Equals(other);

        public override int GetHashCode() => StringComparer.OrdinalIgnoreCase.GetHashCode(Label);
    }
}
