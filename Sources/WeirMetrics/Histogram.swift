import Synchronization

/// Counts of observations by upper bound, with their sum: Prometheus' classic histogram.
public final class Histogram: Sendable {
    /// The upper bounds of the buckets, ascending, without the infinite one.
    public let bounds: [Double]
    private let state: Mutex<State>

    private struct State {
        var counts: [UInt64]
        var sum: Double
    }

    /// A histogram with these bounds.
    public init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1), sum: 0))
    }

    /// Adds one observation, `count` times.
    public func observe(_ value: Double, count: Int = 1) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock {
            $0.counts[bucket] &+= UInt64(max(count, 0))
            $0.sum += value * Double(count)
        }
    }

    /// The count of each bucket (not cumulated; the last is beyond all bounds) and the sum.
    public func snapshot() -> (counts: [UInt64], sum: Double) {
        state.withLock { ($0.counts, $0.sum) }
    }
}
