import Testing
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirTesting

@testable import WeirPlugins

@Suite("Sampling of spans") struct SamplingTests {
    private func span(_ trace: Int, _ more: String = "") -> String {
        #"{"traceId":"\#(trace)","id":"1"\#(more)}"#
    }

    private func post(_ rig: ZipkinRig, _ spans: String...) throws {
        #expect(try rig.post("[\(spans.joined(separator: ","))]".utf8).status == 202)
    }

    private func traces(_ rig: ZipkinRig) -> [Int] {
        rig.events.records.compactMap { $0["traceId"]?.string.flatMap { Int($0) } }.sorted()
    }

    @Test func `a rate keeps the same traces everywhere, and what is to be debugged`() throws {
        let rig = try ZipkinRig("<sampling>\nrate 0.5\n</sampling>")
        try post(
            rig, span(1), #"{"traceId":"7fffffffffffffff","id":"1"}"#,
            #"{"traceId":"7ffffffffffffffe","id":"1","debug":true}"#)
        #expect(rig.events.records.count == 2)
        #expect(rig.count("weir_zipkin_sampled_spans_total", "dropped_by_rate") == 1)
        #expect(rig.count("weir_zipkin_sampled_spans_total", #""kept""#) == 2)
    }

    private static let policies = """
        <sampling>
          window 60s
          <policy health>
            when attribute
            key http.path
            pattern /^.health/
            keep false
          </policy>
          <policy errors>
            when error
          </policy>
          <policy slow>
            when latency
            threshold 0.5s
          </policy>
          <policy log>
            when access_log
          </policy>
        </sampling>
        """

    @Test func `policies decide of whole traces, and each is counted`() throws {
        let rig = try ZipkinRig(Self.policies)
        try post(rig, span(1, #","tags":{"error":""}"#), span(2), span(3, #","duration":500000"#))
        try post(
            rig, span(1), span(4, #","tags":{"http.path":"/health","error":"true"}"#),
            span(5, #","tags":{"guid:x-request-id":"r-5"}"#),
            span(6, #","tags":{"guid:x-request-id":"r-6"}"#))
        try signal(
            rig,
            [
                #"{"request_id":"r-5","response_code":503,"response_flags":"UF"}"#,
                #"{"request_id":"r-6","response_code":200,"response_flags":"-"}"#,
            ])
        #expect(rig.events.records.isEmpty)
        // The end of the source is the end of all waiting.
        rig.source.stop()
        #expect(traces(rig) == [1, 1, 3, 5])
        let name = "weir_zipkin_sampling_decisions_total"
        for (policy, decision, count) in [
            ("health", "dropped", 1), ("errors", "kept", 1), ("slow", "kept", 1),
            ("log", "kept", 1), ("none", "dropped", 2), ("errors", "dropped", 0),
        ] {
            let found = rig.registry.textExposition().split(separator: "\n").first {
                $0.hasPrefix(name) && $0.contains("\"\(policy)\"") && $0.contains("\"\(decision)\"")
            }
            #expect(found?.hasSuffix(" \(count)") ?? false, "\(policy) \(decision)")
        }
        #expect(rig.count("weir_zipkin_sampled_spans_total", #""kept""#) == 4)
        #expect(rig.count("weir_zipkin_sampled_spans_total", #""dropped""#) == 3)
    }

    /// Sends lines of an access log through the filter that tells of them.
    private func signal(_ rig: ZipkinRig, _ lines: [String]) throws {
        let read = ComponentSection.read(
            "<filter **>\n@type sampling_signals\n</filter>", as: .filter)
        let section = try #require(read.section)
        let filter = SamplingSignalsFilter(section, name: "signals", context: rig.context)
        filter.apply(to: ElasticsearchRig.batch(lines)) { _, _ in }
    }

    @Test func `a trace goes on when its time is over, and its late spans after it`() throws {
        let rig = try ZipkinRig(
            "<sampling>\nwindow 0.05\n<policy all>\nwhen always\n</policy>\n</sampling>")
        rig.events.holds = true
        try post(rig, span(1))
        // Waits until the window has sent it on.
        rig.events.release()
        try post(rig, span(1))
        #expect(traces(rig) == [1, 1])
        #expect(rig.count("weir_zipkin_late_spans_total", #""kept""#) == 1)
    }

    @Test func `a late span to be debugged goes on, also when its trace was left out`() throws {
        let rig = try ZipkinRig(
            "<sampling>\nwindow 0.05\n<policy some>\nwhen latency\nthreshold 1s\n</policy>\n"
                + "</sampling>")
        rig.events.holds = true
        try post(rig, span(1), #"{"traceId":"2","id":"1","duration":2000000}"#)
        // Waits until the window has decided of both.
        rig.events.release()
        try post(rig, span(1), span(1, #","debug":true"#))
        #expect(traces(rig) == [1, 2])
        #expect(rig.count("weir_zipkin_late_spans_total", #""kept""#) == 1)
        #expect(rig.count("weir_zipkin_late_spans_total", #""dropped""#) == 1)
    }

    @Test func `outputs that were full get what is due as soon as they have room again`() throws {
        let rig = try ZipkinRig(
            "<sampling>\nwindow 0.05\n<policy all>\nwhen always\n</policy>\n</sampling>")
        rig.events.holds = true
        try post(rig, span(1))
        rig.events.isFull = true
        rig.events.release()
        rig.events.isFull = false
        try post(rig, span(2))
        // Nothing but the window's own thread can send it on.
        rig.events.release()
        #expect(traces(rig) == [1, 2])
    }

    @Test func `which requests went wrong is told by code and flags`() throws {
        let rig = try ZipkinRig()
        let id = "71fdad31-545b-94c2-8384-9bbe408ab462"
        let other = "71fdad31-545b-44c2-8384-9bbe408ab462"
        try signal(
            rig,
            [
                #"{"request_id":"\#(id)","response_code":200,"response_flags":"-"}"#,
                #"{"request_id":"\#(id)","response_code":404,"response_flags":"-"}"#,
                #"{"request_id":"\#(other)","response_code":0,"response_flags":"-"}"#,
                #"{"request_id":"\#(other)","response_code":"500","response_flags":"-"}"#,
                #"{"request_id":"\#(other)","response_code":200,"response_flags":"DC"}"#,
                #"{"request_id":null,"response_code":500,"response_flags":"-"}"#,
                #"{"request_id":"-","response_code":500,"response_flags":"-"}"#,
                #"{"request_id":"\#(other)","response_code":200,"x_b3_sampled":"1"}"#,
                #"{"request_id":"\#(id)","response_code":200,"x_b3_sampled":"0"}"#,
            ])
        #expect(rig.count("weir_sampling_signals_total") == 3)
        #expect(rig.count("weir_access_log_requests_total", #""true""#) == 3)
        #expect(rig.count("weir_access_log_requests_total", #""false""#) == 4)
    }

    @Test(.enabled(if: SharedCases.arePresent, "the corpus is not there"))
    func `Istio's Telemetry is taken as it stands`() throws {
        let root = try #require(SharedCases.root)
        let rig = try ZipkinRig(
            "<sampling>\ntelemetry \(root)/corpus/guide/18-telemetry-tracing-zipkin.yaml\n</sampling>"
        )
        #expect(rig.count("weir_sampling_wish_per_million") == 1_000_000)
        try post(rig, span(1))
        #expect(traces(rig) == [1])
    }

    @Test func `its custom tags are added to spans that lack them`() throws {
        let folder = try ScratchFolder()
        folder.write(
            """
            apiVersion: telemetry.istio.io/v1
            kind: Telemetry
            metadata: {name: mesh-default}
            spec:
              tracing:
              - randomSamplingPercentage: 2.5
                customTags:
                  env:
                    literal: {value: prod}
                  user:
                    header: {name: x-user}
            """, to: "telemetry.yaml")
        let rig = try ZipkinRig(
            "<sampling>\ntelemetry \(folder.file("telemetry.yaml"))\n</sampling>")
        #expect(rig.count("weir_sampling_wish_per_million") == 25_000)
        try post(rig, span(1), span(2, #","tags":{"a":"b","env":"own"}"#))
        #expect(
            rig.events.records.map { $0["tags"] } == [
                .object(["env": .string("prod")]),
                .object(["a": .string("b"), "env": .string("own")]),
            ])
    }

    @Test(arguments: [
        ("rate 2", "`rate` is a share"),
        ("<policy a>\nwhen attribute\n</policy>", "needs `key`"),
        (
            "<policy a>\nwhen attribute\nkey k\nvalue v\npattern /x/\n</policy>",
            "exclude each other"
        ),
        ("<policy a>\nwhen attribute\nkey k\npattern /(/\n</policy>", "the pattern"),
        ("<policy a>\nwhen error\n</policy>\n<policy a>\nwhen slow\n</policy>", "two policies"),
        ("<policy a>\nwhen probability\nshare 5\n</policy>", "`share` is a share"),
        ("telemetry /nowhere", "cannot be read"),
    ])
    func `mistakes are told`(text: String, reason: String) throws {
        let read = ComponentSection.read(
            "<source>\n@type zipkin\n<sampling>\n\(text)\n</sampling>\n</source>", as: .source)
        let section = try #require(read.section, "\(read.diagnostics)")
        let error = #expect(throws: SectionError.self) {
            _ = try ZipkinSource(
                section, name: "s", sink: HeldEvents(), context: .forTests())
        }
        #expect(error?.diagnostic.message.contains(reason) ?? false, "\(String(describing: error))")
    }

    @Test func `no client can wait for a held trace`() throws {
        let read = ComponentSection.read(
            "<source>\n@type zipkin\nack delivered\n<sampling>\n<policy a>\nwhen error\n</policy>\n"
                + "</sampling>\n</source>", as: .source)
        let section = try #require(read.section)
        #expect(throws: SectionError.self) {
            _ = try ZipkinSource(section, name: "s", sink: HeldEvents(), context: .forTests())
        }
    }
}

/// What the access log and the spans of the same requests say, in the corpus of a real mesh.
@Suite(
    "Spans and access lines of the same requests",
    .enabled(if: SharedCases.arePresent, "the corpus is not there"))
struct JoiningTests {
    @Test func `find each other by the request's id`() throws {
        let rig = try ZipkinRig()
        for (name, bytes) in ZipkinRig.envoyBodies {
            let type = name.hasSuffix(".json") ? "application/json" : "application/x-protobuf"
            #expect(try rig.post(bytes, headers: ["Content-Type: \(type)"]).status == 202)
        }
        var traced: [String: Int] = [:]
        for span in rig.events.records {
            guard let id = span["tags"]?.object?["guid:x-request-id"]?.string else { continue }
            traced[id, default: 0] += 1
        }
        for (proxy, sampledCount) in [("client", 564), ("reviews-v1", 387), ("reviews-v2", 59)] {
            let lines = self.lines(of: proxy, "istio_json")
            // The same streams in a format that tells B3's header.
            let customLines = self.lines(of: proxy, "custom_text")
            var sampled = 0
            for (line, custom) in zip(lines, customLines) {
                guard let id = JSONValueReader.value(of: line)?.object?["request_id"]?.string
                else { continue }
                let header = try #require(custom.firstRange(of: " sampled="))
                let value = custom[header.upperBound...].prefix { $0 != " " }
                let isMarked = Array(id.utf8).withUnsafeBytes {
                    SamplingSignalsFilter.isSampled($0)
                }
                guard value == "-" ? isMarked : value == "1" else { continue }
                sampled += 1
                #expect(traced[id] != nil, "\(proxy): \(id)")
            }
            #expect(sampled == sampledCount, "\(proxy)")
        }
    }

    private func lines(of proxy: String, _ format: String) -> [String] {
        SharedCases.restored("corpus/envoy/logs/\(proxy)/\(format).log.gz").split(separator: 0x0a)
            .map { String(decoding: $0, as: UTF8.self) }
    }
}
