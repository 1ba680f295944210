import CShims

/// How text that is not valid UTF-8 is read.
public enum MalformedText: Sendable {
    /// Each malformed part becomes U+FFFD.
    case replaced
    /// Each byte of the whole text is read as one character, as Envoy does when it writes JSON.
    case latin1
}

extension EventBatch {
    /// A slot for text of the block of which a malformed one is read in a way of its own.
    ///
    /// Text that is not valid UTF-8 is counted in ``replacedByteSequenceCount`` either way.
    /// - Returns: `nil` when a repaired copy has no room in the batch.
    public func makeTextSlot(
        offset: Int, length: Int, malformed: MalformedText
    ) -> Slot? {
        precondition(
            offset >= 0 && length >= 0 && offset <= blockCount - length, "inside the block")
        let text = UnsafePointer(block) + offset
        if malformed == .replaced || isWellFormedUTF8(text, length) {
            return textSlot(offset: offset, length: length)
        }
        replacedByteSequenceCount += 1
        return makeSlot(.raw) { arena in
            for place in 0..<length {
                let byte = text[place]
                if byte < 0x80 {
                    arena.append(byte: byte)
                } else {
                    arena.append(byte: 0xc0 | byte >> 6)
                    arena.append(byte: 0x80 | byte & 0x3f)
                }
            }
        }
    }

    /// Appends a row of which raw slots of the block are text as it came: text that JSON need not
    /// escape becomes plain, malformed text is repaired.
    /// - Returns: Whether there was room.
    public func appendTextRow(
        shape: Shape, slots values: [Slot], line: Int, ordinal: Int, time: Timestamp,
        malformed: MalformedText
    ) -> Bool {
        precondition(values.count == shape.keys.count, "a slot per key")
        guard let index = index(of: shape) else { return false }
        let first = slotCount
        reserveSlots(values.count)
        for slot in values {
            guard slot.type == .raw, slot.offset & Slot.arenaBit == 0 else {
                append(slot)
                continue
            }
            let offset = Int(slot.offset)
            precondition(offset <= blockCount - slot.length, "inside the block")
            let found =
                malformed == .replaced
                ? textSlot(offset: offset, length: slot.length)
                : latin1Slot(offset: offset, length: slot.length)
            guard let found else {
                slotCount = first
                return false
            }
            append(found)
        }
        rows.append(
            Row(
                firstSlot: UInt32(truncatingIfNeeded: first), shape: index,
                line: UInt32(truncatingIfNeeded: line),
                ordinal: UInt16(truncatingIfNeeded: ordinal), time: time))
        return true
    }

    /// Appends a row of values that need neither escapes nor repairs.
    /// - Parameter values: A slot per key; texts are plain, and stand in the block.
    /// - Returns: Whether there was room for its shape, and for each value.
    public func appendPlainRow(
        shape: Shape, slots values: UnsafeBufferPointer<Slot>, line: Int, time: Timestamp
    ) -> Bool {
        precondition(values.count == shape.keys.count, "a slot per key")
        guard lines[line].length <= Slot.lengthLimit, let index = index(of: shape) else {
            return false
        }
        reserveSlots(values.count)
        let first = slotCount
        if let start = values.baseAddress {
            (slots + first).update(from: start, count: values.count)
        }
        slotCount &+= values.count
        rows.append(
            Row(
                firstSlot: UInt32(truncatingIfNeeded: first), shape: index,
                line: UInt32(truncatingIfNeeded: line), time: time))
        return true
    }

    /// A slot for text that is read as Latin-1 where it is not UTF-8.
    @inline(__always)
    private func latin1Slot(offset: Int, length: Int) -> Slot? {
        let start = UnsafePointer(block) + offset
        var seen: UInt32 = 0
        var special: UInt32 = 0
        var place = 0
        while place < length {
            var high: UInt32 = 0
            let mask = weir_string_mask16(start + place, &high)
            let rest = length &- place
            let keep: UInt32 =
                rest >= 16 ? 0xffff : (1 &<< UInt32(truncatingIfNeeded: rest)) &- 1
            special |= mask & keep
            seen |= high & keep
            place &+= 16
        }
        if seen != 0 { return makeTextSlot(offset: offset, length: length, malformed: .latin1) }
        return Slot(
            special == 0 ? .plain : .raw, offset: UInt32(truncatingIfNeeded: offset),
            length: length)
    }
}
