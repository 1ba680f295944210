/// Keeps a share of all traces by their ids alone, so that every node keeps the same ones
/// (zipkin2.collector.CollectorSampler).
public struct HeadSampler: Sendable {
    private let boundary: Int64

    /// A sampler that keeps a share from 0 to 1.
    public init(rate: Double) {
        let product = Double(Int64.max) * min(max(rate, 0), 1)
        boundary = Int64(exactly: product.rounded(.down)) ?? .max
    }

    /// Whether a trace is kept.
    public func keeps(_ id: TraceID) -> Bool {
        let magnitude = Int64(bitPattern: id.low).magnitude
        return Int64(clamping: magnitude) <= boundary && boundary > 0
    }
}
