/// Why a query has no result.
public struct QueryError: Error, Equatable, Sendable {
    /// What a caller does about it.
    public enum Kind: Sendable {
        /// The query cannot be evaluated on these samples, or with these parameters.
        case execution
        /// A limit was reached: the query asks for too much.
        case limit
        /// It took longer than it may.
        case timeout
        /// It was given up.
        case cancelled
    }

    /// What a caller does about it.
    public var kind: Kind
    /// What is wrong, as Prometheus words it where it has the same error.
    public var message: String

    /// An error.
    public init(_ message: String, kind: Kind = .execution) {
        self.kind = kind
        self.message = message
    }

    /// Two series with the same labels have a sample at the same step.
    static let duplicateLabelSet = QueryError(
        "vector cannot contain metrics with the same labelset")
}
