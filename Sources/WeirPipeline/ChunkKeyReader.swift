import WeirConfig
import WeirCore

/// Reads the chunk keys of a buffer from events.
struct ChunkKeyReader {
    private let keyedByTag: Bool
    private let slotSeconds: Int64?
    private let slotZone: TimeZone
    private let fields: [RecordAccessor]
    private var readers: [ColumnReader] = []
    /// The key of every row, where it does not depend on the row.
    private(set) var constant: ChunkKey?

    init(options: BufferOptions) {
        keyedByTag = options.keyedByTag
        slotSeconds = options.timeSlotSeconds.flatMap { $0 > 0 ? $0 : nil }
        slotZone = options.timeSlotZone
        fields = options.keyedByFields.map { text in
            (try? ValueText.accessor(text)) ?? RecordAccessor(key: text)
        }
    }

    /// Before the first row of a batch.
    mutating func begin(_ batch: EventBatch) {
        readers = fields.map { field in
            guard case .key(let key)? = field.steps.first else {
                return ColumnReader("", in: batch)
            }
            return ColumnReader(key, in: batch)
        }
        constant = nil
        if slotSeconds == nil, fields.isEmpty {
            constant = ChunkKey(tag: keyedByTag ? batch.tag : nil)
        }
    }

    /// The key of one row.
    mutating func key(row: Int, in batch: EventBatch) -> ChunkKey {
        if let constant { return constant }
        var key = ChunkKey(tag: keyedByTag ? batch.tag : nil)
        if let slotSeconds {
            key.timeSlot = slotStart(batch.rows[row].time.seconds, slotSeconds)
        }
        for index in readers.indices {
            let slot = readers[index].slot(row: row, in: batch)
            key.fields.append(
                fields[index].topLevelKey != nil
                    ? text(slot, in: batch) : text(fields[index].value(below: slot, in: batch)))
        }
        return key
    }

    private func slotStart(_ seconds: Int64, _ length: Int64) -> Int64 {
        let offset = Int64(slotZone.offsetSeconds(at: Timestamp(seconds: seconds)))
        let (local, overflow) = seconds.addingReportingOverflow(offset)
        if overflow { return seconds }
        let rest = local % length
        return seconds &- (rest < 0 ? rest &+ length : rest)
    }

    private func text(_ value: Value?) -> String? {
        switch value {
        case nil, .null: nil
        case .string(let text): text
        case .some(let value): JSONValueWriter.text(value)
        }
    }

    private func text(_ slot: Slot, in batch: EventBatch) -> String? {
        switch slot.type {
        case .absent, .removed, .null: return nil
        case .escaped, .plain, .raw:
            if case .string(let text)? = batch.value(of: slot) { return text }
            return nil
        case .yes: return "true"
        case .no: return "false"
        case .integer, .float, .object, .array:
            return batch.withText(slot) { String(decoding: $0, as: UTF8.self) }
        }
    }
}

extension RecordAccessor {
    /// The value behind all steps but the first, of a field's slot.
    fileprivate func value(below slot: Slot, in batch: EventBatch) -> Value? {
        guard slot.isPresent, case .key(let key)? = steps.first, let value = batch.value(of: slot)
        else { return nil }
        return self.value(in: [key: value])
    }
}
