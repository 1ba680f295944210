/// The names of a row's fields, in order, without repetition: shared by all rows that look alike.
public final class Shape: Sendable {
    /// The names, in the rows' slot order.
    public let keys: [String]
    /// `"key":` of every key, one behind the other, ready for JSON, and 16 bytes more.
    let encoded: [UInt8]
    /// Where in `encoded` each key's text ends.
    let encodedEnds: [Int]
    /// Whether a key's text in JSON is the key itself between quotes, so that lengths can be told.
    let keysArePlain: Bool

    /// A shape of these names; they must be unique.
    public init(_ keys: [String]) {
        self.keys = keys
        var buffer = ByteBuffer(capacity: 512)
        var ends: [Int] = []
        var plain = true
        for key in keys {
            let start = buffer.count
            buffer.append(byte: UInt8(ascii: "\""))
            appendEscaped(key, to: &buffer)
            buffer.append("\":")
            if buffer.count - start != key.utf8.count + 3 { plain = false }
            ends.append(buffer.count)
        }
        encoded = Array(buffer.bytes) + Array(repeating: 0, count: 16)
        encodedEnds = ends
        keysArePlain = plain
    }

    /// The place of a name, or `nil`.
    /// - Complexity: O(*n*); callers keep the answer per shape.
    public func index(of key: String) -> Int? { keys.firstIndex { $0.hasSameBytes(as: key) } }
}
