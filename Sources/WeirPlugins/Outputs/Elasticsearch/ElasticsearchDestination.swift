import Glibc
import Synchronization
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline

/// Sends chunks to Elasticsearch's bulk API.
public final class ElasticsearchDestination: ChunkDestination {
    let connection: ElasticsearchConnection
    private let documents: DocumentOptions
    let duplicates: Counter
    let splits: Counter
    private let ring: Mutex<HostRing>
    private let clock = SystemClock()

    /// A destination for documents of these options.
    public init(
        _ connection: ElasticsearchConnection, documents: DocumentOptions, registry: Registry,
        name: String
    ) {
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

    public func makeEncoder() -> any ChunkEncoder { DocumentEncoder(documents) }

    public func makeSender() -> any ChunkSender { ElasticsearchSender(self) }

    public func recordText(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        // The action's line comes first, and the source ends with a line feed.
        guard let start = event.firstIndex(of: 0x0a), event.count > start + 2 else { return event }
        return UnsafeRawBufferPointer(rebasing: event[(start + 1)..<(event.count - 1)])
    }

    func nextHost() -> (index: Int, host: ElasticsearchConnection.Host) {
        ring.withLock { $0.next(now: clock.monotonicNanoseconds) }
    }

    func noteAnswer(_ host: Int) { ring.withLock { $0.noteAnswer(host) } }

    func noteFailure(_ host: Int) {
        ring.withLock { $0.noteFailure(host, now: clock.monotonicNanoseconds) }
    }
}

/// Sends chunks on one thread.
final class ElasticsearchSender: ChunkSender {
    /// What was learnt while the pieces of a chunk were sent.
    private struct Progress {
        var retry: [Int] = []
        var rejected: [Rejection] = []
        var reason = ""
        var after: Duration?
    }

    // Safe because a sender is used by one thread; `abort` touches the client's atomic only.
    private final class Compressed: @unchecked Sendable {
        var buffer = ByteBuffer()
    }

    private let destination: ElasticsearchDestination
    private let client: HTTPClient
    private let compressed = Compressed()
    private let headers: [String]
    private let limit: RequestLimit

    init(_ destination: ElasticsearchDestination) {
        self.destination = destination
        let connection = destination.connection
        client = HTTPClient(connection.client)
        var headers = ["Content-Type: \(connection.contentType)"] + connection.headers
        if connection.compression != .none { headers.append("Content-Encoding: gzip") }
        self.headers = headers
        limit = RequestLimit(connection.requestByteLimit)
    }

    func abort() { client.abort() }

    func send(_ chunk: Chunk, rejected: ([Rejection]) -> Void) -> DeliveryOutcome {
        var progress = Progress()
        for piece in pieces(of: chunk) { send(piece, of: chunk, &progress) }
        let total = chunk.eventCount
        rejected(progress.rejected)
        guard !progress.retry.isEmpty else { return .delivered }
        let progressed = progress.retry.count < total
        chunk.keep(events: progress.retry)
        return .retry(reason: progress.reason, after: progress.after, progressed: progressed)
    }

    private func path(_ key: ChunkKey) -> String {
        guard let pipeline = destination.connection.pipeline else { return "/_bulk" }
        return "/_bulk?pipeline=\(ChunkText.filled(pipeline, from: key))"
    }

    /// The chunk's events in runs that fit into one request each.
    private func pieces(of chunk: Chunk) -> [Range<Int>] {
        guard let limit = limit.byteCount, chunk.byteCount > limit else {
            return [0..<chunk.eventCount]
        }
        var pieces: [Range<Int>] = []
        var start = 0
        for index in 0..<chunk.eventCount where index > start {
            if chunk.byteCount(of: start..<(index + 1)) > limit {
                pieces.append(start..<index)
                start = index
            }
        }
        return pieces + (start < chunk.eventCount ? [start..<chunk.eventCount] : [])
    }

    private func send(_ events: Range<Int>, of chunk: Chunk, _ progress: inout Progress) {
        if !progress.reason.isEmpty, progress.after != nil || progress.retry.count > 0 {
            // The cluster just asked for a pause: the rest waits with what was refused.
            progress.retry += events
            return
        }
        let host = destination.nextHost()
        let answer: HTTPAnswer
        do throws(HTTPError) {
            answer = try post(events, of: chunk, to: host.host)
            destination.noteAnswer(host.index)
        } catch {
            if error != .aborted { destination.noteFailure(host.index) }
            if case .interrupted = error { limit.shrink(from: chunk.byteCount(of: events)) }
            progress.retry += events
            progress.reason = "\(host.host.url): \(error)"
            return
        }
        switch answer.status {
        case 200:
            take(client.body.bytes, for: events, &progress)
            if progress.retry.isEmpty {
                limit.grow()
            } else {
                limit.shrink(from: chunk.byteCount(of: events))
                progress.after = answer.retryAfter
            }
        case 413, 400: halve(events, of: chunk, answer.status, &progress)
        default:
            if answer.status == 429 || answer.status >= 500 {
                limit.shrink(from: chunk.byteCount(of: events))
            }
            progress.retry += events
            progress.after = answer.retryAfter
            progress.reason = "\(host.host.url) answered \(answer.status)"
        }
    }

    private func post(
        _ events: Range<Int>, of chunk: Chunk, to host: ElasticsearchConnection.Host
    ) throws(HTTPError) -> HTTPAnswer {
        var headers = headers
        if let authorization = host.authorization {
            headers.append("Authorization: \(authorization)")
        }
        let url = host.url + path(chunk.key)
        let level = destination.connection.compression
        let body = chunk.bytes(of: events)
        guard level != .none else {
            return try client.send("POST", url, headers: headers, body: body)
        }
        compressed.buffer.truncate(to: 0)
        guard Gzip.compress(body, level: level, into: &compressed.buffer) else {
            throw .misconfigured("the body cannot be compressed")
        }
        return try client.send("POST", url, headers: headers, body: compressed.buffer.bytes)
    }

    private func take(
        _ body: UnsafeRawBufferPointer, for events: Range<Int>, _ progress: inout Progress
    ) {
        let (answer, duplicates) = BulkAnswer.read(body, itemCount: events.count)
        destination.duplicates.add(duplicates)
        switch answer {
        case .allDone: break
        case .some(let retry, let rejected, let reason):
            progress.retry += retry.map { events.lowerBound + $0 }
            progress.rejected += rejected.map {
                Rejection(index: events.lowerBound + $0.index, reason: $0.reason)
            }
            if !reason.isEmpty { progress.reason = reason }
        case .unreadable(let reason):
            progress.retry += events
            progress.reason = reason
        }
    }

    /// Sends a request that was too large, or that Elasticsearch could not read, in two halves, down
    /// to the one event that is to blame.
    private func halve(
        _ events: Range<Int>, of chunk: Chunk, _ status: Int, _ progress: inout Progress
    ) {
        guard events.count > 1 else {
            let text = String(decoding: client.body.bytes.prefix(500), as: UTF8.self)
            progress.rejected.append(
                Rejection(index: events.lowerBound, reason: "\(status) \(text)"))
            return
        }
        destination.splits.add()
        let middle = events.lowerBound + events.count / 2
        send(events.lowerBound..<middle, of: chunk, &progress)
        send(middle..<events.upperBound, of: chunk, &progress)
    }
}
