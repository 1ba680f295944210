/// A place in bytes that came from outside: reading beyond their end throws, and nothing is trusted.
public struct ByteCursor {
    /// The bytes are not what they ought to be.
    public struct Broken: Error {
        /// An error that says nothing more.
        public init() {}
    }

    private let payload: UnsafeRawBufferPointer
    private var place = 0

    /// A cursor before the first byte.
    public init(_ payload: UnsafeRawBufferPointer) { self.payload = payload }

    /// Whether all is read.
    public var isAtEnd: Bool { place == payload.count }

    /// The next byte.
    public mutating func byte() throws(Broken) -> UInt8 {
        guard place < payload.count else { throw Broken() }
        place += 1
        return payload[place - 1]
    }

    /// The next number of eight bytes.
    public mutating func word() throws(Broken) -> UInt64 {
        guard payload.count - place >= 8 else { throw Broken() }
        place += 8
        return UInt64(
            littleEndian: payload.loadUnaligned(fromByteOffset: place - 8, as: UInt64.self))
    }

    /// The next number of any size.
    public mutating func varint() throws(Broken) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            let byte = try byte()
            if shift == 63, byte > 1 { throw Broken() }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw Broken()
    }

    /// A count of things that are at least so many bytes long: never more than there can be.
    public mutating func count(ofAtLeast size: Int) throws(Broken) -> Int {
        let count = try varint()
        guard count <= UInt64((payload.count - place) / size) else { throw Broken() }
        return Int(count)
    }

    /// The next bytes, behind their count.
    public mutating func bytes() throws(Broken) -> [UInt8] {
        let count = try count(ofAtLeast: 1)
        defer { place += count }
        return Array(payload[place..<(place + count)])
    }

    /// The next text, behind its length.
    public mutating func text() throws(Broken) -> String {
        String(decoding: try bytes(), as: UTF8.self)
    }
}
