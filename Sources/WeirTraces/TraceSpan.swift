/// Where a text stands in the bytes of its ``SpanBatch``.
public struct SpanText: Sendable {
    private static let plainBit: UInt32 = 1 << 31

    var offset: UInt32
    private let countAndForm: UInt32

    /// Bytes of UTF-8.
    public var count: UInt32 { countAndForm & ~Self.plainBit }

    /// Whether JSON takes the bytes as they stand, without escapes.
    var isPlain: Bool { countAndForm & Self.plainBit != 0 }

    init(offset: UInt32, count: UInt32, isPlain: Bool = false) {
        self.offset = offset
        countAndForm = count & ~Self.plainBit | (isPlain ? Self.plainBit : 0)
    }

    /// No text.
    public static let none = SpanText(offset: 0, count: 0)

    /// Whether there is no text, which is the same as an empty one.
    public var isEmpty: Bool { count == 0 }
}

/// What a span is in a call or in messaging (zipkin2.Span.Kind).
public enum SpanKind: UInt8, Sendable, CaseIterable {
    /// A step within a service.
    case none = 0
    case client = 1
    case server = 2
    case producer = 3
    case consumer = 4

    /// The kind in Zipkin's words, empty for none.
    public var name: StaticString {
        switch self {
        case .none: ""
        case .client: "CLIENT"
        case .server: "SERVER"
        case .producer: "PRODUCER"
        case .consumer: "CONSUMER"
        }
    }
}

/// An address of 16 bytes, in network order.
public struct IPv6Address: Hashable, Sendable {
    var high: UInt64
    var low: UInt64

    /// The bytes in network order.
    public var bytes: [UInt8] {
        [high, low].flatMap { withUnsafeBytes(of: $0.bigEndian) { Array($0) } }
    }
}

/// A network address with the service that was there.
public struct SpanEndpoint: Sendable {
    /// The service, in small letters.
    public var service = SpanText.none
    /// The address of 32 bits, the first byte highest.
    public var ipv4: UInt32?
    /// The address of 128 bits.
    public var ipv6: IPv6Address?
    /// The port; 0 when unknown.
    public var port: UInt16 = 0

    /// Whether nothing is known of it.
    public var isEmpty: Bool { service.isEmpty && ipv4 == nil && ipv6 == nil && port == 0 }

    /// An endpoint of which nothing is known.
    public init() {}
}

/// A tag of a span.
public struct SpanTag: Sendable {
    /// The first eight bytes of the name, the first one highest, for a quick order.
    var prefix: UInt64 = 0
    /// The name.
    public var key: SpanText
    /// The value.
    public var value: SpanText
}

/// Something that happened at a time within a span.
public struct SpanAnnotation: Sendable {
    /// Microseconds since 1970.
    public var timestamp: UInt64
    /// What happened.
    public var value: SpanText
}

/// One span of a ``SpanBatch``, as Zipkin's model has it (zipkin2.Span): its texts, tags and
/// annotations lie in the batch.
public struct TraceSpan: Sendable {
    /// The trace.
    public var traceID = TraceID.none
    /// The span that called this one; 0 for none.
    public var parentID: UInt64 = 0
    /// The span's own id.
    public var id: UInt64 = 0
    /// Its part in a call.
    public var kind = SpanKind.none
    /// Whether it is kept in spite of all sampling.
    public var isDebug = false
    /// Whether it is the server's half of a span that the client began under the same id.
    public var isShared = false
    /// What was done, in small letters.
    public var name = SpanText.none
    /// When it began, in microseconds since 1970; 0 when unknown.
    public var timestamp: UInt64 = 0
    /// How long it took, in microseconds; 0 when unknown.
    public var duration: UInt64 = 0
    /// Where it was recorded.
    public var local = SpanEndpoint()
    /// The other side of the call.
    public var remote = SpanEndpoint()
    var firstAnnotation: UInt32 = 0
    var annotationCount: UInt32 = 0
    var firstTag: UInt32 = 0
    var tagCount: UInt32 = 0

    /// A span without anything.
    public init() {}
}
