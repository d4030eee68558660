using J1.Engines;

namespace J1.Judging;

/// <summary>One wording for prompts that do not fit.</summary>
internal static class LongPromptError
{
    public static ContextOverflowException Of(string id, int length, int limit, int context) => new(
        $"Pair '{id}' makes a prompt of {length} tokens; at most {limit} fit a context of {context} with room for the completion. Shorten or leave out the pair, set the long-prompt policy to drop, or use a model with a longer context.",
        length, limit);
}
