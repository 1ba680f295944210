import Synchronization

/// A store as one query sees it: its symbols stay what they are while the store's are numbered anew.
public struct StoreView: SampleSource {
    let store: SampleStore
    /// The symbols of the labels that it selects.
    public let symbols: SymbolTable

    /// The series that pass all matchers and may have samples with times in `first...last`.
    public func select(
        _ matchers: [CompiledMatcher], from first: Int64, through last: Int64
    ) -> [any SelectedSeries] {
        let selection = store.selection(matchers, from: first, through: last)
        guard selection.symbols !== symbols else { return selection.series.map { $0 } }
        let texts = selection.symbols.snapshot()
        return selection.series.map { series in
            var labels = ContiguousArray<Label>()
            for label in series.labels.labels {
                labels.append(
                    Label(
                        name: symbols.symbol(for: texts[Int(label.name.number)]),
                        value: symbols.symbol(for: texts[Int(label.value.number)])))
            }
            return RenamedSeries(series: series, labels: LabelSet(ordered: labels))
        }
    }
}

/// A series with the symbols of an older table.
private struct RenamedSeries: SelectedSeries {
    let series: StoredSeries
    let labels: LabelSet

    func read(from first: Int64, through last: Int64, into buffer: inout SampleBuffer) {
        series.read(from: first, through: last, into: &buffer)
    }

    func counterWindow(from first: Int64, through last: Int64) -> CounterWindow? {
        series.counterWindow(from: first, through: last)
    }
}

extension SampleStore {
    /// The series that pass all matchers and may have samples with times in `first...last`, with the
    /// store's present symbols.
    public func select(
        _ matchers: [CompiledMatcher], from first: Int64, through last: Int64
    ) -> [any SelectedSeries] {
        selection(matchers, from: first, through: last).series.map { $0 }
    }

    /// Series, and the symbols of their labels.
    struct Selection: Sendable {
        var series: ContiguousArray<StoredSeries>
        var symbols: SymbolTable
    }

    /// Selects series. Patterns are matched outside of the lock, on the index as it was; only when a series
    /// was removed meanwhile, it is done again.
    func selection(
        _ matchers: [CompiledMatcher], from first: Int64, through last: Int64
    ) -> Selection {
        selection(any: [matchers], from: first, through: last)
    }

    /// Selects the series that any of some selectors select.
    func selection(
        any selectors: [[CompiledMatcher]], from first: Int64, through last: Int64
    ) -> Selection {
        for _ in 0..<2 {
            let (index, symbols) = state.withLock { ($0.index, $0.symbols) }
            let slots = index.series(passingAny: selectors, symbols)
            let removals = index.removals
            let series: ContiguousArray<StoredSeries>? = state.withLock { state in
                guard state.index.removals == removals, state.symbols === symbols else {
                    return nil
                }
                return state.series(at: slots, from: first, through: last)
            }
            if let series { return Selection(series: series, symbols: symbols) }
        }
        return state.withLock { state in
            let slots = state.index.series(passingAny: selectors, state.symbols)
            return Selection(
                series: state.series(at: slots, from: first, through: last),
                symbols: state.symbols)
        }
    }
}

extension StoreState {
    /// The series in some slots as they are now.
    func series(
        at places: SlotSet, from first: Int64, through last: Int64
    ) -> ContiguousArray<StoredSeries> {
        var series = ContiguousArray<StoredSeries>()
        series.reserveCapacity(places.count)
        slots.withUnsafeBufferPointer { slots in
            places.forEach { place in
                guard place < slots.count, let page = slots[place].page, !slots[place].isEmpty,
                    slots[place].lastTime >= first, slots[place].firstTime <= last
                else { return }
                series.append(StoredSeries(page: page, tailCount: Int(slots[place].tailCount)))
            }
        }
        return series
    }
}
