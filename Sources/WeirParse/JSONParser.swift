import WeirConfig
import WeirCore

/// `@type json`: a JSON object a line, or an array of objects.
public final class JSONParser: LineParser {
    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .parser, type: "json", "Reads a JSON object a line; an array gives one event per object.",
        parameters: ParseParameters.all, ignored: ParseParameters.ignored,
        examples: ["<parse>\n  @type json\n  time_key start_time\n  time_format %iso8601\n</parse>"]
    )

    private let scanner = JSONLineScanner()
    private let finisher: RowFinisher

    /// A parser as a `<parse>` describes it.
    public init(_ section: Section) throws(SectionError) {
        let options = try ParseOptions(section, defaultTimeKey: "time", defaultTimeType: .float)
        finisher = try makeFinisher(options, section)
    }

    /// Reads every line into rows, or notes why it gave none (``LineParser/parse(into:now:)``).
    public func parse(into batch: EventBatch, now: Timestamp) {
        let first = batch.rows.count
        scanner.scan(into: batch, time: now)
        finisher.finish(batch, from: first, now: now)
    }
}

/// The finisher of some options, with the time format's mistakes at their place.
func makeFinisher(
    _ options: ParseOptions, _ section: Section
) throws(SectionError) -> RowFinisher {
    do {
        return try RowFinisher(options)
    } catch {
        throw SectionError(
            section.location(of: ParseParameters.timeFormat), error.message, help: error.help)
    }
}
