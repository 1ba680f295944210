/// The hash FNV-1a of 64 bits (RFC 9923): the same in every process, for names rather than for tables.
public struct FNV1a: Sendable {
    /// The hash of what was added.
    public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    /// The hash of nothing.
    public init() {}

    /// Adds a byte.
    public mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }

    /// Adds a text.
    public mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
    }

    /// The hash in 16 hexadecimal digits.
    public var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
