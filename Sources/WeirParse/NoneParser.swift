import WeirConfig
import WeirCore

/// `@type none`: the whole line is one field.
public final class NoneParser: LineParser {
    private enum Parameters {
        static let messageKey = Parameter.text(
            "message_key", default: "message", "The field that receives the line.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .parser, type: "none", "Takes the whole line as one field.",
        parameters: [AnyParameter(Parameters.messageKey)] + ParseParameters.all,
        ignored: ParseParameters.ignored, examples: ["<parse>\n  @type none\n</parse>"])

    private let shape: Shape
    private let finisher: RowFinisher

    /// A parser as a `<parse>` describes it.
    public init(_ section: Section) throws(SectionError) {
        shape = Shape([section[Parameters.messageKey]])
        var options = try ParseOptions(section)
        // The line is no time, whatever its field is called.
        options.timeKey = nil
        finisher = try makeFinisher(options, section)
    }

    /// A parser without options, for lines that no `<parse>` describes.
    init(messageKey: String) throws(TimeFormat.FormatError) {
        shape = Shape([messageKey])
        finisher = try RowFinisher(ParseOptions())
    }

    /// Reads every line into rows, or notes why it gave none (``LineParser/parse(into:now:)``).
    public func parse(into batch: EventBatch, now: Timestamp) {
        let first = batch.rows.count
        for index in batch.lines.indices {
            let line = batch.lines[index]
            guard let slot = batch.makeTextSlot(offset: Int(line.offset), length: Int(line.length)),
                batch.appendRow(shape: shape, slots: [slot], line: index, time: now)
            else {
                batch.appendFailure(line: index, .overLimit)
                continue
            }
        }
        finisher.finish(batch, from: first, now: now)
    }
}
