import Synchronization

/// What the HTTP API tells of a store beside samples. Several selectors stand for the series that pass any.
extension SampleStore {
    /// The names of labels, sorted: of all series, or of those that some selectors select.
    public func labelNames(
        _ selectors: [[CompiledMatcher]] = [], from first: Int64 = .min, through last: Int64 = .max
    ) -> [String] {
        guard !selectors.isEmpty else {
            let (index, texts) = state.withLock { ($0.index, $0.symbols.snapshot()) }
            return Self.sorted(index.postings.keys, texts)
        }
        let selection = selection(any: selectors, from: first, through: last)
        var names: Set<Symbol> = []
        for series in selection.series {
            for label in series.labels.labels { names.insert(label.name) }
        }
        return Self.sorted(names, selection.symbols.snapshot())
    }

    /// The values of a label, sorted: of all series, or of those that some selectors select.
    public func labelValues(
        of name: String, _ selectors: [[CompiledMatcher]] = [], from first: Int64 = .min,
        through last: Int64 = .max
    ) -> [String] {
        guard !selectors.isEmpty else {
            let (index, symbols) = state.withLock { ($0.index, $0.symbols) }
            guard let name = symbols.existingSymbol(for: name), let values = index.postings[name]
            else { return [] }
            return Self.sorted(values.keys, symbols.snapshot())
        }
        let selection = selection(any: selectors, from: first, through: last)
        guard let name = selection.symbols.existingSymbol(for: name) else { return [] }
        var values: Set<Symbol> = []
        for series in selection.series { values.insert(series.labels.value(of: name)) }
        values.remove(.empty)
        return Self.sorted(values, selection.symbols.snapshot())
    }

    /// The labels of the series that some selectors select, sorted.
    public func series(
        _ selectors: [[CompiledMatcher]], from first: Int64 = .min, through last: Int64 = .max
    ) -> [[(name: String, value: String)]] {
        let selection = selection(any: selectors, from: first, through: last)
        let symbols = QuerySymbols(selection.symbols)
        return selection.series.map(\.labels).sorted { symbols.isBefore($0, $1) }
            .map { symbols.pairs(of: $0) }
    }

    private static func sorted(
        _ symbols: some Collection<Symbol>, _ texts: ContiguousArray<String>
    ) -> [String] {
        symbols.compactMap { Int($0.number) < texts.count ? texts[Int($0.number)] : nil }
            .sorted { QuerySymbols.isBefore($0, $1) }
    }

    // MARK: Metadata

    /// Keeps what is known of a metric; the last that was told counts.
    public func setMetadata(_ metadata: MetricMetadata, of metric: String) {
        state.withLock { state in
            if !state.metadata.set(metric, metadata, limits) {
                state.totals.refusedMetadataCount &+= 1
            }
        }
    }

    /// What is known of metrics, by their names.
    public var metadata: [String: MetricMetadata] { state.withLock { $0.metadata.entries } }

    // MARK: Exemplars

    /// The exemplars of one series.
    public struct SeriesExemplars: Sendable {
        /// The series' labels.
        public var series: [(name: String, value: String)]
        /// Its exemplars in ascending time.
        public var exemplars: [Exemplar]
    }

    /// Keeps an exemplar.
    /// - Returns: Whether it was taken: not when its labels are too long, when it is older than the newest
    ///   of its series, or when the series was removed.
    public func append(_ exemplar: Exemplar, to series: SeriesReference) -> Bool {
        state.withLock { state in
            let length = exemplar.labels.reduce(0) {
                $0 + $1.name.unicodeScalars.count + $1.value.unicodeScalars.count
            }
            guard length <= limits.exemplarLabelLimit, let place = state.place(of: series),
                let page = state.slots[place].page,
                state.exemplars.append(
                    ExemplarRing.Entry(
                        reference: series, series: page.labels, exemplar: exemplar),
                    limit: limits.exemplarLimit)
            else {
                state.totals.refusedExemplarCount &+= 1
                return false
            }
            return true
        }
    }

    /// The exemplars with times in `first...last` of the series that some selectors select, sorted by labels.
    public func exemplars(
        _ selectors: [[CompiledMatcher]], from first: Int64 = .min, through last: Int64 = .max
    ) -> [SeriesExemplars] {
        let (entries, table) = state.withLock { ($0.exemplars.entries, $0.symbols) }
        let symbols = QuerySymbols(table)
        var bySeries: [LabelSet: [Exemplar]] = [:]
        for entry in entries where entry.exemplar.time >= first && entry.exemplar.time <= last {
            bySeries[entry.series, default: []].append(entry.exemplar)
        }
        let selected = bySeries.filter { series, _ in
            selectors.contains { matchers in
                matchers.allSatisfy { matcher in
                    let name = symbols.symbol(for: matcher.matcher.name)
                    return matcher.passes(symbols.text(of: series.value(of: name)))
                }
            }
        }
        return selected.sorted { symbols.isBefore($0.key, $1.key) }.map { series, exemplars in
            SeriesExemplars(
                series: symbols.pairs(of: series),
                exemplars: exemplars.sorted { $0.time < $1.time })
        }
    }
}
