import WeirCore

/// Labels and annotations as they are written down.
extension ByteBuffer {
    mutating func append(pairs: [(name: String, value: String)]) {
        append(varint: UInt64(pairs.count))
        for pair in pairs {
            append(text: pair.name)
            append(text: pair.value)
        }
    }
}

extension ByteCursor {
    mutating func pairs() throws(Broken) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        for _ in 0..<(try count(ofAtLeast: 2)) { pairs.append((try text(), try text())) }
        return pairs
    }
}
