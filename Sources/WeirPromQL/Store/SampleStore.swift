// Hot path: once per sample.
import Synchronization

/// The newest samples of many series, in memory and packed: what PromQL queries.
///
/// One thread appends at a time, any number of threads query. Time comes in as an argument: what is too old
/// is measured by the clock that ``expire(now:)`` and ``advance(to:)`` tell, never by a sample's time.
public final class SampleStore: SampleSource {
    /// Series that are looked at under one lock when samples expire, and samples that are appended.
    static let strideUnderLock = 4_096

    let state: Mutex<StoreState>
    /// What it keeps at most.
    public let limits: StoreLimits

    /// An empty store.
    public init(_ limits: StoreLimits = StoreLimits()) {
        self.limits = limits
        state = Mutex(StoreState(limits, SymbolTable()))
    }

    /// The symbols of its labels now. They are numbered anew now and then: a query takes ``view()``.
    public var symbols: SymbolTable { state.withLock { $0.symbols } }

    /// The store as one query sees it: with symbols that stay as they are.
    public func view() -> StoreView { StoreView(store: self, symbols: symbols) }

    /// What it has, and what became of what it was given.
    public var totals: StoreTotals { state.withLock { $0.totals } }

    // MARK: Series

    /// The reference of a series, which is made if there is none. Empty values are no labels.
    public func reference(
        for labels: [(name: String, value: String)]
    ) throws(SeriesRefusal) -> SeriesReference {
        try state.withLock { state throws(SeriesRefusal) in
            do throws(SeriesRefusal) {
                return try state.reference(for: try state.labelSet(labels))
            } catch {
                state.totals.count(error)
                throw error
            }
        }
    }

    // MARK: Samples

    /// Appends a float. Its start is when its counter began, 0 where that is not known.
    public func append(
        _ series: SeriesReference, at time: Int64, _ value: Double, start: Int64 = 0
    ) -> AppendOutcome {
        state.withLock { state in
            let outcome = state.append(series, time, value, start: start)
            state.totals.count(outcome)
            if state.totals.byteCount > state.evictionByteCount { state.evict() }
            return outcome
        }
    }

    /// Appends a native histogram.
    public func append(
        _ series: SeriesReference, at time: Int64, _ histogram: FloatHistogram, start: Int64 = 0
    ) -> AppendOutcome {
        state.withLock { state in
            let outcome = state.append(series, time, histogram, start: start)
            state.totals.count(outcome)
            if state.totals.byteCount > state.evictionByteCount { state.evict() }
            return outcome
        }
    }

    /// A float of a batch that was not appended, by its place.
    public struct Refused: Sendable {
        /// Its place in the batch.
        public var place: Int
        /// Why.
        public var outcome: AppendOutcome
    }

    /// Appends a float to each of many series, all at one time: a scrape, or a sampling of the registry.
    /// - Parameter start: When the counters began, if all began at one time.
    /// - Returns: Those that were not appended, ``AppendOutcome/alreadyThere`` left out.
    public func append(
        at time: Int64, _ values: UnsafeBufferPointer<Double>,
        to series: UnsafeBufferPointer<SeriesReference>, start: Int64 = 0
    ) -> [Refused] {
        appendAll(count: min(values.count, series.count)) { state, place in
            state.append(series[place], time, values[place], start: start)
        }
    }

    /// Appends many floats to one series: a series of a remote write, or of a file.
    /// - Returns: Those that were not appended, ``AppendOutcome/alreadyThere`` left out.
    public func append(
        at times: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        to series: SeriesReference
    ) -> [Refused] {
        appendAll(count: min(values.count, times.count)) { state, place in
            state.append(series, times[place], values[place], start: 0)
        }
    }

    @inline(__always)
    private func appendAll(
        count: Int, _ append: (inout StoreState, Int) -> AppendOutcome
    ) -> [Refused] {
        var refused: [Refused] = []
        var begin = 0
        while begin < count {
            let places = begin..<min(count, begin + Self.strideUnderLock)
            refused += state.withLock { state in
                var refused: [Refused] = []
                var appended: UInt64 = 0
                for place in places {
                    let outcome = append(&state, place)
                    if outcome == .appended {
                        appended &+= 1
                        continue
                    }
                    state.totals.count(outcome)
                    if outcome != .alreadyThere {
                        refused.append(Refused(place: place, outcome: outcome))
                    }
                }
                state.totals.count(.appended, appended)
                if state.totals.byteCount > state.evictionByteCount { state.evict() }
                return refused
            }
            begin = places.upperBound
        }
        return refused
    }

    // MARK: Time

    /// Tells the clock: from now on older and far newer samples are refused by it.
    public func advance(to now: Int64) { state.withLock { $0.advance(to: now) } }

    /// Tells the clock and forgets what is too old. The lock is held for a few thousand series at a time.
    public func expire(now: Int64) {
        var place = 0
        advance(to: now)
        while state.withLock({ place < $0.slots.count }) {
            let places = place..<(place + Self.strideUnderLock)
            state.withLock { $0.expire(places) }
            place = places.upperBound
        }
        state.withLock { $0.endExpiry() }
    }
}
