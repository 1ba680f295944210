import CShims

extension EventBatch {
    // MARK: New bytes

    /// Writes into the arena: `body` appends bytes; what it appended becomes a slot of `type`.
    ///
    /// - Returns: The slot, or `nil` when the arena is full or the text too long.
    public func makeSlot(_ type: FieldType, _ body: (inout ByteBuffer) -> Void) -> Slot? {
        let start = arena.count
        body(&arena)
        let length = arena.count - start
        guard arena.count <= Self.blockByteLimit, length <= Slot.lengthLimit else {
            arena.truncate(to: start)
            return nil
        }
        return Slot(type, offset: UInt32(start) | Slot.arenaBit, length: length)
    }

    /// A slot for a string of any content: malformed UTF-8 is replaced and counted.
    public func makeStringSlot(_ bytes: UnsafeRawBufferPointer) -> Slot? {
        guard let start = bytes.bindMemory(to: UInt8.self).baseAddress, !bytes.isEmpty else {
            return Slot(.plain, offset: 0, length: 0)
        }
        var replaced = 0
        let slot = makeSlot(.raw) { arena in
            replaced = appendRepairingUTF8(start, bytes.count, to: &arena)
        }
        replacedByteSequenceCount += replaced
        return slot
    }

    /// A slot for a string.
    public func makeStringSlot(_ string: String) -> Slot? {
        makeSlot(.raw) { $0.append(string) }
    }

    /// A slot for raw text that is already in the block: as it stands where it is well-formed,
    /// otherwise a repaired copy in the arena.
    @inline(__always)
    func textSlot(offset: Int, length: Int) -> Slot? {
        let start = UnsafePointer(block) + offset
        var seen: UInt32 = 0
        var special: UInt32 = 0
        var place = 0
        while place < length {
            var high: UInt32 = 0
            var mask = weir_string_mask16(start + place, &high)
            let rest = length &- place
            if rest < 16 {
                let keep: UInt32 = (1 &<< UInt32(truncatingIfNeeded: rest)) &- 1
                mask &= keep
                high &= keep
            }
            special |= mask
            seen |= high
            place &+= 16
        }
        if seen != 0, !isWellFormedUTF8(start, length) {
            return makeStringSlot(UnsafeRawBufferPointer(start: start, count: length))
        }
        return Slot(
            special == 0 ? .plain : .raw, offset: UInt32(truncatingIfNeeded: offset),
            length: length)
    }

    /// Appends a slot to the row under construction for text of the block (see ``textSlot``).
    public func makeTextSlot(offset: Int, length: Int) -> Slot? {
        precondition(
            offset >= 0 && length >= 0 && offset <= blockCount - length, "inside the block")
        return textSlot(offset: offset, length: length)
    }

    /// Appends a row of the given slots.
    /// - Returns: Whether there was room for its shape.
    @discardableResult
    public func appendRow(
        shape: Shape, slots values: [Slot], line: Int, ordinal: Int = 0, time: Timestamp
    ) -> Bool {
        precondition(values.count == shape.keys.count, "a slot per key")
        guard let index = index(of: shape) else { return false }
        let first = slotCount
        for slot in values { append(slot) }
        rows.append(
            Row(
                firstSlot: UInt32(first), shape: index, line: UInt32(truncatingIfNeeded: line),
                ordinal: UInt16(truncatingIfNeeded: ordinal), time: time))
        for column in columns.indices { columns[column].append(.absent) }
        return true
    }

    // MARK: Whole records, on the slow road

    /// A row's fields as they are now, decoded.
    public func record(row: Int) -> Record {
        var record = Record()
        let shape = shapes[Int(rows[row].shape)]
        for (index, key) in shape.keys.enumerated() {
            if let value = value(of: originalSlot(row: row, index: index)) { record[key] = value }
        }
        for column in columns {
            switch column[row].type {
            case .absent: break
            case .removed: record[column.key] = nil
            default:
                if let value = value(of: column[row]) { record[column.key] = value }
            }
        }
        return record
    }

    /// Puts a record in a row's place; the row keeps its line, time and identity.
    /// - Returns: Whether there was room.
    @discardableResult
    public func replace(row: Int, with record: Record) -> Bool {
        var values: [Slot] = []
        for (_, value) in record.fields {
            guard let slot = slot(for: value) else { return false }
            values.append(slot)
        }
        return replace(row: row, shape: Shape(record.fields.map(\.key)), slots: values)
    }

    /// Puts other fields in a row's place, a slot per key of the shape; `absent` leaves one out.
    ///
    /// The row keeps its line, time and identity.
    /// - Returns: Whether there was room.
    @discardableResult
    public func replace(row: Int, shape: Shape, slots values: [Slot]) -> Bool {
        precondition(values.count == shape.keys.count, "a slot per key")
        guard let index = index(of: shape) else { return false }
        rows[row].shape = index
        rows[row].firstSlot = UInt32(slotCount)
        rows[row].sourceLength = 0
        for slot in values { append(slot) }
        for column in columns.indices { columns[column][row] = .absent }
        return true
    }

    /// A slot that holds a value.
    public func slot(for value: Value) -> Slot? {
        switch value {
        case .null: return .null
        case .bool(let flag): return Slot(flag ? .yes : .no, offset: 0, length: 0)
        case .integer(let number):
            return makeSlot(.integer) { $0.append(decimal: Int(number)) }
        case .string(let text): return makeStringSlot(text)
        case .float, .number, .array, .object:
            let type: FieldType =
                switch value {
                case .array: .array
                case .object: .object
                case .number(let text)
                where text.utf8.allSatisfy({ $0 != 0x2e && $0 | 0x20 != 0x65 }):
                    .integer
                default: .float
                }
            return makeSlot(type) { JSONValueWriter.append(value, to: &$0) }
        }
    }

    /// Appends a row with the same fields, time and line, as another event of that line.
    /// - Returns: The new row.
    public func appendCopy(of row: Int, ordinal: UInt16) -> Int {
        var copy = rows[row]
        copy.ordinal = ordinal
        rows.append(copy)
        for column in columns.indices { columns[column].append(columns[column][row]) }
        return rows.count - 1
    }

    /// Takes over the bytes of another batch, so that its slots can stand in this one.
    /// - Returns: What turns the other's slots into this one's, or `nil` when there is no room.
    public func adopt(bytesOf other: EventBatch) -> AdoptedBytes? {
        let start = arena.count
        guard start + other.blockCount + other.arena.count <= Self.blockByteLimit else {
            return nil
        }
        arena.append(UnsafeRawBufferPointer(start: other.pointer(0), count: other.blockCount))
        let middle = arena.count
        arena.append(other.arena.bytes)
        return AdoptedBytes(
            blockStart: UInt32(truncatingIfNeeded: start),
            arenaStart: UInt32(truncatingIfNeeded: middle))
    }

    /// A copy that shares nothing, for a second road through other filters.
    public func copy() -> EventBatch {
        let copy = EventBatch(blockCapacity: max(blockCount, 64))
        copy.fillBlock(copying: UnsafeRawBufferPointer(start: block, count: blockCount))
        copy.tag = tag
        copy.origin = origin
        copy.lines = lines
        copy.unfinishedPosition = unfinishedPosition
        copy.rows = rows
        copy.shapes = shapes
        copy.columns = columns.map { $0.copy() }
        copy.arena.append(arena.bytes)
        copy.reserveSlots(slotCount)
        copy.slots.update(from: slots, count: slotCount)
        copy.slotCount = slotCount
        return copy
    }
}

/// Where the bytes of another batch begin in the arena of the one that took them over.
public struct AdoptedBytes: Sendable {
    let blockStart: UInt32
    let arenaStart: UInt32

    /// The other batch's slot as a slot of this one.
    @inline(__always)
    public func slot(_ slot: Slot) -> Slot {
        let start = slot.offset & Slot.arenaBit == 0 ? blockStart : arenaStart
        let offset = (slot.offset & ~Slot.arenaBit) &+ start
        return Slot(slot.type, offset: offset | Slot.arenaBit, length: slot.length)
    }
}
