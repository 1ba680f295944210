// Hot path: once per event that is counted.

/// Hashes label sets with a key that is new in every process: label values come from outside, and
/// nobody may be able to choose them so that they collide.
struct SeriesHash: Sendable {
    /// The key of this process.
    static let ofThisProcess = SeriesHash()

    private let first: UInt64
    private let second: UInt64
    private let third: UInt64

    /// A hash of a random key.
    init() {
        first = .random(in: 1...UInt64.max)
        second = .random(in: 1...UInt64.max)
        third = .random(in: 1...UInt64.max) | 1
    }

    /// The hash of some bytes that are readable 32 bytes beyond their end.
    @inline(__always)
    func callAsFunction(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var left = first ^ UInt64(truncatingIfNeeded: count)
        var right = second
        var place = 0
        while count &- place >= 32 {
            left = mix(word(bytes, place) ^ second, word(bytes, place &+ 8) ^ left)
            right = mix(word(bytes, place &+ 16) ^ third, word(bytes, place &+ 24) ^ right)
            place &+= 32
        }
        while place < count {
            let rest = count &- place
            let low = keep(word(bytes, place), rest)
            let high = keep(word(bytes, place &+ 8), rest &- 8)
            left = mix(low ^ second, high ^ left)
            place &+= 16
        }
        return mix(left ^ third, right ^ first)
    }

    @inline(__always)
    private func word(_ bytes: UnsafeRawPointer, _ place: Int) -> UInt64 {
        bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
    }

    /// The word without the bytes beyond the first `count`.
    @inline(__always)
    private func keep(_ word: UInt64, _ count: Int) -> UInt64 {
        if count >= 8 { return word }
        if count <= 0 { return 0 }
        return word & ((1 &<< UInt64(truncatingIfNeeded: count &* 8)) &- 1)
    }

    @inline(__always)
    private func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
