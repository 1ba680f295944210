import WeirCore

/// What all spans of one trace have in common: 64 or 128 bits.
public struct TraceID: Hashable, Sendable {
    /// The upper half; 0 for an id of 64 bits.
    public var high: UInt64
    /// The lower half, by which traces are sampled.
    public var low: UInt64

    /// An id by its halves.
    public init(high: UInt64 = 0, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// No id.
    public static let none = TraceID(low: 0)

    /// An id from 1 to 32 hexadecimal digits, small letters; an upper half of zeros counts as none.
    /// Zipkin takes the same (zipkin2.Span.normalizeTraceId).
    public init?(hex: some Collection<UInt8>) {
        guard (1...32).contains(hex.count) else { return nil }
        let highCount = max(0, hex.count - 16)
        guard let low = spanID(hex: hex.dropFirst(highCount)) else { return nil }
        self.low = low
        high = 0
        if highCount > 0 {
            guard let upper = spanID(hex: hex.prefix(highCount)) else { return nil }
            high = upper
        }
    }

    /// The id as Zipkin writes it: 16 digits, or 32 where there is an upper half.
    public var hex: String {
        var buffer = ByteBuffer(capacity: 32)
        append(to: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    /// Appends the id's digits.
    public func append(to buffer: inout ByteBuffer) {
        if high != 0 { appendHex(high, to: &buffer) }
        appendHex(low, to: &buffer)
    }
}

/// The number of up to 16 hexadecimal digits, small letters only.
public func spanID(hex: some Collection<UInt8>) -> UInt64? {
    guard (1...16).contains(hex.count) else { return nil }
    var number: UInt64 = 0
    var wrong: UInt8 = 0
    for byte in hex {
        let value = hexValues[Int(byte)]
        wrong |= value
        number = number << 4 | UInt64(value & 15)
    }
    return wrong < 16 ? number : nil
}

/// The value of each byte as a digit; 255 for those that are none.
private let hexValues: [UInt8] = (0...255).map { byte in
    switch UInt8(byte) {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt8(byte) - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt8(byte) - UInt8(ascii: "a") + 10
    default: 255
    }
}

/// Appends the 16 hexadecimal digits of a span's id.
@inline(__always)
public func appendHex(_ number: UInt64, to buffer: inout ByteBuffer) {
    buffer.appendInPlace(maximum: 16) { room in
        var rest = number
        for place in stride(from: 15, through: 0, by: -1) {
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            room[place] = digit < 10 ? digit &+ 0x30 : digit &+ 0x57
            rest >>= 4
        }
        return 16
    }
}
