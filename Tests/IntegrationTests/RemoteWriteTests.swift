import Glibc
import Testing
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// Refuses nothing.
private final class NoRefusals: RefusalSink {
    func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {}
}

@Suite(
    "A real Prometheus that is written to", .serialized,
    .enabled(if: TestPrograms.prometheus != nil, "run `make deps-test`"))
struct RemoteWriteTests {
    private static let labels = ["code", "path"]
    private static let families = [
        FamilyDeclaration(name: "test_requests_total", help: "Requests.", kind: .counter),
        FamilyDeclaration(
            name: "test_duration_seconds", help: "How long.", unit: "seconds",
            kind: .histogram(bounds: [0.005, 0.5, 1, 10])),
        FamilyDeclaration(name: "test_size_bytes", help: "Size.", unit: "bytes", kind: .summary),
        FamilyDeclaration(name: "test_level", help: "Level.", kind: .gauge),
        FamilyDeclaration(
            name: "test_native_seconds", help: "Fine.", unit: "seconds", kind: .nativeHistogram()),
    ]
    private static let paths = ["/plain", "/with \"quotes\"", "/größe/日本", "/line\nend", ""]
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    private static func group(_ registry: Registry) throws -> SeriesGroup {
        let catalog = SeriesCatalog(registry: registry)
        let group = try catalog.group(
            SeriesGroup.Declaration(labelNames: labels, families: families))
        catalog.activate()
        return group
    }

    /// Counts events whose every number is known.
    private static func fill(_ group: SeriesGroup) {
        let now = SystemClock().now
        let id = Array(trace.utf8)
        for (number, path) in paths.enumerated() {
            for code in ["200", "503"] {
                var values = LabelValues(labelCount: 2)
                values.append(code)
                values.append(path)
                group.shard(named: "s\(number % 2)").update(now: now) { table in
                    let index = table.index(of: values)
                    table.add(UInt64(1_000_000 * number + 7), to: index, family: 0)
                    table.set(Double(number) / 4, at: index, family: 3)
                    for step in 0...number {
                        let value = Double(step) * 0.75
                        id.withUnsafeBytes { id in
                            let exemplar = Exemplar(
                                .traceID, id, milliseconds: now.seconds * 1000)
                            table.observe(value, at: index, family: 1, exemplar: exemplar)
                            table.observe(value, at: index, family: 4, exemplar: exemplar)
                        }
                        table.observe(value, at: index, family: 2)
                    }
                }
            }
        }
    }

    private static func prometheus(_ folder: ScratchFolder) throws -> RunningPrometheus {
        let program = try #require(TestPrograms.prometheus)
        let made = try RunningPrometheus(
            program, config: "global:\n  scrape_interval: 1h\n", folder,
            options: ["--web.enable-remote-write-receiver"])
        return try #require(
            made, "\(String(decoding: folder.contents(of: "prometheus.log") ?? [], as: UTF8.self))")
    }

    private static func output(
        _ prometheus: RunningPrometheus, _ registry: Registry, _ version: RemoteWriteVersion
    ) throws -> RemoteWriteOutput {
        let (section, diagnostics) = ComponentSection.read(
            """
            <match prometheus.**>
              @type prometheus_remote_write
              url http://127.0.0.1:\(prometheus.port)/api/v1/write
              protocol_version \(version.rawValue)
              interval 1s
              retry_wait 0.1
              retry_max_interval 0.2
              max_samples_per_send 50
              <external_labels>
                agent weir
              </external_labels>
            </match>

            """, as: .output)
        let found = try #require(section, "\(diagnostics)")
        let context = PluginContext(
            hostName: "h", nodeName: "n", registry: registry, refusals: NoRefusals(),
            outputByteLimit: 8 << 20, outputLog: { _ in }, tailLog: { _ in })
        do {
            return try RemoteWriteOutput(found, name: "rw", context: context)
        } catch {
            throw ConfigurationError([error.diagnostic])
        }
    }

    private static func total(_ registry: Registry, _ name: String) -> Int {
        registry.textExposition().split(separator: "\n").filter {
            $0.hasPrefix("weir_remote_write_\(name){")
        }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
    }

    private static func stop(_ output: RemoteWriteOutput) {
        #expect(output.stop(deadline: SystemClock().monotonicNanoseconds + 60_000_000_000))
    }

    // MARK: Values

    @Test(arguments: RemoteWriteVersion.allCases)
    func `has what was counted`(version: RemoteWriteVersion) throws {
        let registry = Registry()
        let group = try Self.group(registry)
        Self.fill(group)
        let folder = try ScratchFolder()
        let prometheus = try Self.prometheus(folder)
        let output = try Self.output(prometheus, registry, version)
        try output.start()
        // The last metric of a sampling: when it is there, all are.
        #expect(prometheus.api.wait(for: "test_native_seconds", count: 10))
        for (name, readings) in Self.expected(group) {
            let found = prometheus.api.numbers(name, by: Self.labels)
            #expect(found == readings, "\(name)")
        }
        let rate = "histogram_quantile(0.5, test_duration_seconds_bucket{agent=\"weir\"})"
        #expect(prometheus.api.query(rate).count == 10)
        checkExemplars(prometheus)
        Self.stop(output)
        #expect(prometheus.api.query("{agent=\"weir\"}").isEmpty, "all is stale")
        #expect(Self.total(registry, "dropped_samples_total") == 0)
        #expect(Self.total(registry, "dropped_histograms_total") == 0)
        #expect(Self.total(registry, "retries_total") == 0)
        #expect(Self.total(registry, "samples_total") > 0)
    }

    /// Queries, and what they must find by labels.
    private static func expected(_ group: SeriesGroup) -> [String: [[String]: Double]] {
        var expected: [String: [[String]: Double]] = [:]
        for (family, declaration) in families.enumerated() {
            let name = declaration.name
            for (labels, reading) in group.readings(ofFamily: family) {
                func note(_ query: String, _ number: Double) {
                    expected[query, default: [:]][labels] = number
                }
                switch reading {
                case .count(let count): note(name, Double(count))
                case .number(let number): note(name, number)
                case .summary(let count, let sum):
                    note(name + "_count", Double(count))
                    note(name + "_sum", sum)
                case .histogram(let counts, let sum):
                    note(name + "_sum", sum)
                    note(name + "_count", Double(counts.reduce(0, +)))
                    var total: UInt64 = 0
                    for (bucket, bound) in ["0.005", "0.5", "1.0", "10.0", "+Inf"].enumerated() {
                        total += counts[bucket]
                        note("\(name)_bucket{le=\"\(bound)\"}", Double(total))
                    }
                case .native(let count, let sum):
                    note("histogram_count(\(name))", Double(count))
                    note("histogram_sum(\(name))", sum)
                    // All but the zero are above 0.7: the buckets are where they belong.
                    note(
                        "round(histogram_fraction(0.7, 1000, \(name)) * histogram_count(\(name)), "
                            + "0.01)", Double(count - 1))
                }
            }
        }
        return expected
    }

    private func checkExemplars(_ prometheus: RunningPrometheus) {
        let now = SystemClock().now.seconds
        for name in ["test_duration_seconds_bucket", "test_native_seconds"] {
            let path = "query_exemplars?query=\(name)&start=\(now - 600)&end=\(now + 600)"
            guard case .array(let series)? = prometheus.api.ask(path), !series.isEmpty else {
                Issue.record("no exemplars of \(name)")
                continue
            }
            #expect(series.allSatisfy { "\($0)".contains(Self.trace) })
        }
    }

    // MARK: Restarts

    @Test(arguments: RemoteWriteVersion.allCases)
    func `misses nothing of what was sampled while it was away`(
        version: RemoteWriteVersion
    ) throws {
        let registry = Registry()
        let group = try Self.group(registry)
        Self.fill(group)
        let folder = try ScratchFolder()
        let prometheus = try Self.prometheus(folder)
        let output = try Self.output(prometheus, registry, version)
        try output.start()
        #expect(prometheus.api.wait(for: "test_level", count: 10))
        prometheus.stop()
        let clock = SystemClock()
        let end = clock.monotonicNanoseconds + 60_000_000_000
        let before = Self.total(registry, "samplings_total")
        while Self.total(registry, "samplings_total") < before + 4,
            clock.monotonicNanoseconds < end
        {
            sched_yield()
        }
        #expect(Self.total(registry, "queued_requests") >= 3)
        #expect(try prometheus.restart())
        while Self.total(registry, "queued_requests") > 0, clock.monotonicNanoseconds < end {
            sched_yield()
        }
        Self.stop(output)
        let samplings = Self.total(registry, "samplings_total")
        #expect(Self.total(registry, "retries_total") > 0)
        for kind in ["samples", "histograms"] {
            #expect(Self.total(registry, "dropped_\(kind)_total") == 0, "nothing out of order")
        }
        for name in ["test_requests_total", "test_duration_seconds_bucket", "test_level"] {
            let counts = prometheus.api.numbers(
                "count_over_time(\(name)[10m])", by: Self.labels + ["le"]
            ).values.map { Int($0) }
            #expect(!counts.isEmpty)
            #expect(counts.allSatisfy { $0 == samplings }, "\(name): \(counts), \(samplings)")
        }
    }

    @Test func `sees no count fall when Weir is killed`() throws {
        let folder = try ScratchFolder()
        let prometheus = try Self.prometheus(folder)
        folder.write(
            """
            <system>
              admin_port 0
              node_name test-node
            </system>
            <source>
              @type tail
              path \(folder.file("access.log"))
              pos_file \(folder.file("access.pos"))
              tag test.log
              read_from_head true
              <parse>
                @type json
              </parse>
            </source>
            <filter test.**>
              @type istio_metrics
            </filter>
            <match test.**>
              @type null
            </match>
            <match prometheus.**>
              @type prometheus_remote_write
              url http://127.0.0.1:\(prometheus.port)/api/v1/write
              interval 1s
            </match>

            """, to: "weir.conf")
        var written = 0
        func write(_ count: Int) {
            for _ in 0..<count {
                folder.append(
                    """
                    {"authority":"reviews:9080","bytes_received":1,"bytes_sent":2,"duration":5,\
                    "method":"GET","protocol":"HTTP/1.1","response_code":200,"response_flags":"-",\
                    "start_time":"2026-11-23T20:58:05.532Z",\
                    "upstream_cluster":"outbound|9080||reviews.default.svc.cluster.local"}

                    """, to: "access.log")
            }
            written += count
        }
        write(100)
        let weir = try RunningWeir(folder)
        for kill in 1...2 {
            #expect(prometheus.api.wait(for: "sum(istio_requests_total) == \(written)", count: 1))
            weir.process.kill9()
            write(50 * kill)
            folder.write("", to: "weir.log")
            try weir.restart()
        }
        #expect(prometheus.api.wait(for: "sum(istio_requests_total) == \(written)", count: 1))
        #expect(weir.terminate() == 0)
        let resets = prometheus.api.query("resets(istio_requests_total[10m]) > 0")
        #expect(resets.isEmpty)
        #expect(prometheus.api.query("istio_requests_total").isEmpty, "all is stale")
    }
}
