/// A set of series by the numbers of their slots: a bit each.
struct SlotSet: Sendable {
    fileprivate var words: ContiguousArray<UInt64>

    /// No slot, of so many.
    init(slotCount: Int) {
        words = ContiguousArray(repeating: 0, count: (slotCount + 63) / 64)
    }

    mutating func insert(_ slot: UInt32) {
        let place = Int(slot >> 6)
        guard place < words.count else { return }
        words[place] |= 1 &<< UInt64(slot & 63)
    }

    mutating func formIntersection(_ other: SlotSet) {
        for place in words.indices {
            words[place] &= place < other.words.count ? other.words[place] : 0
        }
    }

    /// Adds another set of as many slots.
    mutating func formUnion(_ other: SlotSet) {
        for place in 0..<min(words.count, other.words.count) { words[place] |= other.words[place] }
    }

    mutating func subtract(_ other: SlotSet) {
        for place in 0..<min(words.count, other.words.count) { words[place] &= ~other.words[place] }
    }

    mutating func formUnion(_ postings: Postings) { postings.insertAll(into: &words) }

    var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    /// Visits the slots in ascending order.
    @inline(__always)
    func forEach(_ body: (Int) -> Void) {
        for (place, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                body(place &* 64 &+ rest.trailingZeroBitCount)
                rest &= rest &- 1
            }
        }
    }
}

/// The series that have one label: few of 65,536 slots as numbers, many as bits.
struct Postings: Sendable {
    /// Numbers of a part at which it takes as much room in bits.
    private static let listLimit = 4_096
    private static let wordCount = 1_024

    /// The slots with the same upper 16 bits.
    private struct Part: Sendable {
        var upper: UInt16
        var list: ContiguousArray<UInt16> = []
        /// Used when not empty.
        var words: ContiguousArray<UInt64> = []
    }

    private var parts: ContiguousArray<Part> = []
    /// How many series there are.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Adds a slot that is not there.
    mutating func insert(_ slot: UInt32) {
        let upper = UInt16(truncatingIfNeeded: slot >> 16)
        let lower = UInt16(truncatingIfNeeded: slot)
        count += 1
        let place = parts.firstIndex { $0.upper >= upper } ?? parts.count
        if place == parts.count || parts[place].upper != upper {
            parts.insert(Part(upper: upper), at: place)
        }
        guard parts[place].words.isEmpty else {
            parts[place].words[Int(lower >> 6)] |= 1 &<< UInt64(lower & 63)
            return
        }
        if parts[place].list.count >= Self.listLimit {
            var words = ContiguousArray<UInt64>(repeating: 0, count: Self.wordCount)
            for other in parts[place].list { words[Int(other >> 6)] |= 1 &<< UInt64(other & 63) }
            words[Int(lower >> 6)] |= 1 &<< UInt64(lower & 63)
            parts[place].words = words
            parts[place].list = []
            return
        }
        if let newest = parts[place].list.last, newest >= lower {
            parts[place].list.insert(lower, at: Self.place(of: lower, in: parts[place].list))
        } else {
            parts[place].list.append(lower)
        }
    }

    /// Takes a slot away that is there.
    mutating func remove(_ slot: UInt32) {
        let upper = UInt16(truncatingIfNeeded: slot >> 16)
        let lower = UInt16(truncatingIfNeeded: slot)
        guard let place = parts.firstIndex(where: { $0.upper == upper }) else { return }
        count -= 1
        if parts[place].words.isEmpty {
            let index = Self.place(of: lower, in: parts[place].list)
            guard index < parts[place].list.count, parts[place].list[index] == lower else { return }
            parts[place].list.remove(at: index)
            if parts[place].list.isEmpty { parts.remove(at: place) }
            return
        }
        parts[place].words[Int(lower >> 6)] &= ~(1 &<< UInt64(lower & 63))
        if parts[place].words.allSatisfy({ $0 == 0 }) { parts.remove(at: place) }
    }

    private static func place(of number: UInt16, in list: ContiguousArray<UInt16>) -> Int {
        var low = 0
        var high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    fileprivate func insertAll(into words: inout ContiguousArray<UInt64>) {
        for part in parts {
            let base = Int(part.upper) * Self.wordCount
            for (offset, word) in part.words.enumerated() where base + offset < words.count {
                words[base + offset] |= word
            }
            for lower in part.list where base + Int(lower >> 6) < words.count {
                words[base + Int(lower >> 6)] |= 1 &<< UInt64(lower & 63)
            }
        }
    }
}
