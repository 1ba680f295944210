/// The names of a row's fields, in order, without repetition: shared by all rows that look alike.
public final class Shape: @unchecked Sendable {
    // Safe because nothing of it changes after its making.

    /// The names, in the rows' slot order.
    public let keys: [String]
    /// `,"key":` of every key, one behind the other, ready for JSON, and 16 bytes more. Memory of
    /// its own, since arrays would be counted up and down in loops over rows.
    let encoded: UnsafePointer<UInt8>
    /// Where in `encoded` each key's text ends.
    let encodedEnds: UnsafePointer<Int>
    /// Whether a key's text in JSON is the key itself between quotes, so that lengths can be told.
    let keysArePlain: Bool

    /// A shape of these names; they must be unique.
    public init(_ keys: [String]) {
        self.keys = keys
        var buffer = ByteBuffer(capacity: 512)
        let ends = UnsafeMutablePointer<Int>.allocate(capacity: keys.count + 1)
        ends.initialize(repeating: 0, count: keys.count + 1)
        var plain = true
        for (index, key) in keys.enumerated() {
            let start = buffer.count
            buffer.append(",\"")
            appendEscaped(key, to: &buffer)
            buffer.append("\":")
            if buffer.count - start != key.utf8.count + 4 { plain = false }
            ends[index] = buffer.count
        }
        let text = UnsafeMutablePointer<UInt8>.allocate(capacity: buffer.count + 16)
        text.initialize(repeating: 0, count: buffer.count + 16)
        text.update(from: buffer.pointer, count: buffer.count)
        encoded = UnsafePointer(text)
        encodedEnds = UnsafePointer(ends)
        keysArePlain = plain
    }

    deinit {
        encoded.deallocate()
        encodedEnds.deallocate()
    }

    /// The place of a name, or `nil`.
    /// - Complexity: O(*n*); callers keep the answer per shape.
    public func index(of key: String) -> Int? { keys.firstIndex { $0.hasSameBytes(as: key) } }
}
