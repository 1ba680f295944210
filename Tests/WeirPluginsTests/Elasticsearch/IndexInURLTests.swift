import Testing
import WeirCore
import WeirHost
import WeirTesting

@testable import WeirPipeline
@testable import WeirPlugins

@Suite("A chunk whose index stands in the request's path", .timeLimit(.minutes(2)))
struct IndexInURLTests {
    private var rig: ElasticsearchRig

    init() throws {
        rig = try ElasticsearchRig()
        rig.documents.includesIndexInURL = true
        rig.documents.index = .name("${s}")
    }

    private func send(_ lines: [String]) -> Delivery {
        let destination = rig.destination()
        let chunk = ElasticsearchRig.chunk(lines, for: destination)
        return Delivery(of: chunk, by: destination.makeSender())
    }

    @Test func `is sent by one request for each run of events of one index`() {
        let lines = ["a", "a", "b", "a"].map { "{\"s\":\"\($0)\"}" }
        #expect(send(lines).end == .delivered)
        #expect(rig.bulks.map(\.path) == ["/a/_bulk", "/b/_bulk", "/a/_bulk"])
        #expect(rig.bulkSizes == [2, 1, 1])
    }

    @Test(arguments: [
        ("a b", "/a%20b/_bulk"), ("../x?y#z", "/..%2Fx%3Fy%23z/_bulk"), ("é%", "/%C3%A9%25/_bulk"),
        ("a\\nb", "/a%5Cnb/_bulk"), ("<a-{now/d}>", "/%3Ca-%7Bnow%2Fd%7D%3E/_bulk"),
        ("a-1_b.c~", "/a-1_b.c~/_bulk"),
    ])
    func `is sent whatever the name, which stays one part of the path`(name: String, path: String) {
        #expect(send(["{\"s\":\"\(name)\"}"]).end == .delivered)
        #expect(rig.bulks.map(\.path) == [path])
    }

    @Test func `is cut at the limit of a request`() {
        var rig = rig
        rig.documents.index = .name("a")
        rig.connection.requestByteLimit = 3 * 1100
        let destination = rig.destination()
        let lines = ElasticsearchRig.lines(1...7, padding: 1000)
        let chunk = ElasticsearchRig.chunk(lines, for: destination)
        #expect(Delivery(of: chunk, by: destination.makeSender()).end == .delivered)
        #expect(rig.bulkSizes == [3, 3, 1])
    }

    @Test func `is refused as far as its index cannot be made, and goes on behind it`() {
        var rig = rig
        rig.connection.preparations = [IndexPreparation(path: "/_data_stream/${index}", body: nil)]
        let destination = rig.destination()
        let lines = ["a", "no good", "b"].map { "{\"s\":\"\($0)\"}" }
        let chunk = ElasticsearchRig.chunk(lines, for: destination)
        let delivery = Delivery(of: chunk, by: destination.makeSender())
        #expect(delivery.end == .delivered)
        #expect(delivery.rejected == [1])
        #expect(delivery.reasons.first?.contains("/_data_stream/no%20good answered 400") == true)
        #expect(rig.bulks.map(\.path) == ["/a/_bulk", "/b/_bulk"])
    }
}
