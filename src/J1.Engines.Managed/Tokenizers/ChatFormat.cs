using System.Text;
using System.Text.RegularExpressions;

namespace J1.Engines.Managed.Tokenizers;

/// <summary>A part of a rendered conversation: a control token by its name, or text that must stay text.</summary>
public readonly record struct ChatPiece(string Text, bool IsControl);

/// <summary>How a model family writes conversations down. Made by <see cref="Detect"/> or chosen by hand.</summary>
public abstract partial class ChatFormat
{
    private protected ChatFormat(string name, params string[] controlTokens) => (Name, ControlTokens) = (name, controlTokens);

    public string Name { get; }

    /// <summary>The control tokens this format needs in the vocabulary.</summary>
    public IReadOnlyList<string> ControlTokens { get; }

    /// <summary>The control token that ends a turn, if the format has one.</summary>
    public virtual string? EndOfTurn => null;

    /// <summary>The format as a Jinja template, for files that other programs read.</summary>
    public abstract string Template { get; }

    /// <summary>Whether the tokenizer's own beginning of text goes before a conversation; false where the format writes it itself or has none.</summary>
    internal virtual bool TakesTokenizerPrefix => false;

    /// <summary>
    /// <c>&lt;|im_start|&gt;role, content&lt;|im_end|&gt;</c> (SmolLM, Qwen). <paramref name="defaultSystem"/> is the system text of a conversation that brings none;
    /// <paramref name="dropsEarlierThoughts"/> cuts earlier assistant turns down to what follows their last <c>&lt;/think&gt;</c>, as Qwen3 does.
    /// </summary>
    public static ChatFormat ChatMl(string? defaultSystem = null, bool dropsEarlierThoughts = false) => new ChatMlFormat(defaultSystem, dropsEarlierThoughts);

    /// <summary>Llama 3's headers. <paramref name="systemPreamble"/>, where given, opens a system turn that is then always there, as in Llama 3.1 and 3.2.</summary>
    public static ChatFormat Llama3(string? systemPreamble = null) => new Llama3Format(systemPreamble);

    /// <summary>
    /// For models that know no chat format: the system text, then turns under the lines <c>User:</c> and <c>Assistant:</c>, an empty line after each.
    /// It has no control tokens, so a content that contains such lines can pretend to be a turn; prefer a format that has some.
    /// </summary>
    public static ChatFormat Plain { get; } = new PlainFormat();

    /// <summary>
    /// The format that a Jinja chat template describes, or, with no template, the one whose control tokens the vocabulary has
    /// (<see cref="Plain"/> where it has none). A template that is not recognised gives a format that throws on use and says what the template contains.
    /// </summary>
    public static ChatFormat Detect(string? template, Func<string, bool> isToken)
    {
        if (string.IsNullOrWhiteSpace(template))
        {
            ChatFormat[] known = [ChatMl(), Llama3()];
            return known.FirstOrDefault(format => format.ControlTokens.All(isToken)) ?? Plain;
        }
        if (template == Plain.Template)
            return Plain;
        if (template.Contains("<|im_start|>", StringComparison.Ordinal) && template.Contains("<|im_end|>", StringComparison.Ordinal))
        {
            var system = DefaultSystem().Match(template);
            var dropsThoughts = template.Contains("split('</think>')", StringComparison.Ordinal);
            return ChatMl(system.Success ? Unescape(system.Groups["text"].Value) : null, dropsThoughts);
        }
        if (template.Contains("<|start_header_id|>", StringComparison.Ordinal) && template.Contains("<|eot_id|>", StringComparison.Ordinal))
            return Llama3(template.Contains("Cutting Knowledge Date", StringComparison.Ordinal) ? Llama3Format.DatedPreamble : null);
        return new UnknownFormat(template);
    }

    /// <summary>The conversation in pieces; with <paramref name="addGenerationPrompt"/> up to where the assistant is to go on.</summary>
    public IReadOnlyList<ChatPiece> Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = true)
    {
        foreach (var message in messages)
            if (message.Role is not ("system" or "user" or "assistant"))
                throw new ArgumentException($"A message has the role '{message.Role}'; roles are system, user and assistant.", nameof(messages));
        var pieces = new List<ChatPiece>();
        Write(messages, addGenerationPrompt, pieces);
        return pieces;
    }

    /// <summary>The conversation as one text, control tokens spelled out: what the model's template would give.</summary>
    public string RenderText(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = true)
    {
        var text = new StringBuilder();
        foreach (var piece in Render(messages, addGenerationPrompt))
            text.Append(piece.Text);
        return text.ToString();
    }

    private protected abstract void Write(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, List<ChatPiece> pieces);

    private protected static ChatPiece Control(string token) => new(token, IsControl: true);

    private protected static ChatPiece Words(string text) => new(text, IsControl: false);

    // a system turn whose text is literal: inside one pair of quotes, or between tags
    [GeneratedRegex(@"(?<quote>['""])<\|im_start\|>system(?:\\n|\n)(?<text>(?:(?!\k<quote>)[^\\]|\\.)+?)<\|im_end\|>|\}<\|im_start\|>system\n(?<text>[^{}]+?)<\|im_end\|>")]
    private static partial Regex DefaultSystem();

    private static string Unescape(string literal) => Escapes().Replace(literal, escape => escape.Value[1] == 'n' ? "\n" : escape.Value[1..]);

    private static string Escape(string text) => text
        .Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("'", "\\'", StringComparison.Ordinal)
        .Replace("\n", "\\n", StringComparison.Ordinal);

    [GeneratedRegex(@"\\(n|.)")]
    private static partial Regex Escapes();

    private sealed class ChatMlFormat(string? defaultSystem, bool dropsEarlierThoughts) : ChatFormat("ChatML", Start, End)
    {
        private const string Start = "<|im_start|>", End = "<|im_end|>", ThoughtEnd = "</think>";

        public override string EndOfTurn => End;

        public override string Template =>
            "{% for message in messages %}" +
            (defaultSystem is null ? "" : "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n" + Escape(defaultSystem) + "<|im_end|>\\n' }}{% endif %}") +
            "{% set content = message['content'] %}" +
            (dropsEarlierThoughts ? "{% if message['role'] == 'assistant' and '</think>' in content %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}" : "") +
            "{{ '<|im_start|>' + message['role'] + '\\n' + content + '<|im_end|>\\n' }}{% endfor %}" +
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

        private protected override void Write(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, List<ChatPiece> pieces)
        {
            if (defaultSystem is not null && messages is [{ Role: not "system" }, ..])
                Turn(ChatMessage.System(defaultSystem));
            foreach (var message in messages)
                Turn(message.Role == "assistant" && dropsEarlierThoughts ? message with { Content = WithoutThought(message.Content) } : message);
            if (addGenerationPrompt)
                pieces.AddRange(Control(Start), Words("assistant\n"));

            void Turn(ChatMessage message) =>
                pieces.AddRange(Control(Start), Words(message.Role + "\n" + message.Content), Control(End), Words("\n"));
        }

        private static string WithoutThought(string content)
        {
            var end = content.LastIndexOf(ThoughtEnd, StringComparison.Ordinal);
            return end < 0 ? content : content[(end + ThoughtEnd.Length)..].TrimStart('\n');
        }
    }

    private sealed class Llama3Format(string? systemPreamble) : ChatFormat("Llama 3", Begin, HeaderStart, HeaderEnd, End)
    {
        private const string Begin = "<|begin_of_text|>", HeaderStart = "<|start_header_id|>", HeaderEnd = "<|end_header_id|>", End = "<|eot_id|>";

        /// <summary>What Llama 3.1's and 3.2's templates say with the date they fall back to.</summary>
        public const string DatedPreamble = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";

        public override string EndOfTurn => End;

        public override string Template =>
            "{{ '<|begin_of_text|>' }}" +
            (systemPreamble is null ? "{% set turns = messages %}" :
                "{% if messages and messages[0]['role'] == 'system' %}{% set own = messages[0]['content'] | trim %}{% set turns = messages[1:] %}{% else %}{% set own = '' %}{% set turns = messages %}{% endif %}" +
                "{{ '<|start_header_id|>system<|end_header_id|>\\n\\n" + Escape(systemPreamble) + "' + own + '<|eot_id|>' }}") +
            "{% for message in turns %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}" +
            "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";

        private protected override void Write(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, List<ChatPiece> pieces)
        {
            pieces.Add(Control(Begin));
            var rest = messages;
            if (systemPreamble is not null)
            {
                var own = messages is [{ Role: "system" }, ..];
                Turn("system", systemPreamble + (own ? Trim(messages[0].Content) : ""));
                rest = own ? [.. messages.Skip(1)] : messages;
            }
            foreach (var message in rest)
                Turn(message.Role, Trim(message.Content));
            if (addGenerationPrompt)
                Header("assistant");

            void Turn(string role, string content)
            {
                Header(role);
                pieces.AddRange(Words(content), Control(End));
            }

            void Header(string role) => pieces.AddRange(Control(HeaderStart), Words(role), Control(HeaderEnd), Words("\n\n"));
        }

        /// <summary>Jinja's trim is Python's strip, to which the four ASCII separators are white space too.</summary>
        private static string Trim(string text)
        {
            var (start, end) = (0, text.Length);
            while (start < end && IsSpace(text[start]))
                start++;
            while (end > start && IsSpace(text[end - 1]))
                end--;
            return text[start..end];

            static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001C' and <= '\u001F';
        }
    }

    private sealed class PlainFormat() : ChatFormat("plain")
    {
        internal override bool TakesTokenizerPrefix => true;

        public override string Template =>
            "{% for message in messages %}{% if message['role'] == 'user' %}{{ 'User:\\n' }}{% elif message['role'] == 'assistant' %}{{ 'Assistant:\\n' }}{% endif %}" +
            "{{ message['content'] + '\\n\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:\\n' }}{% endif %}";

        private protected override void Write(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, List<ChatPiece> pieces)
        {
            foreach (var message in messages)
            {
                var heading = message.Role switch { "user" => "User:\n", "assistant" => "Assistant:\n", _ => "" };
                pieces.Add(Words(heading + message.Content + "\n\n"));
            }
            if (addGenerationPrompt)
                pieces.Add(Words("Assistant:\n"));
        }
    }

    private sealed class UnknownFormat(string template) : ChatFormat("unknown")
    {
        public override string Template => template;

        private protected override void Write(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, List<ChatPiece> pieces)
        {
            var marks = Mark().Matches(template).Select(match => match.Value).Distinct().Take(12);
            var beginning = template.Length <= 120 ? template : template[..120] + "...";
            throw new InvalidOperationException(
                $"This model's chat template is none that is known here (ChatML, Llama 3). It contains {string.Join(" ", marks)} and begins: {beginning} " +
                "Choose a format when the model is read: ChatFormat.ChatMl(), ChatFormat.Llama3() or ChatFormat.Plain.");
        }
    }

    [GeneratedRegex(@"<[|/]?[\w|▁｜]+[|]?>|\[/?[A-Z_]{2,}\]|<</?SYS>>")]
    private static partial Regex Mark();
}
