// Hot path: every delivered event is written by this encoder.

/// Writes rows as JSON objects: untouched bytes are copied as they stand, only edits are encoded.
public struct BatchEncoder {
    /// What to do with the rows of one shape.
    private struct Plan {
        /// Slots that an edit column touches, by place.
        var touched: [(index: Int, column: Int)] = []
        /// Edit columns of fields that the shape does not have.
        var appended: [Int] = []
        /// Places of fields to leave out.
        var excluded: Set<Int> = []
    }

    private let batch: EventBatch
    private let excludedKeys: [String]
    private var plans: [Plan?]

    /// An encoder for one pass over a batch; fields named in `excluding` are left out.
    public init(_ batch: EventBatch, excluding excludedKeys: [String] = []) {
        self.batch = batch
        self.excludedKeys = excludedKeys
        plans = Array(repeating: nil, count: batch.shapes.count)
    }

    /// Appends a row as a JSON object.
    public mutating func append(row: Int, to buffer: inout ByteBuffer) {
        appendMembers(row: row, to: &buffer)
        buffer.append(byte: UInt8(ascii: "}"))
    }

    /// Appends a row's object without its closing brace, so that the caller may add members.
    /// - Returns: Whether the object has a member so far, and the next one needs a comma.
    @discardableResult
    public mutating func appendMembers(row: Int, to buffer: inout ByteBuffer) -> Bool {
        let entry = batch.rows[row]
        let shape = batch.shapes[Int(entry.shape)]
        if plans[Int(entry.shape)] == nil { plans[Int(entry.shape)] = makePlan(shape) }
        guard let plan = plans[Int(entry.shape)] else { return false }
        let start = buffer.count
        if entry.sourceLength > 0, shape.keysArePlain, plan.excluded.isEmpty {
            appendSpliced(entry, row: row, shape, plan, to: &buffer)
        } else {
            appendSlots(entry, row: row, shape, plan, to: &buffer)
        }
        for column in plan.appended {
            let slot = batch.columns[column].slots[row]
            guard slot.isPresent else { continue }
            if buffer.count > start + 1 { buffer.append(byte: UInt8(ascii: ",")) }
            buffer.append(batch.columns[column].encodedKey)
            appendValue(slot, to: &buffer)
        }
        return buffer.count > start + 1
    }

    private func makePlan(_ shape: Shape) -> Plan {
        var plan = Plan()
        for (number, column) in batch.columns.enumerated() where !excludedKeys.contains(column.key)
        {
            if let index = shape.index(of: column.key) {
                plan.touched.append((index, number))
            } else {
                plan.appended.append(number)
            }
        }
        plan.touched.sort { $0.index < $1.index }
        for key in excludedKeys {
            if let index = shape.index(of: key) { plan.excluded.insert(index) }
        }
        return plan
    }

    /// Copies the source text, with the edited members cut out or replaced.
    @inline(__always)
    private func appendSpliced(
        _ entry: Row, row: Int, _ shape: Shape, _ plan: Plan, to buffer: inout ByteBuffer
    ) {
        let source = batch.pointer(entry.sourceOffset)
        let end = Int(entry.sourceLength) &- 1
        var copied = 0
        if !plan.touched.isEmpty {
            let base = Int(entry.sourceOffset & ~Slot.arenaBit)
            for (index, column) in plan.touched {
                let edit = batch.columns[column].slots[row]
                if edit.type == .absent { continue }
                let slot = batch.slots[Int(entry.firstSlot) &+ index]
                let quote = slot.isString ? 1 : 0
                let valueStart = Int(slot.offset & ~Slot.arenaBit) &- base &- quote
                let valueEnd = valueStart &+ slot.length &+ quote &* 2
                if edit.type == .removed {
                    let memberStart = valueStart &- shape.keys[index].utf8.count &- 3
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
        _ entry: Row, row: Int, _ shape: Shape, _ plan: Plan, to buffer: inout ByteBuffer
    ) {
        buffer.append(byte: UInt8(ascii: "{"))
        var separated = true
        var touched = 0
        var keyStart = 0
        let slots = batch.slots + Int(entry.firstSlot)
        shape.encoded.withUnsafeBufferPointer { encoded in
            guard let keys = encoded.baseAddress else { return }
            for index in shape.encodedEnds.indices {
                let keyEnd = shape.encodedEnds[index]
                defer { keyStart = keyEnd }
                var slot = slots[index]
                if touched < plan.touched.count, plan.touched[touched].index == index {
                    let edit = batch.columns[plan.touched[touched].column].slots[row]
                    if edit.type != .absent { slot = edit }
                    touched &+= 1
                }
                if !slot.isPresent { continue }
                if !plan.excluded.isEmpty, plan.excluded.contains(index) { continue }
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
