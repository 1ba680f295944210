/// A native histogram whose counts are floating-point: what PromQL computes with.
///
/// Buckets of schema *s* in −4...8 are powers of 2^(2^−s): bucket *i* is (2^((i−1)·2^−s), 2^(i·2^−s)].
/// Schema −53 has bounds of its own (`customBounds`), and one bucket more than bounds.
public struct FloatHistogram: Sendable {
    /// A run of buckets next to each other.
    public struct Span: Hashable, Sendable {
        /// The first span's first bucket, or the gap to the former span.
        public var offset: Int32
        /// How many buckets.
        public var length: UInt32

        /// A run.
        public init(offset: Int32, length: UInt32) {
            self.offset = offset
            self.length = length
        }
    }

    /// What is known of a reset between this sample and the former one.
    public enum CounterResetHint: String, Sendable {
        case unknown
        case reset
        case notReset = "not_reset"
        case gauge
    }

    /// The schema of histograms with bounds of their own.
    public static let customSchema: Int32 = -53

    /// The resolution: −4...8, or −53.
    public var schema: Int32 = 0
    /// The zero bucket is [−w, w].
    public var zeroThreshold: Double = 0
    /// Observations in the zero bucket.
    public var zeroCount: Double = 0
    /// All observations.
    public var count: Double = 0
    /// The observations' sum.
    public var sum: Double = 0
    /// Where the positive buckets lie.
    public var positiveSpans: [Span] = []
    /// The positive buckets' counts (absolute, not differences).
    public var positiveBuckets: [Double] = []
    /// Where the negative buckets lie.
    public var negativeSpans: [Span] = []
    /// The negative buckets' counts.
    public var negativeBuckets: [Double] = []
    /// Upper bounds of schema −53, ascending, without +Inf.
    public var customBounds: [Double] = []
    /// What is known of a reset before this sample.
    public var counterResetHint: CounterResetHint = .unknown

    /// An empty histogram of schema 0.
    public init() {}

    /// Whether its bounds are its own.
    public var usesCustomBounds: Bool { schema == Self.customSchema }
}
