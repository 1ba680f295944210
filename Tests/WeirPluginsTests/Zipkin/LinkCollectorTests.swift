import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPlugins

@Suite("Links told as events") struct LinkCollectorTests {
    private static let call = """
        [{"traceId":"1","id":"1","kind":"CLIENT","timestamp":1692354579079400,\
        "localEndpoint":{"serviceName":"web"}},\
        {"traceId":"1","id":"2","parentId":"1","kind":"SERVER","timestamp":1692354579079500,\
        "localEndpoint":{"serviceName":"app"},"tags":{"error":"x"}}]
        """

    private func links(_ rig: ZipkinRig) -> [Record] {
        zip(rig.events.tags, rig.events.records).filter { $0.0 == "zipkin.dependency" }.map(\.1)
    }

    private func check(_ link: Record?) {
        #expect(link?["parent"] == .string("web"))
        #expect(link?["child"] == .string("app"))
        #expect(link?["callCount"] == .integer(1))
        #expect(link?["errorCount"] == .integer(1))
        #expect(link?["linkOrigin"]?.string?.hasPrefix("node-") ?? false)
    }

    @Test(arguments: [
        "", "<sampling>\n<policy all>\nwhen always\n</policy>\n</sampling>\n",
    ])
    func `at the end of the source all is told`(sampling: String) throws {
        let rig = try ZipkinRig("\(sampling)<dependencies>\n</dependencies>")
        #expect(try rig.post(Self.call.utf8).status == 202)
        #expect(links(rig).isEmpty)
        rig.source.stop()
        #expect(links(rig).count == 1)
        check(links(rig).first)
        rig.context.series.activate()
        let labels = #"client="web",server="app""#
        #expect(rig.count("traces_service_graph_request_total", labels) == 1)
        #expect(rig.count("traces_service_graph_request_failed_total", labels) == 1)
    }

    @Test func `the metrics count each call once`() throws {
        let rig = try ZipkinRig("<dependencies>\ninterval 0.05\nwindow 0\n</dependencies>")
        for number in 1...3 {
            rig.events.holds = true
            #expect(try rig.post(Self.call.utf8).status == 202)
            while links(rig).count < number { rig.events.release() }
        }
        rig.source.stop()
        #expect(links(rig).last?["callCount"] == .integer(3))
        rig.context.series.activate()
        #expect(rig.count("traces_service_graph_request_total") == 3)
    }

    @Test func `each interval tells what changed`() throws {
        let rig = try ZipkinRig("<dependencies>\ninterval 0.05\nwindow 0\n</dependencies>")
        rig.events.holds = true
        #expect(try rig.post(Self.call.utf8).status == 202)
        // Waits for the spans, and then for the interval's events.
        while links(rig).isEmpty { rig.events.release() }
        check(links(rig).first)
        #expect(links(rig).count == 1)
        rig.source.stop()
        #expect(links(rig).count == 1)
    }

    @Test func `their documents are of the day, and their ids of the agent's start`() {
        let batch = ElasticsearchRig.batch([
            #"{"parent":"web","child":"app","callCount":1,"linkOrigin":"node-7"}"#
        ])
        batch.setTime(Timestamp(seconds: 1_692_316_800), row: 0)
        let encoder = SpanDocumentEncoder(.init())
        encoder.begin(batch)
        var buffer = ByteBuffer()
        #expect(encoder.append(row: 0, of: batch, to: &buffer) == nil)
        #expect(
            String(decoding: buffer.bytes, as: UTF8.self)
                == #"{"index":{"_index":"zipkin-dependency-2023-08-18","_id":"web|app|node-7"}}"#
                + "\n" + #"{"parent":"web","child":"app","callCount":1}"# + "\n")
    }
}
