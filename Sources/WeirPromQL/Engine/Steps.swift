/// The times at which an expression is evaluated, in milliseconds after the epoch.
public struct Steps: Hashable, Sendable {
    /// The first.
    public var start: Int64
    /// The time between two of them; 0 where there is just one.
    public var interval: Int64
    /// How many there are, at least one.
    public var count: Int

    /// A single time.
    public init(at time: Int64) {
        start = time
        interval = 0
        count = 1
    }

    /// The times from `start` up to `end`, `interval` apart.
    ///
    /// - Returns: `nil` unless the interval is positive and there are at most `limit` of them.
    public init?(from start: Int64, through end: Int64, every interval: Int64, limit: Int) {
        let span = end.subtractingReportingOverflow(start)
        guard interval > 0, !span.overflow, span.partialValue >= 0 else { return nil }
        let gaps = span.partialValue / interval
        guard gaps < Int64(limit) else { return nil }
        self.start = start
        self.interval = interval
        count = Int(gaps) + 1
    }

    /// The time of a step.
    subscript(step: Int) -> Int64 { start &+ Int64(step) &* interval }

    /// The last time.
    var end: Int64 { self[count - 1] }
}
