/// Reads protocol buffers' wire format step by step; what is broken reads as the end
/// (protobuf.dev/programming-guides/encoding).
public struct ProtobufReader {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    /// A reader before the first byte of a message; the bytes must outlive it.
    public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Whether all is read.
    public var isAtEnd: Bool { place >= bytes.count }

    /// The next byte.
    @inline(__always)
    public mutating func byte() -> UInt8? {
        guard place < bytes.count else { return nil }
        place += 1
        return bytes[place - 1]
    }

    /// The next bytes.
    @inline(__always)
    public mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= bytes.count - place else { return nil }
        let part = UnsafeRawBufferPointer(rebasing: bytes[place..<(place + count)])
        place += count
        return part
    }

    /// A number of so many bytes, the lowest first.
    public mutating func number(_ count: Int) -> Int? {
        take(count)?.reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// A number of any size.
    @inline(__always)
    public mutating func varint() -> UInt64? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = byte() else { return nil }
            number |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return number }
        }
        return nil
    }

    /// A field's value, by its wire type.
    public enum Value {
        case varint(UInt64)
        /// A number of eight bytes, or of four.
        case fixed(UInt64)
        case bytes(UnsafeRawBufferPointer)

        /// A number with a fraction.
        public var double: Double? { fixed.map { Double(bitPattern: $0) } }
        /// A number of fixed size.
        public var fixed: UInt64? { if case .fixed(let bits) = self { bits } else { nil } }
        /// A whole number.
        public var whole: UInt64? { if case .varint(let number) = self { number } else { nil } }
        /// The bytes of a text or a message.
        public var part: UnsafeRawBufferPointer? {
            if case .bytes(let part) = self { part } else { nil }
        }
        /// A whole number whose sign is its lowest bit.
        public var signed: Int64? { whole.map { Int64(bitPattern: $0 >> 1) ^ -Int64($0 & 1) } }
    }

    /// The next field; `nil` at the end, or where the format is broken.
    public mutating func field() -> (number: Int, value: Value)? {
        guard let key = varint(), key >> 3 > 0, key >> 3 < 1 << 29 else { return nil }
        let number = Int(key >> 3)
        switch key & 7 {
        case 0: return varint().map { (number, .varint($0)) }
        case 1:
            return take(8).map { (number, .fixed($0.loadUnaligned(as: UInt64.self).littleEndian)) }
        case 2:
            guard let count = varint(), count <= UInt64(bytes.count) else { return nil }
            return take(Int(count)).map { (number, .bytes($0)) }
        case 5:
            return take(4).map {
                (number, .fixed(UInt64($0.loadUnaligned(as: UInt32.self).littleEndian)))
            }
        default: return nil
        }
    }
}
