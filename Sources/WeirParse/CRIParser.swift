// Hot path: once per line of a container's log.
import WeirConfig
import WeirCore

/// `@type cri`: a container's log as the container runtime writes it: `time stream P|F content`.
public final class CRIParser: LineParser {
    private enum Parameters {
        static let streamKey = Parameter.text(
            "stream_key", default: "stream",
            "The field that receives `stdout` or `stderr`; empty for none.")
        static let eventByteLimit = Parameter.size(
            "max_event_size", default: 1024 * 1024,
            "The longest event that is joined from partial lines, in bytes; a longer one is cut.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .parser, type: "cri",
        "Reads a container's log (`time stream P|F content`): joins partial lines, and hands the "
            + "content to the `<parse>` within, by default `none`. The time is the runtime's, "
            + "unless the parser within finds one.",
        parameters: [AnyParameter(Parameters.streamKey), AnyParameter(Parameters.eventByteLimit)]
            + ParseParameters.all,
        ignored: ParseParameters.ignored,
        sections: [
            SectionDeclaration("parse", family: .parser, "How the content is read.")
        ],
        examples: [
            "<parse>\n  @type cri\n</parse>",
            "<parse>\n  @type cri\n  <parse>\n    @type envoy\n  </parse>\n</parse>",
        ])

    private let streamKey: String
    private let content: any LineParser
    private let finisher: RowFinisher
    private let joiner: CRILineJoiner

    /// A parser as a `<parse>` describes it.
    public init(_ section: Section) throws(SectionError) {
        streamKey = section[Parameters.streamKey]
        joiner = CRILineJoiner(eventByteLimit: max(section[Parameters.eventByteLimit], 1))
        finisher = try makeFinisher(try ParseOptions(section), section)
        if let inner = section.section("parse") {
            content = try ParserCatalog.parser(inner)
        } else {
            do {
                content = try NoneParser(messageKey: "message")
            } catch {
                throw SectionError(section.element.location, error.message, help: error.help)
            }
        }
    }

    /// Joins partial lines and has their content read (``LineParser/parse(into:now:)``).
    ///
    /// Lines of events whose end is not in the batch are taken out of `batch.lines`, and
    /// `batch.unfinishedPosition` says where reading must go on.
    public func parse(into batch: EventBatch, now: Timestamp) {
        joiner.join(batch, now: now)
        let first = batch.rows.count
        content.parse(into: batch, now: now)
        for row in first..<batch.rows.count where batch.rows[row].time == now {
            batch.setTime(joiner.events[Int(batch.rows[row].line)].time, row: row)
        }
        markStreams(batch, from: first)
        // Only now: the parser within must not see lines that are none of its own.
        for line in joiner.malformed {
            batch.lines.append(line)
            batch.appendFailure(line: batch.lines.count - 1, .unmatched)
        }
        finisher.finish(batch, from: first, now: now)
    }

    private func markStreams(_ batch: EventBatch, from first: Int) {
        guard !streamKey.isEmpty, first < batch.rows.count,
            let out = batch.makeStringSlot("stdout"), let error = batch.makeStringSlot("stderr")
        else { return }
        let column = batch.editColumn(streamKey)
        for row in first..<batch.rows.count {
            let isError = joiner.events[Int(batch.rows[row].line)].stream == .error
            batch.edit(column: column, row: row, to: isError ? error : out)
        }
    }
}
