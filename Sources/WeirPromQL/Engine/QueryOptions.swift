/// How queries are evaluated, and what they may cost.
public struct QueryOptions: Sendable {
    /// How far back a selector looks for a series' last sample (Prometheus: `--query.lookback-delta`).
    public var lookback: Int64 = 5 * 60 * 1_000
    /// The interval of a subquery that names none, in milliseconds.
    public var subqueryInterval: Int64 = 60 * 1_000
    /// Most samples that a query may hold at a time (Prometheus: `--query.max-samples`); a series that is
    /// held counts as ``seriesCost`` more.
    public var sampleLimit = 2_000_000
    /// About the bytes that a sample takes that is held, as a value, in the result and in the answer.
    public static let sampleByteCount = 64
    /// What a series' labels and its places cost, in samples.
    public static let seriesCost = 16
    /// Most steps of a range query (Prometheus: 11,000 points a series).
    public var stepLimit = 11_000
    /// Most steps of a subquery.
    public var subqueryStepLimit = 1_000_000
    /// Deepest nesting of an expression that is evaluated.
    public var depthLimit = 500
    /// Whether metric names go at a query's end and not at each function
    /// (Prometheus: `--enable-feature=promql-delayed-name-removal`).
    public var delaysNameRemoval = false
    /// Whether start timestamps count as resets (Prometheus: `--enable-feature=use-start-timestamps`).
    public var usesStartTimes = false

    /// Prometheus' defaults.
    public init() {}
}
