import Synchronization
import WeirCore
import WeirHost
import WeirMetrics
import WeirTesting

@testable import WeirPipeline
@testable import WeirPlugins

/// A destination at work on a stand-in, with a clock that stands.
struct ElasticsearchRig {
    let standIn: ElasticsearchStandIn
    let clock = ManualClock()
    var connection = ElasticsearchConnection()
    var documents = DocumentOptions()

    init() throws {
        standIn = try ElasticsearchStandIn()
        connection.hosts = [Self.host(standIn.port)]
        documents.index = .name("logs")
    }

    static func host(_ port: Int) -> ElasticsearchConnection.Host {
        ElasticsearchConnection.Host(url: "http://127.0.0.1:\(port)")
    }

    func destination(_ registry: Registry = Registry()) -> ElasticsearchDestination {
        ElasticsearchDestination(
            connection, documents: documents, registry: registry, name: "es", clock: clock)
    }

    /// A batch of lines of a file.
    static func batch(_ lines: [String]) -> EventBatch {
        let batch = EventBatch(blockCapacity: max(64, lines.reduce(0) { $0 + $1.utf8.count + 1 }))
        var text = lines.map { $0 + "\n" }.joined()
        text.withUTF8 { batch.fillBlock(copying: UnsafeRawBufferPointer($0)) }
        batch.tag = "t"
        batch.origin = Origin(high: 7, low: 9)
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: Timestamp(seconds: 1_795_521_600))
        return batch
    }

    /// A chunk of the events of some lines.
    static func chunk(_ lines: [String], for destination: ElasticsearchDestination) -> Chunk {
        let chunk = Chunk(key: ChunkKey(), body: ByteBuffer(), createdAt: 0)
        let encoder = destination.makeEncoder()
        let batch = batch(lines)
        encoder.begin(batch)
        for row in batch.rows.indices {
            _ = encoder.append(row: row, of: batch, to: &chunk.body)
            chunk.closeEvent()
        }
        return chunk
    }

    /// Lines that hold a number each.
    static func lines(_ numbers: ClosedRange<Int>, padding: Int = 0) -> [String] {
        let filler = String(repeating: "x", count: padding)
        return numbers.map { "{\"n\":\($0)\(padding > 0 ? ",\"x\":\"\(filler)\"" : "")}" }
    }

    /// The bulk requests that came.
    var bulks: [ElasticsearchStandIn.Request] {
        standIn.requests.filter { $0.path.hasSuffix("_bulk") }
    }

    /// How many documents each bulk request had.
    var bulkSizes: [Int] { bulks.map { $0.body.split(separator: "\n").count / 2 } }

    /// The numbers of the documents stored, in their order.
    var storedNumbers: [Int] {
        standIn.documents.compactMap { document in
            JSONValueReader.value(of: document.source)?.object?["n"]?.integer.map { Int($0) }
        }
    }
}

/// What became of a chunk, in a form that can be compared.
struct Delivery: Equatable {
    enum End: Equatable {
        case delivered
        case retry(after: Duration?, progressed: Bool)
        case refused
    }

    var end: End
    var reason = ""
    /// The events refused, by their place in the chunk.
    var rejected: [Int] = []
    var reasons: [String] = []

    /// Sends a chunk.
    init(of chunk: Chunk, by sender: any ChunkSender) {
        var rejections: [Rejection] = []
        switch sender.send(chunk, rejected: { rejections += $0 }) {
        case .delivered: end = .delivered
        case .retry(let reason, let after, let progressed):
            end = .retry(after: after, progressed: progressed)
            self.reason = reason
        case .refused(let reason):
            end = .refused
            self.reason = reason
        }
        rejected = rejections.map(\.index)
        reasons = rejections.map(\.reason)
    }
}
