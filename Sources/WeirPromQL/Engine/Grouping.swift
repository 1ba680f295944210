extension LabelProjection {
    /// The labels by which an aggregation groups its series.
    init(_ aggregation: Aggregation, _ symbols: QuerySymbols) {
        var names = aggregation.grouping.map { symbols.symbol(for: $0) }
        if aggregation.isWithout { names += Symbol.metadata }
        self.init(names, keepsOthers: aggregation.isWithout)
    }

    /// The labels by which series of two vectors find each other.
    init(_ matching: VectorMatching, _ symbols: QuerySymbols) {
        var names = matching.labels.map { symbols.symbol(for: $0) }
        if !matching.isOn { names.append(.metricName) }
        self.init(names, keepsOthers: !matching.isOn)
    }
}

/// The groups of an aggregation in the order in which their first series came.
struct GroupTable {
    private let projection: LabelProjection
    private var table = LabelSetTable()
    /// Whether the group's name goes: where that of any series goes.
    private(set) var dropsName: ContiguousArray<Bool> = []

    init(_ aggregation: Aggregation, _ symbols: QuerySymbols) {
        projection = LabelProjection(aggregation, symbols)
    }

    /// How many there are.
    var count: Int { table.count }

    /// The labels of each group.
    var labels: ContiguousArray<LabelSet> { table.sets }

    /// The place of a series' group, and whether it is new.
    mutating func place(of row: SeriesRow) -> (place: Int, isNew: Bool) {
        let (place, isNew) = table.place(of: row.labels, by: projection)
        if isNew {
            dropsName.append(row.dropsName)
        } else if row.dropsName {
            dropsName[place] = true
        }
        return (place, isNew)
    }
}
