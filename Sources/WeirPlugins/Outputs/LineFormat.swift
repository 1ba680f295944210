import WeirConfig
import WeirCore
import WeirPipeline

/// How outputs that write lines write an event: Fluentd's `<format>`.
enum LineFormat: Sendable {
    /// `2026-11-24 09:20:39.123456789 +0000 tag: {…}`
    case stdout
    /// `2026-11-24T09:20:39+00:00 TAB tag TAB {…}`
    case outFile(delimiter: String, writesTag: Bool, writesTime: Bool)
    /// The record alone.
    case json
    /// One field alone.
    case singleValue(key: String, addsLineFeed: Bool)

    private enum P {
        static let messageKey = Parameter.text(
            "message_key", default: "message", "The field that is written.")
        static let addNewline = Parameter.flag(
            "add_newline", default: true, "Whether a line feed follows.")
        static let delimiter = Parameter.text(
            "delimiter", default: "\t", "What stands between time, tag and record.")
        static let outputTag = Parameter.flag(
            "output_tag", default: true, "Whether the tag is written.")
        static let outputTime = Parameter.flag(
            "output_time", default: true, "Whether the time is written.")
    }

    /// The formats that a `<format>` can name.
    static let declarations = [
        ComponentDeclaration(
            .formatter, type: "stdout", "Writes time, tag and record as Fluentd's console does."),
        ComponentDeclaration(
            .formatter, type: "out_file", "Writes time, tag and record between tabs.",
            parameters: [
                AnyParameter(P.delimiter), AnyParameter(P.outputTag), AnyParameter(P.outputTime),
            ]),
        ComponentDeclaration(.formatter, type: "json", "Writes the record as a JSON object."),
        ComponentDeclaration(
            .formatter, type: "single_value", "Writes one field.",
            parameters: [AnyParameter(P.messageKey), AnyParameter(P.addNewline)]),
    ]

    /// The `<format>` section of an output whose format is `fallback` when none is written.
    static func section(default fallback: String) -> SectionDeclaration {
        SectionDeclaration(
            "format", .optional, family: .formatter,
            parameters: [AnyParameter(Parameter.text("@type", default: fallback, "The format."))],
            "How an event is written.")
    }

    /// The format that a section describes.
    init(_ section: Section?, default fallback: LineFormat) {
        guard let section else {
            self = fallback
            return
        }
        switch section.type {
        case "json": self = .json
        case "single_value":
            self = .singleValue(key: section[P.messageKey], addsLineFeed: section[P.addNewline])
        case "out_file":
            let delimiters = ["SPACE": " ", "COMMA": ",", "TAB": "\t"]
            self = .outFile(
                delimiter: delimiters[section[P.delimiter].uppercased()] ?? section[P.delimiter],
                writesTag: section[P.outputTag], writesTime: section[P.outputTime])
        default: self = .stdout
        }
    }
}

/// Writes events as lines.
final class LineEncoder: ChunkEncoder {
    private let format: LineFormat
    private var encoder: BatchEncoder?
    private var reader: ColumnReader?

    init(_ format: LineFormat) {
        self.format = format
    }

    func begin(_ batch: EventBatch) {
        encoder = BatchEncoder(batch)
        if case .singleValue(let key, _) = format { reader = ColumnReader(key, in: batch) }
    }

    func append(row: Int, of batch: EventBatch, to buffer: inout ByteBuffer) -> String? {
        let time = batch.rows[row].time
        switch format {
        case .stdout:
            buffer.append(
                TimeFormat.text(of: time, format: "%Y-%m-%d %H:%M:%S.%N %z", zone: .local))
            buffer.append(byte: UInt8(ascii: " "))
            buffer.append(batch.tag)
            buffer.append(": ")
            encoder?.append(row: row, to: &buffer)
        case .outFile(let delimiter, let writesTag, let writesTime):
            if writesTime {
                buffer.append(
                    TimeFormat.text(of: time, format: "%Y-%m-%dT%H:%M:%S%:z", zone: .local))
                buffer.append(delimiter)
            }
            if writesTag {
                buffer.append(batch.tag)
                buffer.append(delimiter)
            }
            encoder?.append(row: row, to: &buffer)
        case .json: encoder?.append(row: row, to: &buffer)
        case .singleValue(_, let addsLineFeed):
            appendValue(row: row, of: batch, to: &buffer)
            if !addsLineFeed { return nil }
        }
        buffer.append(byte: 0x0a)
        return nil
    }

    private func appendValue(row: Int, of batch: EventBatch, to buffer: inout ByteBuffer) {
        guard let slot = reader?.slot(row: row, in: batch), let value = batch.value(of: slot) else {
            return
        }
        switch value {
        case .string(let text): buffer.append(text)
        case .null: break
        case .bool, .integer, .float, .number, .array, .object:
            JSONValueWriter.append(value, to: &buffer)
        }
    }
}
