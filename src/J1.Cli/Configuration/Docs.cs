using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace J1.Cli.Configuration;

/// <summary>What the options' own documentation comments say, from the XML files that the compiler writes beside the assemblies.</summary>
internal sealed partial class Docs
{
    private readonly Dictionary<Assembly, Dictionary<string, XElement>> _known = [];

    /// <summary>The summary of an option, in the words of a configuration; null where there is none.</summary>
    public string? Of(MemberInfo member)
    {
        var name = member is Type type ? $"T:{type.FullName}" : $"{(member is FieldInfo ? 'F' : 'P')}:{member.DeclaringType!.FullName}.{member.Name}";
        return Members(member.Module.Assembly).GetValueOrDefault(name)?.Element("summary") is { } summary ? Text(summary) : null;
    }

    private Dictionary<string, XElement> Members(Assembly assembly)
    {
        if (_known.TryGetValue(assembly, out var members)) return members;
        var file = Path.ChangeExtension(assembly.Location, ".xml");
        members = File.Exists(file) ? XDocument.Load(file).Descendants("member").ToDictionary(member => member.Attribute("name")!.Value) : [];
        return _known[assembly] = members;
    }

    private static string Text(XElement element)
    {
        var text = new StringBuilder();
        foreach (var node in element.Nodes())
            _ = node switch
            {
                XText words => text.Append(words.Value),
                XElement { Name.LocalName: "see" } see => text.Append(Names.Snake(Regex.Match(see.Attribute("cref")?.Value ?? "", @"[^.:]*$").Value)),
                XElement inner => text.Append(Text(inner)),
                _ => text,
            };
        return Spaces().Replace(text.ToString(), " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
