import WeirCore

/// A span by itself, decoded: what the slow roads and the edges work with.
///
/// The hot path keeps spans as rows of a ``SpanBatch``.
public struct SpanRecord: Sendable, Equatable {
    /// A network address with the service that was there.
    public struct Endpoint: Sendable, Equatable {
        /// The service, in small letters; empty when unknown.
        public var service = ""
        /// The address of 32 bits.
        public var ipv4: UInt32?
        /// The address of 128 bits.
        public var ipv6: IPv6Address?
        /// The port; 0 when unknown.
        public var port: UInt16 = 0

        /// Whether nothing is known of it.
        public var isEmpty: Bool { self == Endpoint() }

        /// An endpoint of a service.
        public init(service: String = "") { self.service = service }
    }

    /// Something that happened at a time within the span.
    public struct Annotation: Sendable, Equatable {
        /// Microseconds since 1970.
        public var timestamp: UInt64
        /// What happened.
        public var value: String

        /// An annotation by its parts.
        public init(timestamp: UInt64, value: String) {
            self.timestamp = timestamp
            self.value = value
        }
    }

    /// A tag.
    public struct Tag: Sendable, Equatable {
        /// The name.
        public var key: String
        /// The value.
        public var value: String

        /// A tag by its parts.
        public init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    /// The trace.
    public var traceID = TraceID.none
    /// The span that called this one; 0 for none.
    public var parentID: UInt64 = 0
    /// The span's own id.
    public var id: UInt64 = 0
    /// Its part in a call.
    public var kind = SpanKind.none
    /// What was done.
    public var name = ""
    /// When it began, in microseconds since 1970; 0 when unknown.
    public var timestamp: UInt64 = 0
    /// How long it took, in microseconds; 0 when unknown.
    public var duration: UInt64 = 0
    /// Where it was recorded.
    public var local = Endpoint()
    /// The other side of the call.
    public var remote = Endpoint()
    /// What happened within it.
    public var annotations: [Annotation] = []
    /// What is known of it.
    public var tags: [Tag] = []
    /// Whether it is kept in spite of all sampling.
    public var isDebug = false
    /// Whether it is the server's half of a span that the client began under the same id.
    public var isShared = false

    /// A span without anything.
    public init() {}

    /// The value of a tag.
    public subscript(tag key: String) -> String? { tags.last { $0.key == key }?.value }
}

extension SpanBatch {
    /// Appends a span.
    public func append(_ record: SpanRecord) throws(SpanDecodingError) {
        var span = TraceSpan()
        span.traceID = record.traceID
        span.parentID = record.parentID
        span.id = record.id
        span.kind = record.kind
        span.name = text(record.name, isSmall: true)
        span.timestamp = record.timestamp
        span.duration = record.duration
        span.local = endpoint(record.local)
        span.remote = endpoint(record.remote)
        span.isDebug = record.isDebug
        span.isShared = record.isShared
        for annotation in record.annotations {
            addAnnotation(annotation.timestamp, text(annotation.value))
        }
        for tag in record.tags { addTag(text(tag.key), text(tag.value)) }
        try append(span)
    }

    private func endpoint(_ record: SpanRecord.Endpoint) -> SpanEndpoint {
        var endpoint = SpanEndpoint()
        endpoint.service = text(record.service, isSmall: true)
        endpoint.ipv4 = record.ipv4
        endpoint.ipv6 = record.ipv6
        endpoint.port = record.port
        return endpoint
    }

    /// A span of the batch by itself.
    public func record(_ span: TraceSpan) -> SpanRecord {
        var record = SpanRecord()
        record.traceID = span.traceID
        record.parentID = span.parentID
        record.id = span.id
        record.kind = span.kind
        record.name = string(span.name)
        record.timestamp = span.timestamp
        record.duration = span.duration
        record.local = self.record(span.local)
        record.remote = self.record(span.remote)
        record.isDebug = span.isDebug
        record.isShared = span.isShared
        record.annotations = annotations(of: span).map {
            SpanRecord.Annotation(timestamp: $0.timestamp, value: string($0.value))
        }
        record.tags = tags(of: span).map { SpanRecord.Tag(string($0.key), string($0.value)) }
        return record
    }

    private func record(_ endpoint: SpanEndpoint) -> SpanRecord.Endpoint {
        var record = SpanRecord.Endpoint(service: string(endpoint.service))
        record.ipv4 = endpoint.ipv4
        record.ipv6 = endpoint.ipv6
        record.port = endpoint.port
        return record
    }

    /// All spans by themselves.
    public var records: [SpanRecord] { spans.map { record($0) } }
}
