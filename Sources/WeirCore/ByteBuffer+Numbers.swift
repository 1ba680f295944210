/// Numbers and texts as files and protocol buffers have them; little-endian.
extension ByteBuffer {
    /// Appends a number, seven bits to a byte, the lowest first (LEB128).
    @inline(__always)
    public mutating func append(varint: UInt64) {
        var rest = varint
        while rest >= 0x80 {
            append(byte: UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(byte: UInt8(truncatingIfNeeded: rest))
    }

    /// Appends a number of eight bytes.
    public mutating func append(word: UInt64) {
        withUnsafeBytes(of: word.littleEndian) { append($0) }
    }

    /// Appends a number of four bytes.
    public mutating func append(halfWord: UInt32) {
        withUnsafeBytes(of: halfWord.littleEndian) { append($0) }
    }

    /// Appends a text behind its length.
    public mutating func append(text: String) {
        append(varint: UInt64(text.utf8.count))
        append(text)
    }
}
