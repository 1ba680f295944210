import Testing
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirTesting

@testable import WeirPlugins

@Suite("The prometheus source") struct PrometheusSourceTests {
    private static func source(_ body: String, _ registry: Registry) throws -> PrometheusSource {
        let (section, diagnostics) = ComponentSection.read(
            "<source>\n@type prometheus\nbind 127.0.0.1\nport 0\n\(body)\n</source>\n",
            as: .source)
        guard let section else { throw ConfigurationError(diagnostics) }
        do {
            return try PrometheusSource(
                section,
                context: PluginContext(
                    hostName: "h", nodeName: "n", registry: registry, clock: ManualClock(),
                    refusals: NoRefusals(), outputByteLimit: 1 << 20, outputLog: { _ in },
                    tailLog: { _ in }))
        } catch {
            throw ConfigurationError([error.diagnostic])
        }
    }

    private static func get(
        _ source: PrometheusSource, _ path: String, _ headers: [String] = [],
        method: String = "GET"
    ) throws -> (status: Int, body: [UInt8]) {
        let client = HTTPClient()
        let answer = try client.send(
            method, "http://127.0.0.1:\(source.port)\(path)", headers: headers,
            body: UnsafeRawBufferPointer(start: nil, count: 0))
        return (answer.status, Array(client.body.bytes))
    }

    @Test func `shows what the registry has, in the format that the client asks for`() throws {
        let registry = Registry()
        registry.counter(MetricDescription("weir_a_total", "A.")).add(7)
        let source = try Self.source("", registry)
        try source.start()
        defer { source.stop() }
        for path in ["/metrics", "/aggregated_metrics", "/metrics?a=b"] {
            let (status, body) = try Self.get(source, path)
            #expect(status == 200)
            #expect(body == registry.exposition())
        }
        let accept = "Accept: application/openmetrics-text;version=1.0.0"
        #expect(
            try Self.get(source, "/metrics", [accept]).body == registry.exposition(.openMetrics))
        #expect(try Self.get(source, "/").status == 404)
        #expect(try Self.get(source, "/metrics", method: "PUT").status == 405)
    }

    @Test func `sends large answers in pieces, compressed for those who accept it`() throws {
        let registry = Registry()
        let catalog = SeriesCatalog(registry: registry)
        let group = try catalog.group(
            SeriesGroup.Declaration(
                labelNames: ["n"],
                families: [FamilyDeclaration(name: "x_total", help: "X.", kind: .counter)],
                idleTime: nil))
        catalog.activate()
        var labels = LabelValues(labelCount: 1)
        group.shard(named: "s").update(now: .epoch) { table in
            for number in 0..<20_000 {
                labels.removeAll()
                labels.append("number \(number) of many")
                table.add(1, to: table.index(of: labels), family: 0)
            }
        }
        let source = try Self.source("", registry)
        try source.start()
        defer { source.stop() }
        let expected = registry.exposition()
        #expect(expected.count > 10 * Scrape.pieceByteCount)
        #expect(try Self.get(source, "/metrics").body == expected)
        let (_, body) = try Self.get(source, "/metrics", ["Accept-Encoding: gzip"])
        #expect(body.count < expected.count / 4)
        var restored = ByteBuffer()
        let isWhole = body.withUnsafeBytes {
            Gzip.restore($0, limit: 1 << 26, into: &restored)
        }
        #expect(isWhole)
        #expect(Array(restored.bytes) == expected)
        #expect(try Self.get(source, "/metrics", method: "HEAD").body.isEmpty)
    }

    @Test func `has another path when it is given one`() throws {
        let source = try Self.source("metrics_path /other", Registry())
        try source.start()
        defer { source.stop() }
        #expect(try Self.get(source, "/other").status == 200)
        #expect(try Self.get(source, "/metrics").status == 404)
    }

    @Test func `refuses TLS, which it does not speak`() {
        for body in ["<transport tls>\ncert_path /c\n</transport>", "<ssl>\nenable true\n</ssl>"] {
            #expect(throws: ConfigurationError.self) { try Self.source(body, Registry()) }
        }
    }
}
