// Hot path: once per template of every event.
import WeirConfig
import WeirCore

/// The templates of a plan over one batch: constants are written once, fields are found once.
struct TemplateEvaluation: ~Copyable {
    /// Why a template has no value for an event.
    struct Failure: Error {
        var reason: String
    }

    private static let timeFormat = "%Y-%m-%d %H:%M:%S %z"
    private static let full = Failure(reason: "the batch has no room for the value")

    private let plan: TemplatePlan
    private let batch: EventBatch
    private let zone: TimeZone
    private var constants: [Slot]
    private var readers: [ColumnReader]
    private var scratch = ByteBuffer(capacity: 1024)
    private var timeText: (seconds: Int64, text: String, slot: Slot)?

    /// Looks at the batch as it is now: edits of columns made later are not seen.
    init?(_ plan: TemplatePlan, over batch: EventBatch, zone: TimeZone) {
        self.plan = plan
        self.batch = batch
        self.zone = zone
        readers = plan.fields.map { ColumnReader($0, in: batch) }
        constants = []
        for value in plan.constants {
            guard let slot = batch.slot(for: value) else { return nil }
            constants.append(slot)
        }
    }

    /// The value that a template has for a row.
    @inline(__always)
    mutating func slot(_ source: TemplatePlan.Source, row: Int) throws(Failure) -> Slot {
        switch source {
        case .constant(let index): return constants[index]
        case .field(let index):
            let slot = readers[index].slot(row: row, in: batch)
            return slot.isPresent ? slot : .null
        case .time: return try timeSlot(row: row)
        case .text(let index):
            scratch.truncate(to: 0)
            for piece in plan.texts[index] { try append(piece, row: row) }
            return try textSlot()
        case .way(let index): return try made(value(atEndOf: index, row: row))
        case .composed(let index): return try made(value(plan.trees[index], row: row))
        }
    }

    /// The key that a template makes for a row.
    mutating func key(_ key: TemplatePlan.Key, row: Int) throws(Failure) -> String {
        switch key {
        case .fixed(let name): return name
        case .made(let pieces): return try text(pieces, row: row)
        }
    }

    private mutating func text(
        _ pieces: [TemplatePlan.Piece], row: Int
    ) throws(Failure) -> String {
        scratch.truncate(to: 0)
        for piece in pieces { try append(piece, row: row) }
        return String(decoding: scratch.bytes, as: UTF8.self)
    }

    @inline(__always)
    private mutating func append(_ piece: TemplatePlan.Piece, row: Int) throws(Failure) {
        switch piece {
        case .text(let bytes): scratch.append(bytes)
        case .field(let index):
            batch.appendText(of: readers[index].slot(row: row, in: batch), to: &scratch)
        case .time:
            _ = try timeSlot(row: row)
            scratch.append(timeText?.text ?? "")
        case .way(let index): RubyText.append(try value(atEndOf: index, row: row), to: &scratch)
        }
    }

    /// What was written to `scratch`, as a slot.
    private func textSlot() throws(Failure) -> Slot {
        guard let slot = batch.makeSlot(.raw, { $0.append(scratch.bytes) }) else {
            throw Self.full
        }
        return slot
    }

    private func made(_ value: Value) throws(Failure) -> Slot {
        guard let slot = batch.slot(for: value) else { throw Self.full }
        return slot
    }

    /// The row's time as a text; events of one second share it.
    private mutating func timeSlot(row: Int) throws(Failure) -> Slot {
        let time = batch.rows[row].time
        if let timeText, timeText.seconds == time.seconds { return timeText.slot }
        let text = TimeFormat.text(of: time, format: Self.timeFormat, zone: zone)
        let slot = try made(.string(text))
        timeText = (time.seconds, text, slot)
        return slot
    }

    private mutating func value(atEndOf index: Int, row: Int) throws(Failure) -> Value {
        let way = plan.ways[index]
        let start = batch.value(of: readers[way.field].slot(row: row, in: batch))
        let found =
            way.isDug
            ? FieldLookup.dig(start, way.steps[...])
            : FieldLookup.subscripted(start, way.steps[...])
        if case .mistyped(let reason) = found {
            throw Failure(reason: "`\(way.text)` leads nowhere: \(reason)")
        }
        return found.value
    }

    private mutating func value(
        _ tree: TemplatePlan.Tree, row: Int
    ) throws(Failure) -> Value {
        switch tree {
        case .leaf(let source): return batch.value(of: try slot(source, row: row)) ?? .null
        case .array(let trees):
            var values: [Value] = []
            for tree in trees { values.append(try value(tree, row: row)) }
            return .array(values)
        case .object(let members):
            var record = Record()
            for (key, tree) in members {
                record[try text(key, row: row)] = try value(tree, row: row)
            }
            return .object(record)
        }
    }
}
