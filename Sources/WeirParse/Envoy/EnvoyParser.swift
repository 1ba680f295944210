// Hot path: once per log line.
import WeirConfig
import WeirCore

/// `@type envoy`: Envoy's access log, in text of any format or in JSON.
public final class EnvoyParser: LineParser {
    private enum Parameters {
        static let format = Parameter.text(
            "format", default: "",
            "Envoy's own format string, or `istio` or `envoy` for their default formats; without "
                + "it each line is recognized as JSON or one of the two.")
        static let omitsEmpty = Parameter.flag(
            "omit_empty_values", default: false,
            "Whether Envoy has `omit_empty_values` set: a missing value leaves nothing, not `-`.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .parser, type: "envoy",
        "Reads Envoy's access log: JSON, Istio's and Envoy's default text, or any format string. "
            + "Text gives the same records as Istio's JSON; the time is that of `start_time`.",
        parameters: [AnyParameter(Parameters.format), AnyParameter(Parameters.omitsEmpty)]
            + ParseParameters.all,
        ignored: ParseParameters.ignored,
        examples: [
            "<parse>\n  @type envoy\n</parse>",
            "<parse>\n  @type envoy\n"
                + "  format \"[%START_TIME%] %RESPONSE_CODE% %DURATION% \\\"%REQ(USER-AGENT)%\\\"\\n\"\n"
                + "</parse>",
        ])

    /// Most places of ambiguous lines that are kept.
    public static let ambiguousPositionLimit = 1000

    /// Lines that could be read in several ways, of which the likeliest was taken.
    public private(set) var ambiguousLineCount = 0
    /// Where the first such lines began in their source.
    public private(set) var ambiguousPositions: [UInt64] = []

    private let readers: [EnvoyTextReader]
    private let scanner: JSONLineScanner?
    private let finisher: RowFinisher

    /// A parser as a `<parse>` describes it.
    public init(_ section: Section) throws(SectionError) {
        let text = section[Parameters.format]
        let omitsEmpty = section[Parameters.omitsEmpty]
        let names: [String: [String]] = [
            "": [EnvoyFormat.istioText, EnvoyFormat.envoyText],
            "istio": [EnvoyFormat.istioText], "envoy": [EnvoyFormat.envoyText],
        ]
        var readers: [EnvoyTextReader] = []
        do throws(EnvoyFormatError) {
            for format in names[text] ?? [text] {
                readers.append(
                    EnvoyTextReader(try EnvoyFormat(format, omittingEmptyValues: omitsEmpty)))
            }
        } catch {
            throw SectionError(
                section.location(of: Parameters.format), error.message, help: error.help)
        }
        self.readers = readers
        scanner = names[text] == nil ? nil : JSONLineScanner()
        var options = try ParseOptions(section, defaultTimeKey: "start_time")
        if !section.isSet(ParseParameters.keepTimeKey) { options.keepsTimeKey = true }
        let tellsTime =
            [ParseParameters.timeKey, ParseParameters.timeFormat]
            .contains { section.isSet($0) } || section.isSet(ParseParameters.timeType)
        if !tellsTime {
            let timed = readers.flatMap(\.format.fields).first { $0.timeFormat != nil }
            options.timeKey = timed?.name
            options.timeFormat = timed?.timeFormat
            // Envoy writes its times in UTC, or says how far they are from it.
            if !section.isSet(ParseParameters.timeZone), !section.isSet(ParseParameters.localTime) {
                options.zone = .utc
            }
            // A log's JSON format may write its times in another form: no reason to lose the line.
            options.keepsUnreadableTimes = true
        }
        finisher = try makeFinisher(options, section)
    }

    /// The formats that text lines are read by.
    public var formats: [EnvoyFormat] { readers.map(\.format) }

    /// Reads every line into rows, or notes why it gave none (``LineParser/parse(into:now:)``).
    public func parse(into batch: EventBatch, now: Timestamp) {
        let first = batch.rows.count
        var index = 0
        // Held here once, not once per line.
        let (scanner, readers) = (scanner, readers)
        while index < batch.lines.count {
            index += read(line: index, batch, now, scanner, readers)
        }
        finisher.finish(batch, from: first, now: now)
    }

    /// Reads the record that begins with a line.
    /// - Returns: How many lines it takes.
    @inline(__always)
    private func read(
        line index: Int, _ batch: EventBatch, _ now: Timestamp, _ scanner: JSONLineScanner?,
        _ readers: [EnvoyTextReader]
    ) -> Int {
        let line = batch.lines[index]
        if let scanner, line.length > 0,
            batch.withBytes(of: line, { $0[0] }) == UInt8(ascii: "{")
        {
            scanner.scan(line: index, into: batch, time: now)
            return 1
        }
        // Envoy's own format ends in a quote, Istio's hardly ever: so few lines are tried twice.
        let endsInQuote =
            line.length > 0
            && batch.withBytes(of: line) { $0[$0.count - 1] } == UInt8(ascii: "\"")
        for number in readers.indices {
            let reader = readers[endsInQuote ? readers.count - 1 - number : number]
            switch reader.read(line: index, batch, now) {
            case .unmatched: continue
            case .matched: return 1
            case .ambiguous:
                noteAmbiguous(line)
                return 1
            }
        }
        if let reader = readers.first, reader.spansLines {
            return readJoined(line: index, reader, batch, now)
        }
        batch.appendFailure(line: index, .unmatched)
        return 1
    }

    /// Reads a record of several lines.
    @inline(never)
    private func readJoined(
        line index: Int, _ reader: EnvoyTextReader, _ batch: EventBatch, _ now: Timestamp
    ) -> Int {
        let first = batch.lines[index]
        for count in 2...EnvoyFormat.lineLimit {
            guard index + count <= batch.lines.count else {
                // The rest may not be written yet. A batch of nothing else would be read for ever.
                if index > 0 {
                    batch.unfinishedPosition = first.position
                    batch.lines.removeSubrange(index...)
                    return 0
                }
                break
            }
            let last = batch.lines[index + count - 1]
            guard last.offset > first.offset, last.position &- first.position < 1 << 24,
                last.position &- first.position == UInt64(last.offset - first.offset)
            else { break }
            batch.lines[index].length = last.offset + last.length - first.offset
            let outcome = reader.read(line: index, batch, now)
            if outcome == .ambiguous { noteAmbiguous(first) }
            if outcome != .unmatched { return count }
        }
        batch.lines[index].length = first.length
        batch.appendFailure(line: index, .unmatched)
        return 1
    }

    private func noteAmbiguous(_ line: Line) {
        ambiguousLineCount += 1
        if ambiguousPositions.count < Self.ambiguousPositionLimit {
            ambiguousPositions.append(line.position)
        }
    }
}
