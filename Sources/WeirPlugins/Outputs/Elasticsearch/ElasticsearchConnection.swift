import WeirHost

/// Where Elasticsearch is and how to speak to it.
public struct ElasticsearchConnection: Sendable {
    /// One host of a cluster.
    public struct Host: Sendable {
        /// The base URL, without a slash at the end.
        public var url: String
        /// The value of `Authorization`, if the host asks for one.
        public var authorization: String?

        /// A host by its parts.
        public init(url: String, authorization: String? = nil) {
            self.url = url
            self.authorization = authorization
        }
    }

    /// The hosts, which take turns.
    public var hosts = [Host(url: "http://localhost:9200")]
    /// Headers of every request.
    public var headers: [String] = []
    /// TLS and timeouts.
    public var client = HTTPClientOptions()
    /// How bodies are compressed.
    public var compression = Gzip.Level.none
    /// What must be there before the first document: templates, policies, data streams.
    public var preparations: [IndexPreparation] = []
    /// Largest request in bytes before compression; `nil` for a chunk as a whole.
    public var requestByteLimit: Int?

    /// A cluster on this host.
    public init() {}
}
