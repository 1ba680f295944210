import WeirCore
import WeirMetrics
import WeirPromQL

/// What a query may cost. A query at a limit is refused; the pipeline does not wait for queries.
public struct QueryLimits: Sendable, Equatable {
    /// How long a query may take.
    public var time: Duration = .seconds(120)
    /// About the bytes that a query may hold, its answer included.
    public var byteLimit = 128 << 20
    /// Queries that are evaluated at a time; others wait.
    public var concurrency = 2
    /// How far back a selector looks for a series' last sample.
    public var lookback: Duration = .seconds(300)
    /// Whether what Prometheus has behind feature flags may be used.
    public var allowsExperiments = false

    /// The defaults.
    public init() {}

    /// The same for the engine.
    var engineOptions: QueryOptions {
        var options = QueryOptions()
        options.delaysNameRemoval = allowsExperiments
        options.sampleLimit = byteLimit / QueryOptions.sampleByteCount
        options.lookback = lookback.milliseconds
        return options
    }
}

/// Counts queries and what is refused.
struct QueryCounters: Sendable {
    private static let refusals = MetricDescription(
        "weir_query_refusals_total", "Requests of the query API that were refused.")

    private let registry: Registry
    private let queries: Counter
    private let microseconds: Counter

    init(_ registry: Registry) {
        self.registry = registry
        queries = registry.counter(
            MetricDescription("weir_queries_total", "Queries that were evaluated."))
        microseconds = registry.counter(
            MetricDescription(
                "weir_query_microseconds_total", "The time that evaluating queries took."))
    }

    /// Counts a query that was evaluated.
    func noteQuery(nanoseconds: UInt64) {
        queries.add()
        microseconds.add(Int(clamping: nanoseconds / 1_000))
    }

    /// Counts a query that reached a limit.
    func noteLimit() { registry.counter(Self.refusals, [Label("reason", "limit")]).add() }

    /// Counts a refusal by its kind.
    func note(_ refusal: QueryRefusal) {
        registry.counter(Self.refusals, [Label("reason", refusal.kind)]).add()
    }
}
