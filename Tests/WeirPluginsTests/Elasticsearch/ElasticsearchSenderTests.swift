import Testing
import WeirCore
import WeirHost
import WeirMetrics
import WeirTesting

@testable import WeirPipeline
@testable import WeirPlugins

@Suite("A chunk on its way to Elasticsearch", .timeLimit(.minutes(2)))
struct ElasticsearchSenderTests {
    private var rig: ElasticsearchRig

    init() throws {
        rig = try ElasticsearchRig()
    }

    /// Sends a chunk of numbered events once, and leaves in it what is to be sent again.
    private func send(_ chunk: Chunk, _ destination: ElasticsearchDestination) -> Delivery {
        Delivery(of: chunk, by: destination.makeSender())
    }

    @Test func `is delivered by one request, and its documents stand in their order`() {
        let destination = rig.destination()
        let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...5), for: destination)
        #expect(send(chunk, destination).end == .delivered)
        #expect(rig.bulkSizes == [5])
        #expect(rig.storedNumbers == [1, 2, 3, 4, 5])
        #expect(rig.standIn.violations.isEmpty)
    }

    @Test(arguments: [429, 503])
    func `keeps only the items of which the cluster had too much`(status: Int) {
        let destination = rig.destination()
        let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...4), for: destination)
        rig.standIn.follow([.refusesItems(status: status, every: 2)])
        let first = send(chunk, destination)
        #expect(first.end == .retry(after: nil, progressed: true))
        #expect(first.reason == "\(status) stand_in_exception refused with \(status)")
        #expect(first.rejected.isEmpty)
        #expect(rig.storedNumbers == [1, 3])
        #expect(chunk.eventCount == 2)
        #expect(send(chunk, destination).end == .delivered)
        #expect(rig.storedNumbers == [1, 3, 2, 4])
        #expect(rig.bulkSizes == [4, 2])
    }

    @Test func `hands refused items on with Elasticsearch's reason, and is delivered`() {
        let destination = rig.destination()
        let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...4), for: destination)
        rig.standIn.follow([.refusesItems(status: 400, every: 2)])
        let delivery = send(chunk, destination)
        #expect(delivery.end == .delivered)
        #expect(delivery.rejected == [1, 3])
        #expect(delivery.reasons.first == "400 stand_in_exception refused with 400")
        #expect(rig.storedNumbers == [1, 3])
    }

    @Test func `is delivered once, however often it is sent`() {
        let registry = Registry()
        let destination = rig.destination(registry)
        for _ in 0..<3 {
            let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...2), for: destination)
            #expect(send(chunk, destination).end == .delivered)
        }
        #expect(rig.storedNumbers == [1, 2])
        #expect(rig.standIn.duplicateCount == 4)
        #expect(destination.duplicates.value == 4)
    }

    @Test func `is sent in halves where it is too large, down to the event that is`() {
        let destination = rig.destination()
        let lines =
            ElasticsearchRig.lines(1...4) + [
                "{\"n\":5,\"x\":\"\(String(repeating: "y", count: 400))\"}"
            ]
        let chunk = ElasticsearchRig.chunk(lines, for: destination)
        rig.standIn.setMood(.limited(byteCount: 300))
        let delivery = send(chunk, destination)
        #expect(delivery.end == .delivered)
        #expect(delivery.rejected == [4])
        #expect(delivery.reasons.first?.hasPrefix("413 ") == true)
        #expect(rig.storedNumbers == [1, 2, 3, 4])
        #expect(destination.splits.value >= 2)
    }

    @Test func `is sent in halves where it cannot be read, down to the event that is to blame`() {
        let destination = rig.destination()
        let good = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...4), for: destination)
        let chunk = Chunk(key: ChunkKey(), body: ByteBuffer(), createdAt: 0)
        for index in 0..<4 {
            good.withEvent(index) { chunk.body.append($0) }
            if index == 2 { chunk.body.append("no source\n") }
            chunk.closeEvent()
        }
        let delivery = send(chunk, destination)
        #expect(delivery.end == .delivered)
        #expect(delivery.rejected == [2])
        #expect(delivery.reasons.first?.hasPrefix("400 ") == true)
        #expect(Set(rig.storedNumbers).isSuperset(of: [1, 2, 4]))
    }

    @Test(arguments: [429, 500, 502, 503, 401, 404, 302])
    func `is kept whole where the request is answered so`(status: Int) {
        let destination = rig.destination()
        let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...3), for: destination)
        rig.standIn.follow([.refuses(status: status, retryAfter: nil)])
        let delivery = send(chunk, destination)
        #expect(delivery.end == .retry(after: nil, progressed: false))
        #expect(delivery.reason.hasSuffix("answered \(status)"))
        #expect(chunk.eventCount == 3)
        #expect(send(chunk, destination).end == .delivered)
        #expect(rig.storedNumbers == [1, 2, 3])
    }

    @Test func `waits as long as the cluster asks`() {
        let destination = rig.destination()
        let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...2), for: destination)
        rig.standIn.follow([.refuses(status: 429, retryAfter: 7)])
        #expect(send(chunk, destination).end == .retry(after: .seconds(7), progressed: false))
    }

    @Test(arguments: [
        "", "{}", "no json", "{\"took\":1,\"errors\":false,\"items\":[]}",
        "{\"took\":1,\"errors\":false,\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"stat",
    ])
    func `is sent again where the answer does not tell what became of it`(answer: String) {
        let destination = rig.destination()
        let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...2), for: destination)
        rig.standIn.follow([.says(answer)])
        #expect(send(chunk, destination).end == .retry(after: nil, progressed: false))
        #expect(chunk.eventCount == 2)
        #expect(send(chunk, destination).end == .delivered)
        #expect(rig.storedNumbers == [1, 2])
    }

    @Test func `is sent again where the answer has fewer items than it`() {
        let destination = rig.destination()
        let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...3), for: destination)
        rig.standIn.follow([.forgetsLastItem])
        let delivery = send(chunk, destination)
        #expect(delivery.end == .retry(after: nil, progressed: false))
        #expect(delivery.reason == "the answer has 2 items for 3")
        #expect(send(chunk, destination).end == .delivered)
        #expect(rig.storedNumbers == [1, 2, 3])
        #expect(destination.duplicates.value == 3)
    }

    @Test(arguments: [
        "", "HTTP/1.1 20",
        "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"took\":1,\"errors\":false,",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3b\r\n{\"errors\":false,\"items\":"
            + "[{\"create\":{\"status\":201}}]}       \r\n",
    ])
    func `is sent again where the connection ends within the answer`(answer: String) throws {
        let peer = try CutOffPeer(answering: [answer])
        var rig = rig
        rig.connection.hosts = [ElasticsearchRig.host(peer.port)]
        let destination = rig.destination()
        let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...1), for: destination)
        #expect(send(chunk, destination).end == .retry(after: nil, progressed: false))
        #expect(chunk.eventCount == 1)
        #expect(peer.requestCount == 1)
    }

    @Test(arguments: [Gzip.Level.fast, .standard, .small])
    func `is compressed where that is asked for`(level: Gzip.Level) {
        var rig = rig
        rig.connection.compression = level
        let destination = rig.destination()
        let chunk = ElasticsearchRig.chunk(
            ElasticsearchRig.lines(1...3, padding: 1000), for: destination)
        #expect(send(chunk, destination).end == .delivered)
        #expect(rig.storedNumbers == [1, 2, 3])
        let headers = rig.bulks.first?.headers ?? []
        #expect(headers.contains { $0.name == "content-encoding" && $0.value == "gzip" })
        let length = headers.first { $0.name == "content-length" }.flatMap { Int($0.value) }
        #expect(length.map { $0 < chunk.byteCount / 2 } ?? false)
    }

    @Test func `leaves a dead host alone for a while and goes to the other`() throws {
        let dead = try ElasticsearchStandIn()
        dead.stop()
        var rig = rig
        rig.connection.hosts = [
            ElasticsearchRig.host(dead.port), ElasticsearchRig.host(rig.standIn.port),
        ]
        let destination = rig.destination()
        let sender = destination.makeSender()
        let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...1), for: destination)
        let delivery = Delivery(of: chunk, by: sender)
        #expect(delivery.end == .retry(after: nil, progressed: false))
        #expect(delivery.reason.contains(":\(dead.port)"))
        for number in 1...4 {
            let next = ElasticsearchRig.chunk(
                ElasticsearchRig.lines(number...number), for: destination)
            #expect(Delivery(of: next, by: sender).end == .delivered)
        }
        rig.clock.advance(.seconds(1))
        try dead.restart()
        defer { dead.stop() }
        for number in 5...6 {
            let next = ElasticsearchRig.chunk(
                ElasticsearchRig.lines(number...number), for: destination)
            #expect(Delivery(of: next, by: sender).end == .delivered)
        }
        #expect(dead.documents.count == 1)
        #expect(rig.storedNumbers.count == 5)
    }

    @Test func `is sent in smaller requests after a refusal, and in larger ones again`() {
        let destination = rig.destination()
        let sender = destination.makeSender()
        let lines = ElasticsearchRig.lines(1...8, padding: 50_000)
        let chunk = ElasticsearchRig.chunk(lines, for: destination)
        rig.standIn.follow([.refuses(status: 429, retryAfter: nil)])
        #expect(Delivery(of: chunk, by: sender).end == .retry(after: nil, progressed: false))
        for _ in 0..<3 {
            let next = ElasticsearchRig.chunk(lines, for: destination)
            #expect(Delivery(of: next, by: sender).end == .delivered)
        }
        #expect(rig.bulkSizes == [8, 4, 4, 8, 8])
    }

    @Test func `is sent in smaller requests where the answer is too large to be read`() {
        var rig = rig
        rig.connection.client.answerByteLimit = 400
        let destination = rig.destination()
        let sender = destination.makeSender()
        let lines = ElasticsearchRig.lines(1...8, padding: 50_000)
        let chunk = ElasticsearchRig.chunk(lines, for: destination)
        #expect(Delivery(of: chunk, by: sender).end == .retry(after: nil, progressed: false))
        for _ in 0..<3 where chunk.eventCount > 0 {
            if Delivery(of: chunk, by: sender).end == .delivered { break }
        }
        #expect(rig.bulkSizes.count > 2)
        #expect(rig.bulkSizes.allSatisfy { $0 == 8 } == false)
        #expect(destination.nextHost().index == 0)
    }
}
