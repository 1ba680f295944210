// Hot path: once per series of a query.

/// Which of a series' labels count: those that it is grouped or matched by.
struct LabelProjection {
    private let names: ContiguousArray<UInt32>
    /// A bit for each name's lowest six bits: most labels are told apart by it alone.
    private let mask: UInt64
    private let keepsOthers: Bool

    /// - Parameter keepsOthers: Whether the labels that are *not* named count, and not those that are.
    init(_ names: some Sequence<Symbol>, keepsOthers: Bool) {
        self.names = ContiguousArray(names.map(\.number))
        mask = self.names.reduce(0) { $0 | 1 << UInt64($1 & 63) }
        self.keepsOthers = keepsOthers
    }

    /// All labels.
    static let all = LabelProjection([], keepsOthers: true)

    /// Whether a label of this name counts.
    @inline(__always)
    func keeps(_ name: Symbol) -> Bool {
        guard mask &>> UInt64(name.number & 63) & 1 == 1 else { return keepsOthers }
        for number in names where number == name.number { return !keepsOthers }
        return keepsOthers
    }

    /// The labels that count.
    func labels(of set: LabelSet) -> LabelSet {
        if names.isEmpty { return keepsOthers ? set : LabelSet() }
        return set.filter(keeps)
    }

    /// A hash of the labels that count.
    @inline(__always)
    fileprivate func hash(_ set: LabelSet, seed: UInt64) -> UInt64 {
        var hash = seed
        if names.isEmpty, !keepsOthers { return hash }
        set.withLabels { labels in
            for label in labels where keeps(label.name) {
                hash ^= UInt64(label.name.number) << 32 | UInt64(label.value.number)
                hash = hash &* 0x9e37_79b9_7f4a_7c15
                hash ^= hash &>> 29
            }
        }
        return hash
    }

    /// Whether the labels that count are those of a set that has only such.
    @inline(__always)
    fileprivate func project(_ set: LabelSet, onto projected: LabelSet) -> Bool {
        if names.isEmpty, !keepsOthers { return projected.count == 0 }
        return projected.withLabels { wanted in
            set.withLabels { labels in
                var place = 0
                for label in labels where keeps(label.name) {
                    guard place < wanted.count, wanted[place] == label else { return false }
                    place &+= 1
                }
                return place == wanted.count
            }
        }
    }
}

/// Different label sets, numbered in the order in which they came.
struct LabelSetTable {
    /// The sets by their numbers.
    private(set) var sets: ContiguousArray<LabelSet> = []
    private var hashes: ContiguousArray<UInt64> = []
    /// Numbers plus one, 0 where a slot is free; never more than half full.
    private var slots = ContiguousArray<UInt32>(repeating: 0, count: 16)
    /// Label values come from outside: nobody shall know which of them meet.
    private let seed = UInt64.random(in: .min ... .max)

    /// How many sets there are.
    var count: Int { sets.count }

    /// The number of the labels of a set that count, and whether they are new.
    mutating func place(
        of set: LabelSet, by projection: LabelProjection = .all
    ) -> (place: Int, isNew: Bool) {
        let hash = projection.hash(set, seed: seed)
        let slot = slot(of: set, projection, hash)
        if slots[slot] != 0 { return (Int(slots[slot]) - 1, false) }
        sets.append(projection.labels(of: set))
        hashes.append(hash)
        slots[slot] = UInt32(truncatingIfNeeded: sets.count)
        if sets.count &* 2 > slots.count { grow() }
        return (sets.count - 1, true)
    }

    /// The number of the labels of a set that count, if they are there.
    func existingPlace(of set: LabelSet, by projection: LabelProjection = .all) -> Int? {
        let slot = slot(of: set, projection, projection.hash(set, seed: seed))
        return slots[slot] == 0 ? nil : Int(slots[slot]) - 1
    }

    /// The slot of a set, or the free one that it would take.
    @inline(__always)
    private func slot(of set: LabelSet, _ projection: LabelProjection, _ hash: UInt64) -> Int {
        let mask = slots.count &- 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            let place = Int(slots[slot]) &- 1
            if hashes[place] == hash, projection.project(set, onto: sets[place]) { break }
            slot = (slot &+ 1) & mask
        }
        return slot
    }

    private mutating func grow() {
        slots = ContiguousArray(repeating: 0, count: slots.count * 2)
        let mask = slots.count &- 1
        for (place, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 { slot = (slot &+ 1) & mask }
            slots[slot] = UInt32(truncatingIfNeeded: place &+ 1)
        }
    }
}
