// Hot path when logs are wrapped: once per event.
import WeirConfig
import WeirCore
import WeirHost
import WeirParse
import WeirPipeline

/// `@type parser`: reads the text of one field as a parser reads a line.
///
/// The texts of a batch are parsed together in a batch of their own, whose bytes are then taken
/// over; fields become edits, or new rows when the old record is not kept.
public final class ParserFilter: Filter {
    private enum Parameters {
        static let keyName = Parameter.accessor("key_name", "The field that holds the text.")
        static let reserveData = Parameter.flag(
            "reserve_data", default: false,
            "Whether the record's fields stay beside those of the text, also when it does not parse."
        )
        static let reserveTime = Parameter.flag(
            "reserve_time", default: false, "Whether the event keeps its time.")
        static let removeKeyName = Parameter.flag(
            "remove_key_name_field", default: false,
            "Whether the field is taken away when its text was parsed.")
        static let injectKeyPrefix = Parameter.text(
            "inject_key_prefix", default: "", "What is put before the names of the text's fields.")
        static let hashValueField = Parameter.text(
            "hash_value_field", default: "",
            "The field that receives the text's fields as an object.")
        static let replaceInvalid = Parameter.flag(
            "replace_invalid_sequence", default: false,
            "Whether bytes that are not UTF-8 become `?` instead of U+FFFD before parsing.")
        static let emitInvalid = Parameter.flag(
            "emit_invalid_record_to_error", default: true,
            "Whether events whose text does not parse go to `@ERROR`.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "parser", "Reads the text of one field as a parser reads a line.",
        parameters: [
            AnyParameter(Parameters.keyName), AnyParameter(Parameters.reserveData),
            AnyParameter(Parameters.reserveTime), AnyParameter(Parameters.removeKeyName),
            AnyParameter(Parameters.injectKeyPrefix), AnyParameter(Parameters.hashValueField),
            AnyParameter(Parameters.replaceInvalid), AnyParameter(Parameters.emitInvalid),
        ],
        sections: [
            SectionDeclaration("parse", .required, family: .parser, "How the text is read.")
        ],
        examples: [
            """
            <filter kubernetes.**>
              @type parser
              key_name log
              reserve_data true
              remove_key_name_field true
              <parse>
                @type json
              </parse>
            </filter>
            """
        ])

    /// Why a row's text gave no event.
    private enum Failure: Equatable {
        case missing
        case unmatched
        case notText
        case badTime
        case overLimit
    }

    private let way: RecordAccessor
    private let reservesData: Bool
    private let reservesTime: Bool
    private let removesField: Bool
    private let prefix: String
    private let hashField: String?
    private let replacesInvalid: Bool
    private let emitsInvalid: Bool
    private let estimatesTime: Bool
    /// The field that the parser takes the time from, unless it stays in the record.
    private let removedTimeKey: String?
    private let parser: any LineParser
    private let clock: @Sendable () -> Timestamp

    private let inner = EventBatch(blockCapacity: 64)
    private var texts = ByteBuffer(capacity: 4096)
    /// The row that each line of `inner` was taken from.
    private var rowOfLine: [Int] = []
    private var shapes: [[String]: Shape] = [:]

    /// A filter as its section describes it.
    /// - Parameter clock: The time of events whose texts do not tell theirs.
    public init(
        _ section: Section, hostName: String = "",
        clock: @escaping @Sendable () -> Timestamp = { SystemClock().now }
    ) throws(SectionError) {
        way = section[Parameters.keyName]
        reservesData = section[Parameters.reserveData]
        reservesTime = section[Parameters.reserveTime]
        removesField = section[Parameters.removeKeyName]
        prefix = section[Parameters.injectKeyPrefix]
        hashField =
            section.isSet(Parameters.hashValueField) ? section[Parameters.hashValueField] : nil
        replacesInvalid = section[Parameters.replaceInvalid]
        emitsInvalid = section[Parameters.emitInvalid]
        self.clock = clock
        guard let parse = section.section("parse") else {
            throw SectionError(
                section.element.location, "`@type parser` needs a section `<parse>`",
                help: "add `<parse>` … `</parse>` with the `@type` of a parser")
        }
        estimatesTime = parse.element["estimate_current_event"]?.value != .text("false")
        let keepsTimeKey = parse.element["keep_time_key"].map { $0.value != .text("false") }
        removedTimeKey =
            keepsTimeKey == true ? nil : parse.element["time_key"]?.value.string ?? "time"
        parser = try ParserCatalog.parser(parse)
    }

    /// Parses the field of every row.
    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        collectTexts(of: batch, refused: refused)
        guard !rowOfLine.isEmpty else { return }
        let now = clock()
        parser.parse(into: inner, now: now)
        for failure in inner.failures where !reservesTime || failure.reason != .badTime {
            let kind: Failure =
                switch failure.reason {
                case .unmatched: .unmatched
                case .badTime: .badTime
                case .overLimit: .overLimit
                }
            fail(rowOfLine[Int(failure.line)], kind, batch, refused)
        }
        if reservesTime { removeUnreadTimes() }
        guard let bytes = batch.adopt(bytesOf: inner) else {
            for entry in inner.rows where !entry.isDropped || reservesTime {
                fail(rowOfLine[Int(entry.line)], .overLimit, batch, refused)
            }
            return
        }
        merge(bytes, into: batch, now: now, refused: refused)
    }

    /// Removes times that could not be read, of which nobody asks when the event keeps its own.
    ///
    /// Parsers drop such rows, and no others.
    private func removeUnreadTimes() {
        guard let key = removedTimeKey else { return }
        for row in inner.rows.indices where inner.rows[row].isDropped {
            inner.edit(column: inner.editColumn(key), row: row, to: .removed)
        }
    }

    // MARK: Taking texts out

    /// Fills `inner` with a line per row that has a text.
    private func collectTexts(
        of batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void
    ) {
        inner.reset()
        inner.tag = batch.tag
        texts.truncate(to: 0)
        rowOfLine.removeAll(keepingCapacity: true)
        guard case .key(let key)? = way.steps.first else { return }
        var reader = ColumnReader(key, in: batch)
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            let start = texts.count
            let slot = reader.slot(row: row, in: batch)
            if let failure = appendText(slot, batch) {
                fail(row, failure, batch, refused)
                continue
            }
            guard texts.count < EventBatch.blockByteLimit else {
                texts.truncate(to: start)
                fail(row, .overLimit, batch, refused)
                continue
            }
            inner.lines.append(
                Line(
                    offset: UInt32(truncatingIfNeeded: start),
                    length: UInt32(truncatingIfNeeded: texts.count - start),
                    position: batch.lines[Int(batch.rows[row].line)].position))
            rowOfLine.append(row)
            texts.append(byte: 0x0a)
        }
        inner.fillBlock(copying: texts.bytes)
    }

    /// Appends the field's text to `texts`, or says why there is none.
    private func appendText(_ slot: Slot, _ batch: EventBatch) -> Failure? {
        let start = texts.count
        if way.steps.count > 1 {
            let found = FieldLookup.dig(batch.value(of: slot), way.steps.dropFirst())
            switch found.value {
            case .string(let text): texts.append(text)
            case .null: return .missing
            case .bool, .integer, .float, .number, .array: return .notText
            case .object: return .unmatched
            }
        } else {
            switch slot.type {
            case .plain, .raw: batch.withText(slot) { texts.append($0) }
            case .escaped: batch.appendText(of: slot, to: &texts)
            case .absent, .removed, .null: return .missing
            case .yes, .no, .integer, .float, .array: return .notText
            case .object: return .unmatched
            }
        }
        if replacesInvalid { replaceReplacements(from: start) }
        return nil
    }

    /// Makes `?` of every U+FFFD, which is what malformed bytes became when they were read.
    private func replaceReplacements(from start: Int) {
        let text = String(
            decoding: UnsafeRawBufferPointer(rebasing: texts.bytes[start...]), as: UTF8.self)
        guard text.unicodeScalars.contains("\u{FFFD}") else { return }
        texts.truncate(to: start)
        for scalar in text.unicodeScalars {
            texts.append(scalar == "\u{FFFD}" ? "?" : String(scalar))
        }
    }

    private func fail(
        _ row: Int, _ failure: Failure, _ batch: EventBatch,
        _ refused: (_ row: Int, _ reason: String) -> Void
    ) {
        if emitsInvalid { refused(row, reason(failure)) }
        guard reservesData else { return batch.drop(row: row) }
        guard let hashField, failure == .unmatched || failure == .missing else { return }
        let column = batch.editColumn(hashField)
        if let empty = batch.slot(for: .object(Record())) {
            batch.edit(column: column, row: row, to: empty)
        }
    }

    private func reason(_ failure: Failure) -> String {
        switch failure {
        case .missing: "there is no `\(way.text)`"
        case .unmatched: "the text of `\(way.text)` does not have the parser's form"
        case .notText: "`\(way.text)` is not a text"
        case .badTime: "the time in the text of `\(way.text)` cannot be read"
        case .overLimit: "the text of `\(way.text)` is beyond the parser's limits"
        }
    }

    // MARK: Putting fields in

    /// The fields of the parsed rows of one shape.
    private struct Fields {
        var readers: [ColumnReader]
        /// Their names with the prefix, as a shape and as edit columns.
        var shape: Shape
        var columns: [Int]
    }

    private func merge(
        _ bytes: AdoptedBytes, into batch: EventBatch, now: Timestamp,
        refused: (_ row: Int, _ reason: String) -> Void
    ) {
        var encoder = BatchEncoder(inner)
        var removal = FieldRemoval(removesField && reservesData ? [way] : [], from: batch)
        let hashColumn = reservesData ? hashField.map(batch.editColumn) : nil
        var fields: [Fields?] = Array(repeating: nil, count: inner.shapes.count)
        var slots: [Slot] = []
        let targets = targets(in: batch)
        for row in inner.rows.indices where !inner.rows[row].isDropped || reservesTime {
            let entry = inner.rows[row]
            let target = targets[row]
            let isTold = estimatesTime || entry.time != now
            if !reservesTime, isTold { batch.setTime(entry.time, row: target) }
            if let hashField {
                guard let object = objectSlot(row, &encoder, batch) else {
                    batch.drop(row: target)
                    refused(target, reason(.overLimit))
                    continue
                }
                removal.apply(to: batch, row: target)
                if let hashColumn {
                    batch.edit(column: hashColumn, row: target, to: object)
                } else {
                    batch.replace(row: target, shape: shape([hashField]), slots: [object])
                }
                continue
            }
            let index = Int(entry.shape)
            if fields[index] == nil { fields[index] = makeFields(inner.shapes[index], batch) }
            slots.removeAll(keepingCapacity: true)
            for place in fields[index]?.readers.indices ?? 0..<0 {
                slots.append(
                    bytes.slot(
                        fields[index]?.readers[place].slot(row: row, in: inner) ?? .absent))
            }
            guard let found = fields[index] else { continue }
            removal.apply(to: batch, row: target)
            if reservesData {
                for (column, slot) in zip(found.columns, slots) where slot.isPresent {
                    batch.edit(column: column, row: target, to: slot)
                }
            } else {
                batch.replace(row: target, shape: found.shape, slots: slots)
            }
        }
    }

    private func makeFields(_ shape: Shape, _ batch: EventBatch) -> Fields {
        let known = Set(shape.keys)
        let added = inner.columns.map(\.key).filter { !known.contains($0) }
        let names = shape.keys + added
        let prefixed = prefix.isEmpty ? names : names.map { prefix + $0 }
        return Fields(
            readers: names.map { ColumnReader($0, in: inner) }, shape: self.shape(prefixed),
            columns: reservesData ? prefixed.map(batch.editColumn) : [])
    }

    private func shape(_ names: [String]) -> Shape {
        if let shape = shapes[names] { return shape }
        // Beyond this the texts do not have formats but random keys.
        if shapes.count >= 256 { shapes.removeAll(keepingCapacity: true) }
        let shape = Shape(names)
        shapes[names] = shape
        return shape
    }

    /// A parsed row's fields as one object.
    private func objectSlot(
        _ row: Int, _ encoder: inout BatchEncoder, _ batch: EventBatch
    ) -> Slot? {
        guard !prefix.isEmpty else {
            texts.truncate(to: 0)
            encoder.append(row: row, to: &texts)
            return batch.makeSlot(.object) { $0.append(texts.bytes) }
        }
        var record = Record()
        for field in inner.record(row: row).fields { record[prefix + field.key] = field.value }
        return batch.slot(for: .object(record))
    }

    /// The row that each parsed event belongs into: its text's, and copies of it for the further
    /// events of one text.
    private func targets(in batch: EventBatch) -> [Int] {
        var targets: [Int] = []
        targets.reserveCapacity(inner.rows.count)
        var line: UInt32?
        var ordinal = UInt16.max
        for entry in inner.rows {
            let row = rowOfLine[Int(entry.line)]
            if entry.line != line {
                line = entry.line
                ordinal = UInt16.max
                targets.append(row)
            } else {
                // Counted from the other end, so that no event of the block's line has the number.
                targets.append(batch.appendCopy(of: row, ordinal: ordinal))
                ordinal = ordinal > 0 ? ordinal - 1 : ordinal
            }
        }
        return targets
    }
}
