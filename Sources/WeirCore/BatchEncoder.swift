// Hot path: every delivered event is written by this encoder.

/// Writes rows as JSON objects: untouched bytes are copied as they stand, only edits are encoded.
public struct BatchEncoder {
    /// A field that an edit column changes or adds, in the rows of one shape.
    private struct Change {
        /// The field's place in the shape; beyond all places for a field that the shape lacks.
        var index: Int
        /// The edits, one per row; without them the field is left out of every row.
        var edits: UnsafePointer<Slot>?
        /// The column's number.
        var column: Int

        @inline(__always)
        func edit(row: Int) -> Slot { edits.map { $0[row] } ?? .removed }
    }

    /// What to do with the rows of one shape: a run of `changes`, first those of its own fields.
    private struct Plan {
        var start = 0
        var changedEnd = 0
        var addedEnd = 0
        var isMade = false
    }

    private let batch: EventBatch
    private let excludedKeys: [String]
    private var plans: [Plan]
    private var changes: [Change] = []

    /// An encoder for one pass over a batch that does not change meanwhile; fields named in
    /// `excluding` are left out.
    public init(_ batch: EventBatch, excluding excludedKeys: [String] = []) {
        self.batch = batch
        self.excludedKeys = excludedKeys
        plans = Array(repeating: Plan(), count: batch.shapes.count)
    }

    /// Appends a row as a JSON object.
    public mutating func append(row: Int, to buffer: inout ByteBuffer) {
        appendMembers(row: row, to: &buffer)
        buffer.append(byte: UInt8(ascii: "}"))
    }

    /// Appends a row's object without its closing brace, so that the caller may add members.
    /// - Returns: Whether the object has a member so far, and the next one needs a comma.
    @inline(__always)
    @discardableResult
    public mutating func appendMembers(row: Int, to buffer: inout ByteBuffer) -> Bool {
        let entry = batch.rows[row]
        let number = Int(entry.shape)
        if !plans[number].isMade { makePlan(number) }
        let plan = plans[number]
        let start = buffer.count
        if entry.sourceLength > 0, batch.shapes[number].keysArePlain {
            appendSpliced(entry, row: row, plan, to: &buffer)
        } else {
            appendSlots(entry, row: row, plan, to: &buffer)
        }
        for place in plan.changedEnd..<plan.addedEnd {
            let slot = changes[place].edit(row: row)
            guard slot.isPresent else { continue }
            if buffer.count > start + 1 { buffer.append(byte: UInt8(ascii: ",")) }
            batch.columns[changes[place].column].appendKey(to: &buffer)
            appendValue(slot, to: &buffer)
        }
        return buffer.count > start + 1
    }

    @inline(never)
    private mutating func makePlan(_ number: Int) {
        let shape = batch.shapes[number]
        var changed: [Change] = []
        var added: [Change] = []
        for key in excludedKeys {
            if let index = shape.index(of: key) {
                changed.append(Change(index: index, edits: nil, column: -1))
            }
        }
        for (number, column) in batch.columns.enumerated() where !excludedKeys.contains(column.key)
        {
            let index = shape.index(of: column.key)
            let change = Change(
                index: index ?? .max, edits: UnsafePointer(column.slots), column: number)
            if index == nil { added.append(change) } else { changed.append(change) }
        }
        changed.sort { $0.index < $1.index }
        plans[number] = Plan(
            start: changes.count, changedEnd: changes.count + changed.count,
            addedEnd: changes.count + changed.count + added.count, isMade: true)
        changes += changed + added
    }

    /// Copies the source text, with the edited members cut out or replaced.
    @inline(__always)
    private func appendSpliced(
        _ entry: Row, row: Int, _ plan: Plan, to buffer: inout ByteBuffer
    ) {
        let source = batch.pointer(entry.sourceOffset)
        let end = Int(entry.sourceLength) &- 1
        var copied = 0
        if plan.changedEnd > plan.start {
            let base = Int(entry.sourceOffset & ~Slot.arenaBit)
            for place in plan.start..<plan.changedEnd {
                let change = changes[place]
                let edit = change.edit(row: row)
                if edit.type == .absent { continue }
                let slot = batch.slots[Int(entry.firstSlot) &+ change.index]
                let quote = slot.isString ? 1 : 0
                let valueStart = Int(slot.offset & ~Slot.arenaBit) &- base &- quote
                let valueEnd = valueStart &+ slot.length &+ quote &* 2
                if edit.type == .removed {
                    let key = batch.shapes[Int(entry.shape)].keys[change.index]
                    let memberStart = valueStart &- key.utf8.count &- 3
                    buffer.append(source + copied, memberStart &- copied)
                    copied = valueEnd
                    if source[copied] == UInt8(ascii: ",") {
                        copied &+= 1
                    } else if buffer.last == UInt8(ascii: ",") {
                        buffer.removeLast()
                    }
                } else {
                    buffer.append(source + copied, valueStart &- copied)
                    appendValue(edit, to: &buffer)
                    copied = valueEnd
                }
            }
        }
        buffer.append(source + copied, end &- copied)
    }

    /// Writes every field from its slot.
    @inline(__always)
    private func appendSlots(
        _ entry: Row, row: Int, _ plan: Plan, to buffer: inout ByteBuffer
    ) {
        buffer.append(byte: UInt8(ascii: "{"))
        var separated = true
        var next = plan.start
        var keyStart = 0
        let shape = batch.shapes[Int(entry.shape)]
        let slots = batch.slots + Int(entry.firstSlot)
        shape.encoded.withUnsafeBufferPointer { encoded in
            guard let keys = encoded.baseAddress else { return }
            for index in shape.encodedEnds.indices {
                let keyEnd = shape.encodedEnds[index]
                defer { keyStart = keyEnd }
                var slot = slots[index]
                if next < plan.changedEnd, changes[next].index == index {
                    let edit = changes[next].edit(row: row)
                    if edit.type != .absent { slot = edit }
                    next &+= 1
                }
                if !slot.isPresent { continue }
                if !separated { buffer.append(byte: UInt8(ascii: ",")) }
                separated = false
                buffer.append(padded: keys + keyStart, keyEnd &- keyStart)
                appendValue(slot, to: &buffer)
            }
        }
    }

    /// Appends a value as JSON.
    @inline(__always)
    public func appendValue(_ slot: Slot, to buffer: inout ByteBuffer) {
        switch slot.type {
        case .plain, .escaped:
            buffer.append(byte: UInt8(ascii: "\""))
            buffer.append(padded: batch.pointer(slot.offset), slot.length)
            buffer.append(byte: UInt8(ascii: "\""))
        case .raw:
            buffer.append(byte: UInt8(ascii: "\""))
            appendEscaped(batch.pointer(slot.offset), slot.length, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        case .integer, .float, .object, .array:
            buffer.append(padded: batch.pointer(slot.offset), slot.length)
        case .yes: buffer.append("true")
        case .no: buffer.append("false")
        case .null, .absent, .removed: buffer.append("null")
        }
    }
}
