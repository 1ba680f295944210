/// An observation that stands for others of its series, with labels that lead to a trace.
public struct Exemplar: Sendable {
    /// Its own labels.
    public var labels: [(name: String, value: String)]
    /// What was observed.
    public var value: Double
    /// When, in milliseconds.
    public var time: Int64

    /// An observation.
    public init(labels: [(name: String, value: String)], value: Double, time: Int64) {
        self.labels = labels
        self.value = value
        self.time = time
    }

    /// Whether two are the same.
    func isSame(as other: Exemplar) -> Bool {
        time == other.time && value.bitPattern == other.value.bitPattern
            && labels.elementsEqual(other.labels) { $0 == $1 }
    }
}

/// The newest exemplars of all series together.
struct ExemplarRing: Sendable {
    struct Entry: Sendable {
        var reference: SeriesReference
        var series: LabelSet
        var exemplar: Exemplar
    }

    private(set) var entries: ContiguousArray<Entry> = []
    private var oldest = 0
    private var newest: [SeriesReference: Exemplar] = [:]

    /// Keeps an exemplar; the oldest goes for it when there are as many as may be.
    /// - Returns: Whether it was taken: not when it is older than the series' newest. One that is the same
    ///   as the newest is taken silently.
    mutating func append(_ entry: Entry, limit: Int) -> Bool {
        guard limit > 0 else { return false }
        if let former = newest[entry.reference] {
            if former.isSame(as: entry.exemplar) { return true }
            guard entry.exemplar.time >= former.time else { return false }
        }
        if entries.count < limit {
            entries.append(entry)
        } else {
            let gone = entries[oldest]
            if newest[gone.reference]?.isSame(as: gone.exemplar) == true {
                newest[gone.reference] = nil
            }
            entries[oldest] = entry
            oldest = (oldest + 1) % limit
        }
        newest[entry.reference] = entry.exemplar
        return true
    }

    /// Gives the series' labels other symbols.
    mutating func rename(_ renewed: (LabelSet) -> LabelSet) {
        for place in entries.indices { entries[place].series = renewed(entries[place].series) }
    }
}
