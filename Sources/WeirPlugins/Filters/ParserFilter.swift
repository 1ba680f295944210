import WeirConfig
import WeirCore
import WeirParse
import WeirPipeline

/// `@type parser`: reads one field of the record as a line of some format.
public final class ParserFilter: Filter {
    private enum P {
        static let keyName = Parameter.accessor("key_name", "The field that is read.")
        static let reserveData = Parameter.flag(
            "reserve_data", default: false, "Whether the other fields stay.")
        static let reserveTime = Parameter.flag(
            "reserve_time", default: false, "Whether the event's time stays.")
        static let removeKeyName = Parameter.flag(
            "remove_key_name_field", default: false, "Whether the field goes when it was read.")
        static let injectPrefix = Parameter.text(
            "inject_key_prefix", default: "", "What is put before the names of new fields.")
        static let hashField = Parameter.text(
            "hash_value_field", default: "", "A field that receives the new fields as an object.")
        static let replaceInvalid = Parameter.flag(
            "replace_invalid_sequence", default: false,
            "Accepted: bytes that are not UTF-8 are always replaced.")
        static let emitInvalid = Parameter.flag(
            "emit_invalid_record_to_error", default: true,
            "Whether a record that cannot be read goes to `@ERROR`.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "parser", "Reads one field of the record as a line of some format.",
        parameters: [
            AnyParameter(P.keyName), AnyParameter(P.reserveData), AnyParameter(P.reserveTime),
            AnyParameter(P.removeKeyName), AnyParameter(P.injectPrefix), AnyParameter(P.hashField),
            AnyParameter(P.replaceInvalid), AnyParameter(P.emitInvalid),
        ],
        sections: [
            SectionDeclaration(
                "parse", .required, family: .parser,
                parameters: [AnyParameter(Parameter.text("@type", "The form of the field."))],
                "How the field is read.")
        ],
        examples: [
            "<filter app.**>\n  @type parser\n  key_name log\n  reserve_data true\n"
                + "  <parse>\n    @type json\n  </parse>\n</filter>"
        ])

    private let accessor: RecordAccessor
    private let reservesData: Bool
    private let reservesTime: Bool
    private let removesField: Bool
    private let prefix: String
    private let hashField: String?
    private let emitsInvalid: Bool
    private let parser: any LineParser
    private let shapes = RecordShapes()
    private var result: EventBatch?

    /// A filter as a section describes it.
    public init(_ section: Section, hostName: String) throws(SectionError) {
        guard let parse = section.section("parse") else {
            throw SectionError(
                section.element.location, "`@type parser` needs a section `<parse>`",
                help: "add `<parse>` with `@type json`")
        }
        parser = try ParserCatalog.parser(parse)
        accessor = section[P.keyName]
        reservesData = section[P.reserveData]
        reservesTime = section[P.reserveTime]
        removesField = section[P.removeKeyName]
        prefix = section[P.injectPrefix]
        hashField = section[P.hashField].isEmpty ? nil : section[P.hashField]
        emitsInvalid = section[P.emitInvalid]
    }

    public func replacement(for batch: EventBatch) -> EventBatch? {
        defer { result = nil }
        return result
    }

    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        let (inner, origins) = read(batch, refused)
        let next = EventBatch(blockCapacity: 64)
        next.tag = batch.tag
        next.origin = batch.origin
        copyLines(of: batch, to: next)
        var events: [Int: Int] = [:]
        var failures: [Int: ParseFailure] = [:]
        for failure in inner.failures { failures[origins[Int(failure.line)].row] = failure.reason }
        var parsed: [Int: [Int]] = [:]
        for row in inner.rows.indices where !inner.rows[row].isDropped {
            parsed[origins[Int(inner.rows[row].line)].row, default: []].append(row)
        }
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            let line = Int(batch.rows[row].line)
            if let found = parsed[row] {
                for (index, place) in found.enumerated() {
                    let time = reservesTime ? batch.rows[row].time : inner.rows[place].time
                    let ordinal = Int(batch.rows[row].ordinal) + index + events[line, default: 0]
                    append(
                        merged(batch, row, inner.record(row: place)), to: next, line: line,
                        ordinal: ordinal, time: time)
                }
                events[line, default: 0] += found.count - 1
            } else if let origin = failures[row] {
                refuse(origin, row, batch, next, refused)
            } else if reservesData {
                append(
                    batch.record(row: row), to: next, line: line,
                    ordinal: Int(batch.rows[row].ordinal), time: batch.rows[row].time)
            }
        }
        result = next
    }

    /// Reads the field of every row as a line of a batch of its own.
    private func read(
        _ batch: EventBatch, _ refused: (_ row: Int, _ reason: String) -> Void
    ) -> (EventBatch, [(row: Int, length: Int)]) {
        var text = ByteBuffer(capacity: 4096)
        var origins: [(row: Int, length: Int)] = []
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            guard let value = accessor.value(in: batch.record(row: row)), value != .null else {
                if emitsInvalid { refused(row, "`\(accessor.text)` is missing") }
                continue
            }
            let start = text.count
            RubyText.append(value, to: &text)
            origins.append((row, text.count - start))
        }
        let inner = EventBatch(blockCapacity: max(text.count, 64))
        inner.fillBlock(copying: text.bytes)
        inner.tag = batch.tag
        var place = 0
        for origin in origins {
            inner.lines.append(
                Line(
                    offset: UInt32(truncatingIfNeeded: place),
                    length: UInt32(truncatingIfNeeded: origin.length), position: 0))
            place += origin.length
        }
        parser.parse(into: inner, now: batch.rows.first?.time ?? .epoch)
        return (inner, origins)
    }

    /// The lines stay those of the source, so that identities stay.
    private func copyLines(of batch: EventBatch, to next: EventBatch) {
        var bytes = ByteBuffer(capacity: 4096)
        var lines: [Line] = []
        for line in batch.lines {
            let start = bytes.count
            batch.withBytes(of: line) { bytes.append($0) }
            lines.append(
                Line(
                    offset: UInt32(truncatingIfNeeded: start), length: line.length,
                    position: line.position))
        }
        next.fillBlock(copying: bytes.bytes)
        next.lines = lines
    }

    private func refuse(
        _ failure: ParseFailure, _ row: Int, _ batch: EventBatch, _ next: EventBatch,
        _ refused: (_ row: Int, _ reason: String) -> Void
    ) {
        if emitsInvalid { refused(row, "`\(accessor.text)` does not parse: \(failure.rawValue)") }
        guard reservesData else { return }
        append(
            batch.record(row: row), to: next, line: Int(batch.rows[row].line),
            ordinal: Int(batch.rows[row].ordinal), time: batch.rows[row].time)
    }

    private func merged(_ batch: EventBatch, _ row: Int, _ found: Record) -> Record {
        var fields = found
        if !prefix.isEmpty {
            fields = Record(found.fields.map { (key: prefix + $0.key, value: $0.value) })
        }
        if let hashField { fields = [hashField: .object(fields)] }
        guard reservesData else { return fields }
        var record = batch.record(row: row)
        if removesField { accessor.remove(from: &record) }
        for (key, value) in fields.fields { record[key] = value }
        return record
    }

    private func append(
        _ record: Record, to next: EventBatch, line: Int, ordinal: Int, time: Timestamp
    ) {
        let slots = record.fields.map { next.slot(for: $0.value) ?? .null }
        next.appendRow(
            shape: shapes.shape(record.fields.map(\.key)), slots: slots, line: line,
            ordinal: ordinal, time: time)
    }
}

/// Shapes by their keys, so that equal records share one.
final class RecordShapes {
    private static let limit = 4096
    private var shapes: [[String]: Shape] = [:]

    /// The shape of these keys.
    func shape(_ keys: [String]) -> Shape {
        if let shape = shapes[keys] { return shape }
        if shapes.count >= Self.limit { shapes.removeAll() }
        let shape = Shape(keys)
        shapes[keys] = shape
        return shape
    }
}
