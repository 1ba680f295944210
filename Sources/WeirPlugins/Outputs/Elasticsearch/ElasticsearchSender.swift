import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline

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
    private let joined = Compressed()
    private let headers: [String]
    private let limit: RequestLimit

    init(_ destination: ElasticsearchDestination) {
        self.destination = destination
        let connection = destination.connection
        client = HTTPClient(connection.client)
        var headers = ["Content-Type: application/x-ndjson"] + connection.headers
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

    /// The index that stands in a request's path; empty where each action names its own.
    private func index(ofEvent number: Int, of chunk: Chunk) -> String {
        guard destination.documents.includesIndexInURL else { return "" }
        return chunk.withEvent(number) { event in
            String(decoding: event.prefix { $0 != 0x0a }, as: UTF8.self)
        }
    }

    /// The chunk's events in runs that go into one request each.
    private func pieces(of chunk: Chunk) -> [Range<Int>] {
        guard destination.documents.includesIndexInURL else { return sizedPieces(of: chunk) }
        var pieces: [Range<Int>] = []
        var start = 0
        for number in 0..<chunk.eventCount {
            let isNew = index(ofEvent: number, of: chunk) != index(ofEvent: start, of: chunk)
            let isLarge = chunk.byteCount(of: start..<(number + 1)) > limit.byteCount ?? .max
            if number > start, isNew || isLarge {
                pieces.append(start..<number)
                start = number
            }
        }
        return pieces + (start < chunk.eventCount ? [start..<chunk.eventCount] : [])
    }

    private func sizedPieces(of chunk: Chunk) -> [Range<Int>] {
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
        let index = index(ofEvent: events.lowerBound, of: chunk)
        switch prepare(index, at: host.host) {
        case nil: break
        case .later(let problem)?:
            progress.retry += events
            progress.reason = problem
            return
        case .never(let problem)?:
            progress.rejected += events.map { Rejection(index: $0, reason: problem) }
            return
        }
        do throws(HTTPError) {
            answer = try post(events, of: chunk, to: host.host)
            destination.noteAnswer(host.index)
        } catch {
            switch error {
            case .aborted: break
            case .tooLarge:
                // Fewer events have a shorter answer.
                destination.noteAnswer(host.index)
                limit.shrink(from: chunk.byteCount(of: events))
            case .interrupted:
                destination.noteFailure(host.index)
                limit.shrink(from: chunk.byteCount(of: events))
            case .unreachable, .untrusted, .misconfigured: destination.noteFailure(host.index)
            }
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
        let index = index(ofEvent: events.lowerBound, of: chunk)
        let url = host.url + (index.isEmpty ? "" : "/\(escapedForPath(index))") + "/_bulk"
        let level = destination.connection.compression
        let body = body(of: events, of: chunk)
        guard level != .none else {
            return try client.send("POST", url, headers: headers, body: body)
        }
        compressed.buffer.truncate(to: 0)
        guard Gzip.compress(body, level: level, into: &compressed.buffer) else {
            throw .misconfigured("the body cannot be compressed")
        }
        return try client.send("POST", url, headers: headers, body: compressed.buffer.bytes)
    }

    /// The request's body: the events as they stand, without the lines that name their index.
    private func body(of events: Range<Int>, of chunk: Chunk) -> UnsafeRawBufferPointer {
        guard destination.documents.includesIndexInURL else { return chunk.bytes(of: events) }
        joined.buffer.truncate(to: 0)
        for number in events {
            chunk.withEvent(number) { event in
                guard let end = event.firstIndex(of: 0x0a) else { return }
                joined.buffer.append(UnsafeRawBufferPointer(rebasing: event[(end + 1)...]))
            }
        }
        return joined.buffer.bytes
    }

    /// Makes what the index needs.
    /// - Returns: Why it could not be made, or `nil`.
    private func prepare(
        _ index: String, at host: ElasticsearchConnection.Host
    ) -> IndexPreparation.Problem? {
        var headers = ["Content-Type: application/json"] + destination.connection.headers
        if let authorization = host.authorization {
            headers.append("Authorization: \(authorization)")
        }
        for preparation in destination.unprepared(index) {
            if let problem = preparation.make(at: host, by: client, headers: headers) {
                return problem
            }
            destination.notePrepared(preparation)
        }
        return nil
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
