/// The labels by which an aggregation groups its series.
struct Grouping {
    private let names: Set<Symbol>
    private let isWithout: Bool

    init(_ aggregation: Aggregation, _ symbols: QuerySymbols) {
        names = Set(aggregation.grouping.map { symbols.symbol(for: $0) })
        isWithout = aggregation.isWithout
    }

    /// The labels of a series' group.
    func labels(of set: LabelSet) -> LabelSet {
        if names.isEmpty, !isWithout { return LabelSet() }
        return isWithout
            ? set.filter { !$0.isMetadata && !names.contains($0) }
            : set.filter { names.contains($0) }
    }
}

/// The groups of an aggregation in the order in which their first series came.
struct GroupTable {
    private let grouping: Grouping
    private var places: [LabelSet: Int] = [:]
    /// The labels of each group.
    private(set) var labels: [LabelSet] = []
    /// Whether the group's name goes: where that of any series goes.
    private(set) var dropsName: [Bool] = []

    init(_ grouping: Grouping) { self.grouping = grouping }

    /// The place of a series' group, and whether it is new.
    mutating func place(of row: SeriesRow) -> (place: Int, isNew: Bool) {
        let key = grouping.labels(of: row.labels)
        if let place = places[key] {
            if row.dropsName { dropsName[place] = true }
            return (place, false)
        }
        let place = labels.count
        places[key] = place
        labels.append(key)
        dropsName.append(row.dropsName)
        return (place, true)
    }
}
