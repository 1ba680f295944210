import WeirHost

/// Where a cluster is and how to speak to it.
public struct ElasticsearchConnection: Sendable {
    /// Base URLs, without a slash at the end.
    public var urls = ["http://localhost:9200"]
    /// Headers of every request, `Authorization` among them.
    public var headers: [String] = []
    /// TLS and timeouts.
    public var client = HTTPClientOptions()
    /// How bodies are compressed.
    public var compression = Gzip.Level.none
    /// An ingest pipeline.
    public var pipeline: String?
    /// Largest request in bytes before compression; `nil` for a chunk as a whole.
    public var requestByteLimit: Int?

    /// A cluster on this host.
    public init() {}
}
