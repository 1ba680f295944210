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
}
