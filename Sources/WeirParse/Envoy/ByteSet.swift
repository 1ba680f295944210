/// A set of byte values.
struct ByteSet: Sendable, Equatable {
    private var low: (UInt64, UInt64) = (0, 0)
    private var high: (UInt64, UInt64) = (0, 0)

    /// The empty set.
    init() {}

    /// The bytes of an ASCII text.
    init(_ text: StaticString) {
        for place in 0..<text.utf8CodeUnitCount { insert(text.utf8Start[place]) }
    }

    /// The bytes for which `test` holds.
    init(where test: (UInt8) -> Bool) {
        for byte in UInt8.min...UInt8.max where test(byte) { insert(byte) }
    }

    static func == (left: ByteSet, right: ByteSet) -> Bool {
        left.low == right.low && left.high == right.high
    }

    /// Whether the set has a byte.
    func contains(_ byte: UInt8) -> Bool {
        let bit = UInt64(1) << UInt64(byte & 63)
        let word =
            switch byte >> 6 {
            case 0: low.0
            case 1: low.1
            case 2: high.0
            default: high.1
            }
        return word & bit != 0
    }

    /// Adds a byte.
    mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: low.0 |= bit
        case 1: low.1 |= bit
        case 2: high.0 |= bit
        default: high.1 |= bit
        }
    }

    /// The bytes of both sets.
    func union(_ other: ByteSet) -> ByteSet { ByteSet { contains($0) || other.contains($0) } }

    static let digits = ByteSet("0123456789")
    static let letters = ByteSet("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    static let all = ByteSet { _ in true }
    /// What a header's value may hold: tab is the only control character that Envoy lets through.
    static let headerText = ByteSet { $0 >= 0x20 || $0 == 0x09 }
    /// Text without white space or control characters.
    static let unspaced = ByteSet { $0 > 0x20 && $0 != 0x7f }
}
