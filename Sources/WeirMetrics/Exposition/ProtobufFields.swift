// Hot path of the scrape and of remote write: once per field.
import WeirCore

/// The wire format of protocol buffers (protobuf.dev, "Encoding"), as far as metrics need it.
extension ByteBuffer {
    /// Appends a field of a number.
    @inline(__always)
    mutating func append(field: Int, varint: UInt64) {
        append(varint: UInt64(truncatingIfNeeded: field << 3))
        append(varint: varint)
    }

    /// Appends a field of a number with a fraction.
    @inline(__always)
    mutating func append(field: Int, double: Double) {
        append(varint: UInt64(truncatingIfNeeded: field << 3 | 1))
        withUnsafeBytes(of: double.bitPattern.littleEndian) { append($0) }
    }

    /// Appends a field of bytes, a text or a message.
    @inline(__always)
    mutating func append(field: Int, bytes: UnsafeRawBufferPointer) {
        append(field: field, byteCount: bytes.count)
        append(bytes)
    }

    /// Appends the head of a field whose bytes come next.
    @inline(__always)
    mutating func append(field: Int, byteCount: Int) {
        append(varint: UInt64(truncatingIfNeeded: field << 3 | 2))
        append(varint: UInt64(truncatingIfNeeded: byteCount))
    }
}

/// Sizes and numbers of the wire format.
enum ProtobufNumber {
    /// A number whose sign is its lowest bit: small ones are short, whatever their sign.
    @inline(__always)
    static func zigzag(_ number: Int) -> UInt64 {
        UInt64(bitPattern: Int64(number << 1 ^ number >> 63))
    }

    /// How many bytes a number takes.
    @inline(__always)
    static func byteCount(varint: UInt64) -> Int {
        (70 &- (varint | 1).leadingZeroBitCount) / 7
    }
}
