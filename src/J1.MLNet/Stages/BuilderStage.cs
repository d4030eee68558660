using System.Security.Cryptography;
using System.Text;
using J1.Data;

namespace J1.MLNet.Stages;

/// <summary>A builder of pairs as a stage.</summary>
internal sealed class BuilderStage(IPairBuilder builder, PairBuilderOptions options) : Stage(Columns(options),
    [
        StageOutput.Text<BuiltPair>(options.ResponseAColumnName, built => built.Pair?.ResponseA ?? ""),
        StageOutput.Text<BuiltPair>(options.ResponseBColumnName, built => built.Pair?.ResponseB ?? ""),
        StageOutput.Boolean<BuiltPair>(options.LabelColumnName, built => built.Pair?.Label == Preference.A),
        StageOutput.Single<BuiltPair>(options.WeightColumnName, built => built.Pair is null ? 0 : 1),
        StageOutput.Text<BuiltPair>(options.OutcomeColumnName, built => built.Skip is { } reason ? $"{reason}" : "Built"),
    ], options.BatchSize, options.RememberedRows)
{
    private readonly int _response = options.ResponseColumnName is null ? -1 : 1;
    private readonly int _answer = options.AnswerColumnName is null ? -1 : options.ResponseColumnName is null ? 1 : 2;

    protected override string Identity => builder.Identity;

    protected override IReadOnlyList<object> Compute(IReadOnlyList<string[]> rows) => builder.BuildAsync([.. rows.Select(Source)]).GetAwaiter().GetResult();

    private PairSource Source(string[] row) => new()
    {
        // A name by content, so that the same row draws the same side in whatever view it stands.
        Id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', row))))[..16],
        Instruction = row[0],
        Response = _response < 0 || row[_response].Length == 0 ? null : row[_response],
        Answer = _answer < 0 ? null : row[_answer],
    };

    private static StageInput[] Columns(PairBuilderOptions options) =>
        [new(options.InstructionColumnName), .. new[] { options.ResponseColumnName, options.AnswerColumnName }.OfType<string>().Select(name => new StageInput(name))];
}
