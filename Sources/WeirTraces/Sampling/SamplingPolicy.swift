/// One reason to keep a trace or to leave it out; of a list of them the first that fits decides.
public struct SamplingPolicy: Sendable {
    /// What a trace must be for the policy to fit.
    public enum Condition: Sendable {
        /// A span has the tag `error`.
        case error
        /// A span took at least so many microseconds.
        case latency(UInt64)
        /// A span is beyond the 99th percentile of its service.
        case slowForService
        /// A span has the tag, with a value that fits.
        case attribute(String, @Sendable (String) -> Bool)
        /// The access log tells of one of its requests that it went wrong.
        case accessLog
        /// The trace is of the share that its id tells.
        case probability(HeadSampler)
        /// No more than so many traces a second have fitted.
        case rateLimit(Double)
        /// Every trace.
        case always
    }

    /// The name, for counters.
    public var name: String
    /// What a trace must be.
    public var condition: Condition
    /// Whether traces that fit are kept.
    public var keeps: Bool

    /// A policy by its parts.
    public init(_ name: String, _ condition: Condition, keeps: Bool = true) {
        self.name = name
        self.condition = condition
        self.keeps = keeps
    }
}
