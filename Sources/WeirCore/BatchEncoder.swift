// Hot path: every delivered event is written by this encoder.

/// Writes rows as JSON objects: untouched bytes are copied as they stand, only edits are encoded.
public struct BatchEncoder {
    /// A field that an edit column changes or adds, in the rows of one shape.
    private struct Change {
        /// The field's place in the shape.
        var index: Int
        /// The edits, one per row; without them the field is left out of every row.
        var edits: UnsafePointer<Slot>?
        /// `,"key":` of a field that the shape lacks.
        var key = UnsafeBufferPointer<UInt8>(start: nil, count: 0)

        @inline(__always)
        func edit(row: Int) -> Slot { edits.map { $0[row] } ?? .removed }
    }

    /// What to do with the rows of one shape. All of it is plain memory: references would be
    /// counted up and down in the loop over the rows.
    private struct Plan {
        /// A run of `changes`: first those of the shape's own fields, then those that it lacks.
        var start = 0
        var changedEnd = 0
        var addedEnd = 0
        /// The shape's keys as in ``Shape/encoded``.
        var keys: UnsafePointer<UInt8>
        var keyEnds: UnsafePointer<Int>
        var keyCount: Int
        var keysArePlain: Bool

        @inline(__always)
        func keyStart(_ index: Int) -> Int { index == 0 ? 0 : keyEnds[index &- 1] }
    }

    private let batch: EventBatch
    private let excludedKeys: [String]
    private var plans: [Plan?]
    private var changes: [Change] = []

    /// An encoder for one pass over a batch that does not change meanwhile; fields named in
    /// `excluding` are left out.
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
    @inline(__always)
    @discardableResult
    public mutating func appendMembers(row: Int, to buffer: inout ByteBuffer) -> Bool {
        let entry = batch.rows[row]
        let number = Int(entry.shape)
        let plan = plans[number] ?? makePlan(number)
        let start = buffer.count
        if entry.sourceLength > 0, plan.keysArePlain {
            appendSpliced(entry, row: row, plan, to: &buffer)
        } else if plan.changedEnd > plan.start || !appendReadySlots(entry, plan, to: &buffer) {
            appendSlots(entry, row: row, plan, to: &buffer)
        }
        for place in plan.changedEnd..<plan.addedEnd {
            let slot = changes[place].edit(row: row)
            guard slot.isPresent, let key = changes[place].key.baseAddress else { continue }
            let comma = buffer.count > start + 1 ? 0 : 1
            buffer.append(padded: key + comma, changes[place].key.count &- comma)
            appendValue(slot, to: &buffer)
        }
        return buffer.count > start + 1
    }

    @inline(never)
    private mutating func makePlan(_ number: Int) -> Plan {
        let shape = batch.shapes[number]
        var changed: [Change] = []
        var added: [Change] = []
        for key in excludedKeys {
            if let index = shape.index(of: key) { changed.append(Change(index: index)) }
        }
        for column in batch.columns where !excludedKeys.contains(column.key) {
            let edits = UnsafePointer(column.slots)
            if let index = shape.index(of: column.key) {
                changed.append(Change(index: index, edits: edits))
            } else {
                added.append(Change(index: .max, edits: edits, key: column.encodedKey))
            }
        }
        changed.sort { $0.index < $1.index }
        let plan = Plan(
            start: changes.count, changedEnd: changes.count + changed.count,
            addedEnd: changes.count + changed.count + added.count, keys: shape.encoded,
            keyEnds: shape.encodedEnds, keyCount: shape.keys.count,
            keysArePlain: shape.keysArePlain)
        changes += changed + added
        plans[number] = plan
        return plan
    }

    /// Copies the source text, with the edited members cut out or replaced.
    @inline(__always)
    private func appendSpliced(
        _ entry: Row, row: Int, _ plan: Plan, to buffer: inout ByteBuffer
    ) {
        let source = batch.pointer(entry.sourceOffset)
        let end = Int(entry.sourceLength) &- 1
        let base = Int(entry.sourceOffset & ~Slot.arenaBit)
        var copied = 0
        for place in plan.start..<plan.changedEnd {
            let change = changes[place]
            let edit = change.edit(row: row)
            if edit.type == .absent { continue }
            let slot = batch.slots[Int(entry.firstSlot) &+ change.index]
            let quote = slot.isString ? 1 : 0
            let valueStart = Int(slot.offset & ~Slot.arenaBit) &- base &- quote
            let valueEnd = valueStart &+ slot.length &+ quote &* 2
            if edit.type == .removed {
                let keyLength = plan.keyEnds[change.index] &- plan.keyStart(change.index)
                let memberStart = valueStart &- (keyLength &- 1)
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
        buffer.append(source + copied, end &- copied)
    }

    /// Writes every field from its slot, if each is ready for JSON as it stands.
    @inline(__always)
    private func appendReadySlots(
        _ entry: Row, _ plan: Plan, to buffer: inout ByteBuffer
    ) -> Bool {
        let slots = batch.slots + Int(entry.firstSlot)
        var length = plan.keyCount > 0 ? plan.keyEnds[plan.keyCount &- 1] : 0
        for index in 0..<plan.keyCount {
            if slots[index].type == .raw { return false }
            // Two quotes, or a word of at most five letters.
            length &+= slots[index].length &+ 5
        }
        buffer.appendInPlace(maximum: length &+ 1) { start in
            var out = start
            var keyStart = 0
            for index in 0..<plan.keyCount {
                let keyEnd = plan.keyEnds[index]
                let slot = slots[index]
                if slot.isPresent {
                    copyPadded(plan.keys + keyStart, keyEnd &- keyStart, to: &out)
                    write(slot, to: &out)
                }
                keyStart = keyEnd
            }
            // The first member's comma becomes the brace.
            start[0] = UInt8(ascii: "{")
            return max(1, out - start)
        }
        return true
    }

    /// Writes a value that is ready for JSON.
    @inline(__always)
    private func write(_ slot: Slot, to out: inout UnsafeMutablePointer<UInt8>) {
        switch slot.type {
        case .plain, .escaped, .raw:
            out[0] = UInt8(ascii: "\"")
            out += 1
            copyPadded(batch.pointer(slot.offset), slot.length, to: &out)
            out[0] = UInt8(ascii: "\"")
            out += 1
        case .integer, .float, .object, .array:
            copyPadded(batch.pointer(slot.offset), slot.length, to: &out)
        case .yes: copyPadded("true            ", 4, to: &out)
        case .no: copyPadded("false           ", 5, to: &out)
        case .null, .absent, .removed: copyPadded("null            ", 4, to: &out)
        }
    }

    /// Writes every field from its slot.
    @inline(__always)
    private func appendSlots(
        _ entry: Row, row: Int, _ plan: Plan, to buffer: inout ByteBuffer
    ) {
        let start = buffer.count
        let slots = batch.slots + Int(entry.firstSlot)
        var next = plan.start
        var keyStart = 0
        for index in 0..<plan.keyCount {
            let keyEnd = plan.keyEnds[index]
            defer { keyStart = keyEnd }
            var slot = slots[index]
            if next < plan.changedEnd, changes[next].index == index {
                let edit = changes[next].edit(row: row)
                if edit.type != .absent { slot = edit }
                next &+= 1
            }
            if !slot.isPresent { continue }
            buffer.append(padded: plan.keys + keyStart, keyEnd &- keyStart)
            appendValue(slot, to: &buffer)
        }
        // The first member's comma becomes the brace.
        if buffer.count > start {
            buffer.replace(byteAt: start, with: UInt8(ascii: "{"))
        } else {
            buffer.append(byte: UInt8(ascii: "{"))
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

/// Copies bytes that are readable 16 bytes beyond their end to where there is as much room more.
@inline(__always)
private func copyPadded(
    _ source: UnsafePointer<UInt8>, _ length: Int, to out: inout UnsafeMutablePointer<UInt8>
) {
    let from = UnsafeRawPointer(source)
    let to = UnsafeMutableRawPointer(out)
    var place = 0
    repeat {
        to.storeBytes(
            of: from.loadUnaligned(fromByteOffset: place, as: SIMD16<UInt8>.self),
            toByteOffset: place, as: SIMD16<UInt8>.self)
        place &+= 16
    } while place < length
    out += length
}

@inline(__always)
private func copyPadded(
    _ word: StaticString, _ length: Int, to out: inout UnsafeMutablePointer<UInt8>
) {
    copyPadded(word.utf8Start, length, to: &out)
}
