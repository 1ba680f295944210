/// A version of Prometheus' remote-write protocol, as a user names it.
public enum RemoteWriteVersion: String, Sendable, CaseIterable {
    /// `prometheus.WriteRequest` (prometheus.io/docs/specs/prw/remote_write_spec).
    case one = "1.0"
    /// `io.prometheus.write.v2.Request` (prometheus.io/docs/specs/prw/remote_write_spec_2_0).
    case two = "2.0"

    /// The value of `Content-Type`.
    public var contentType: String {
        switch self {
        case .one: "application/x-protobuf"
        case .two: "application/x-protobuf;proto=io.prometheus.write.v2.Request"
        }
    }

    /// The value of `X-Prometheus-Remote-Write-Version`: 1.0 goes by the name of 0.1.0.
    public var header: String {
        switch self {
        case .one: "0.1.0"
        case .two: "2.0.0"
        }
    }
}

/// Series of one time, ready to be sent.
public struct RemoteWriteRequest: Sendable {
    /// How much of what is in a request.
    public struct Counts: Sendable, Equatable {
        /// Samples of numbers.
        public var samples = 0
        /// Samples of native histograms.
        public var histograms = 0
        /// Exemplars.
        public var exemplars = 0
        /// Metrics that are explained.
        public var metadata = 0

        /// Nothing.
        public init() {}

        /// So many of each.
        public init(samples: Int, histograms: Int = 0, exemplars: Int = 0, metadata: Int = 0) {
            self.samples = samples
            self.histograms = histograms
            self.exemplars = exemplars
            self.metadata = metadata
        }

        /// Whether there is nothing at all.
        public var isZero: Bool { self == Counts() }
    }

    /// The message, compressed with Snappy.
    public var body: [UInt8]
    /// When its samples were taken, in milliseconds since 1970.
    public var milliseconds: Int64
    /// What is in it.
    public var counts: Counts

    /// A request by its parts.
    public init(body: [UInt8], milliseconds: Int64, counts: Counts) {
        self.body = body
        self.milliseconds = milliseconds
        self.counts = counts
    }
}
