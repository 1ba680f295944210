/// What fuzz tests make their inputs of.
extension SeededGenerator {
    /// True once in so many times.
    public mutating func once(in count: Int) -> Bool {
        Int.random(in: 0..<count, using: &self) == 0
    }

    /// One of some things; there must be one.
    public mutating func pick<T>(_ things: [T]) -> T {
        precondition(!things.isEmpty, "something to pick from")
        return things[Int.random(in: 0..<things.count, using: &self)]
    }

    /// A number of a range.
    public mutating func number(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &self)
    }

    /// Some of the pieces, one behind the other.
    public mutating func soup(of pieces: [String], upTo count: Int) -> String {
        (0..<number(0...count)).map { _ in pick(pieces) }.joined()
    }

    /// The bytes with some changed, put in, taken out, repeated, or cut off.
    /// - Parameter inner: Bytes that mean something to the reader.
    public mutating func mutated(
        _ bytes: [UInt8], with inner: [UInt8], byteLimit: Int = 1 << 14
    ) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<number(1...8) {
            let place = number(0...bytes.count)
            switch number(0...5) {
            case 0 where place < bytes.count: bytes[place] = pick(inner)
            case 1: bytes.insert(pick(inner), at: place)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &self), at: place)
            case 3:
                let end = min(bytes.count, place + number(0...12))
                bytes.removeSubrange(place..<end)
            case 4:
                let piece = Array(bytes.dropFirst(place).prefix(number(0...40)))
                let other = number(0...bytes.count)
                for _ in 0..<number(1...4) { bytes.insert(contentsOf: piece, at: other) }
            default: if once(in: 4) { bytes.removeSubrange(place...) }
            }
        }
        return Array(bytes.prefix(byteLimit))
    }
}
