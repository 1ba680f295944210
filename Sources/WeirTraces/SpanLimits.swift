/// How much of what a sender sends is taken.
public struct SpanLimits: Sendable {
    /// Most spans of one request; more refuse the request.
    public var spans = 20_000
    /// Most tags of a span; more are left out.
    public var tags = 512
    /// Most annotations of a span; more are left out.
    public var annotations = 512
    /// Most bytes of a name, a tag's key or value, or an annotation; longer ones are cut.
    public var textBytes = 64 * 1024

    /// The defaults.
    public init() {}
}

/// What the limits cost a sender.
public struct LimitedSpans: Sendable, Equatable {
    /// Tags left out.
    public var tags = 0
    /// Annotations left out.
    public var annotations = 0
    /// Texts cut.
    public var texts = 0

    /// Nothing.
    public init() {}
}

/// Why spans cannot be read.
public struct SpanDecodingError: Error, Equatable, CustomStringConvertible {
    /// What is wrong, and where.
    public var description: String
    /// Whether there is too much of it, not something wrong with it.
    public var isOverLimit = false

    init(_ description: String, isOverLimit: Bool = false) {
        self.description = description
        self.isOverLimit = isOverLimit
    }
}
