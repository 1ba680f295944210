import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

/// Spans of clients that others wrote come to Elasticsearch as Zipkin's storage would have them.
@Suite("Spans of real clients", .serialized) struct ZipkinTests {
    private let folder: ScratchFolder
    private let elasticsearch: ElasticsearchStandIn

    init() throws {
        folder = try ScratchFolder()
        elasticsearch = try ElasticsearchStandIn()
    }

    /// An agent that takes spans, and the port that it takes them at.
    private func start(_ parameters: String = "") throws -> (weir: RunningWeir, port: Int) {
        folder.write(
            """
            <system>
              admin_port 0
            </system>
            <source>
              @type zipkin
              port 0
              \(parameters)
            </source>
            <match zipkin.**>
              @type elasticsearch_zipkin
              host 127.0.0.1
              port \(elasticsearch.port)
              <buffer>
                flush_interval 0.05
                retry_wait 0.05
                retry_max_interval 0.2
              </buffer>
            </match>
            """, to: "weir.conf")
        let weir = try RunningWeir(folder)
        #expect(weir.waitForLog("weir runs"), "\(weir.log)")
        return (weir, try #require(weir.sourcePort))
    }

    /// A document without what search needs, its members in order.
    private static func span(_ source: String) -> Value? {
        guard case .object(let record)? = JSONValueReader.value(of: source) else { return nil }
        var span = record
        span["timestamp_millis"] = nil
        span["_q"] = nil
        return ordered(.object(span))
    }

    private static func ordered(_ value: Value) -> Value {
        switch value {
        case .object(let record):
            .object(
                Record(
                    record.fields.sorted { $0.key < $1.key }.map { ($0.key, ordered($0.value)) }))
        case .array(let values): .array(values.map(ordered))
        default: value
        }
    }

    @Test(
        "come field by field, each once",
        .enabled(
            if: TestPrograms.python(with: "py_zipkin", in: "python-zipkin") != nil,
            "needs `make deps-test`"),
        arguments: [
            ("py_zipkin-v1", "JSON_V1"), ("py_zipkin-v2", "JSON_V2"),
            ("py_zipkin-proto", "PROTO3"), ("zipkin-json", "JSON_V2"), ("zipkin-proto", "PROTO3"),
            ("otlp", "OTLP_PROTO"),
        ])
    func clients(client: String, format: String) throws {
        let (weir, port) = try start("ack delivered")
        let environment = client == "otlp" ? "python" : "python-zipkin"
        let python = try #require(TestPrograms.python(in: environment))
        let program = "\(SourceTree.root)/Tests/Programs/send_spans.py"
        let sender = try ChildProcess(
            python, [program, client, "\(port)"], log: folder.file("sent"))
        #expect(sender.wait() == 0)
        let sent = String(decoding: folder.contents(of: "sent") ?? [], as: UTF8.self)
            .split(separator: "\n").filter { $0.hasPrefix("{\"traceId\"") }
        #expect(sent.count == 40, "\(sent)")
        // The client was told of each only when it was delivered.
        let stored = elasticsearch.documents
        #expect(Set(stored.map(\.id)).count == 40)
        #expect(stored.count == 40)
        func sorted(_ values: [Value?]) -> [String] {
            values.map { $0.map { JSONValueWriter.text($0) } ?? "unreadable" }.sorted()
        }
        let expected = sorted(sent.map { Self.span(String($0)) })
        let found = sorted(stored.map { Self.span($0.source) })
        for (expected, found) in zip(expected, found) { #expect(expected == found) }
        #expect(stored.allSatisfy { $0.source.hasPrefix(#"{"timestamp_millis":"#) })
        #expect(elasticsearch.violations.isEmpty)
        let metrics = try #require(weir.ask("GET", "/metrics")?.body)
        #expect(metrics.contains("weir_zipkin_spans_total{source="))
        #expect(
            metrics.split(separator: "\n").contains {
                $0.hasPrefix("weir_zipkin_spans_total{") && $0.contains("\"\(format)\"")
                    && $0.hasSuffix(" 40")
            })
        #expect(weir.terminate() == 0)
    }

    @Test(
        "Envoy's come for each of its requests",
        .enabled(if: TestPrograms.envoy != nil, "needs `make deps-test`"),
        arguments: ["HTTP_JSON", "HTTP_PROTO"])
    func envoy(version: String) throws {
        let (weir, port) = try start()
        let log = folder.file("access.log")
        let envoyFolder = try ScratchFolder()
        let config = TestConfigurations.envoy(
            logs: [(log, ["id: \"%REQ(X-REQUEST-ID)%\"", "code: \"%RESPONSE_CODE%\""])],
            routes: [("/bad", 503), ("/", 200)], tracing: (port, version))
        let program = try #require(TestPrograms.envoy)
        let envoy = try #require(
            try RunningEnvoy(program, config: config, envoyFolder))
        for number in 0..<30 {
            _ = try envoy.get(number % 3 == 0 ? "/bad?n=\(number)" : "/good?n=\(number)")
        }
        #expect(elasticsearch.waitForDocuments(30, seconds: 60), "\(weir.log)")
        let spans = elasticsearch.documents.compactMap {
            JSONValueReader.value(of: $0.source)?.object
        }
        #expect(spans.count == 30)
        var codes: [String: String] = [:]
        for span in spans {
            let tags = try #require(span["tags"]?.object)
            let request = try #require(tags["guid:x-request-id"]?.string)
            codes[request] = tags["http.status_code"]?.string
            #expect(span["kind"] == .string("SERVER"))
            #expect(span["localEndpoint"]?.object?["serviceName"] == .string("shop"))
            #expect(span["traceId"]?.string?.utf8.count == 32)
        }
        // The same requests, by the access log.
        let watch = Inotify()
        watch.watch(log)
        var lines: [Record] = []
        while lines.count < 30 {
            lines = (folder.contents(of: "access.log") ?? []).split(separator: 0x0a).compactMap {
                JSONValueReader.value(of: String(decoding: $0, as: UTF8.self))?.object
            }
            if lines.count < 30 { watch.wait(milliseconds: 200) }
        }
        let logged = Dictionary(
            uniqueKeysWithValues: lines.map { line in
                (line["id"]?.string ?? "", line["code"]?.integer.map { "\($0)" } ?? "")
            })
        #expect(codes == logged)
        #expect(weir.terminate() == 0)
    }

    @Test(
        "what Envoy posted comes back as it was",
        .enabled(if: SharedCases.arePresent, "the corpus is not there"))
    func corpus() throws {
        let (weir, port) = try start()
        let client = HTTPClient()
        var sent: [Value] = []
        for (name, text) in SharedCases.files(
            in: "corpus/envoy/zipkin/samples", suffix: ".json")
        {
            let bytes = try #require(SharedCases.bytes("corpus/envoy/zipkin/samples/\(name)"))
            let answer = try bytes.withUnsafeBytes {
                try client.send(
                    "POST", "http://127.0.0.1:\(port)/api/v2/spans",
                    headers: ["Content-Type: application/json"], body: $0)
            }
            #expect(answer.status == 202)
            // `port: 0` stands for none.
            let plain = text.replacing(",\"port\":0", with: "").replacing("\"port\":0,", with: "")
            guard case .array(let spans)? = JSONValueReader.value(of: plain) else {
                Issue.record("\(name) is no list")
                continue
            }
            sent += spans
        }
        #expect(elasticsearch.waitForDocuments(sent.count, seconds: 60), "\(weir.log)")
        let expected = sent.map { JSONValueWriter.text(Self.ordered($0)) }.sorted()
        let found = elasticsearch.documents.map {
            Self.span($0.source).map { JSONValueWriter.text($0) } ?? "unreadable"
        }.sorted()
        #expect(expected == found)
        #expect(weir.terminate() == 0)
    }
}
