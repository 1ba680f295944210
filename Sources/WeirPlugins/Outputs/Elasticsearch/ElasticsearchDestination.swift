import Glibc
import Synchronization
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline

/// Sends chunks to Elasticsearch's bulk API.
public final class ElasticsearchDestination: ChunkDestination {
    let connection: ElasticsearchConnection
    let documents: DocumentOptions
    let duplicates: Counter
    let splits: Counter
    private let ring: Mutex<HostRing>
    private let prepared = Mutex<Set<String>>([])
    private let clock: any PipelineClock
    private let encoder: @Sendable () -> any ChunkEncoder

    /// A destination for documents of these options.
    public convenience init(
        _ connection: ElasticsearchConnection, documents: DocumentOptions, registry: Registry,
        name: String, clock: any PipelineClock = SystemClock()
    ) {
        self.init(
            connection, documents: documents, registry: registry, name: name, clock: clock
        ) { DocumentEncoder(documents) }
    }

    /// A destination for documents that an encoder of another kind writes.
    init(
        _ connection: ElasticsearchConnection, documents: DocumentOptions = DocumentOptions(),
        registry: Registry, name: String, clock: any PipelineClock,
        encoder: @escaping @Sendable () -> any ChunkEncoder
    ) {
        self.clock = clock
        self.encoder = encoder
        self.connection = connection
        self.documents = documents
        ring = Mutex(HostRing(connection.hosts))
        let labels = [Label("output", name)]
        duplicates = registry.counter(
            MetricDescription(
                "weir_elasticsearch_duplicates_absorbed_total",
                "Documents that were already stored when they were sent again."), labels)
        splits = registry.counter(
            MetricDescription(
                "weir_elasticsearch_split_requests_total",
                "Requests sent again in halves, because they were too large or malformed."), labels)
    }

    public func makeEncoder() -> any ChunkEncoder { encoder() }

    public func makeSender() -> any ChunkSender { ElasticsearchSender(self) }

    public func recordText(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        // The index's line, if there is one, and the action's come first; the source ends the event.
        guard event.count > 2, let start = event.dropLast().lastIndex(of: 0x0a) else {
            return event
        }
        return UnsafeRawBufferPointer(rebasing: event[(start + 1)..<(event.count - 1)])
    }

    func nextHost() -> (index: Int, host: ElasticsearchConnection.Host) {
        ring.withLock { $0.next(now: clock.monotonicNanoseconds) }
    }

    func noteAnswer(_ host: Int) { ring.withLock { $0.noteAnswer(host) } }

    func noteFailure(_ host: Int) {
        ring.withLock { $0.noteFailure(host, now: clock.monotonicNanoseconds) }
    }

    /// What of the preparations for an index has not been made yet.
    func unprepared(_ index: String) -> [IndexPreparation] {
        guard !connection.preparations.isEmpty else { return [] }
        let all = connection.preparations.map { $0.filled(index) }
        return prepared.withLock { prepared in all.filter { !prepared.contains($0.path) } }
    }

    /// Notes that a preparation was made.
    func notePrepared(_ preparation: IndexPreparation) {
        prepared.withLock { prepared in
            if prepared.count >= Self.preparedLimit { prepared.removeAll() }
            prepared.insert(preparation.path)
        }
    }

    /// Most preparations remembered as made.
    private static let preparedLimit = 10_000
}
