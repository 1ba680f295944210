import Glibc
import Testing
import WeirCore
import WeirHost
import WeirMetrics
import WeirPlugins
import WeirTesting

@Suite("A real Prometheus", .enabled(if: TestPrograms.prometheus != nil, "run `make deps-test`"))
struct PrometheusTests {
    private static let labels = ["code", "path"]
    private static let families = [
        FamilyDeclaration(name: "test_requests_total", help: "Requests.", kind: .counter),
        FamilyDeclaration(
            name: "test_duration_seconds", help: "How long \\ they took.", unit: "seconds",
            kind: .histogram(bounds: [0.005, 0.5, 1, 10])),
        FamilyDeclaration(name: "test_size_bytes", help: "Size.", unit: "bytes", kind: .summary),
        FamilyDeclaration(name: "test_level", help: "Level.", kind: .gauge),
        FamilyDeclaration(
            name: "test_native_seconds", help: "Fine.", unit: "seconds", kind: .nativeHistogram()),
    ]
    private static let paths = [
        "/plain", "/with \"quotes\"", "/back\\slash", "/line\nend", "/größe/日本", "/a,b{c}=d", "",
    ]
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    /// Counts events whose every number is known.
    private static func fill(_ group: SeriesGroup) {
        let clock = SystemClock()
        let id = Array(trace.utf8)
        var values = LabelValues(labelCount: 2)
        for (number, path) in paths.enumerated() {
            for code in ["200", "503"] {
                values.removeAll()
                values.append(code)
                values.append(path)
                group.shard(named: "s\(number % 2)").update(now: clock.now) { table in
                    let index = table.index(of: values)
                    table.add(UInt64(1_000_000 * number + 7), to: index, family: 0)
                    table.set(Double(number) / 4, at: index, family: 3)
                    for step in 0...number {
                        let value = Double(step) * 0.75
                        id.withUnsafeBytes { id in
                            let exemplar = Exemplar(
                                .traceID, id, milliseconds: clock.now.seconds * 1000)
                            table.observe(value, at: index, family: 1, exemplar: exemplar)
                            table.observe(value, at: index, family: 4, exemplar: exemplar)
                        }
                        table.observe(value, at: index, family: 2)
                    }
                }
            }
        }
    }

    private static func makeGroup() throws -> (Registry, SeriesGroup) {
        let registry = Registry()
        let catalog = SeriesCatalog(registry: registry)
        let group = try catalog.group(
            SeriesGroup.Declaration(labelNames: labels, families: families))
        catalog.activate()
        fill(group)
        return (registry, group)
    }

    @Test func `has nothing to remark on the exposition (promtool check metrics)`() throws {
        guard let promtool = TestPrograms.promtool else {
            print("skipped: promtool is not there; run `make deps-test`")
            return
        }
        let (registry, _) = try Self.makeGroup()
        let folder = try ScratchFolder()
        folder.write(registry.textExposition(), to: "metrics.txt")
        let check = try ChildProcess(
            "/bin/sh", ["-c", "\(promtool) check metrics <\(folder.file("metrics.txt"))"],
            log: folder.file("promtool.out"))
        #expect(check.wait() == 0)
        let remarks = String(
            decoding: folder.contents(of: "promtool.out") ?? [], as: UTF8.self)
        #expect(remarks.isEmpty, "\(remarks)")
    }

    @Test func `reads in each format what was counted`() throws {
        let (registry, group) = try Self.makeGroup()
        let server = try HTTPServer(host: "127.0.0.1", port: 0) { request in
            MetricsAnswer.answer(request, registry, nil, now: SystemClock().now)
        }
        defer { server.stop() }
        let protocols = [
            "text": "PrometheusText0.0.4", "openmetrics": "OpenMetricsText1.0.0",
            "protobuf": "PrometheusProto",
        ]
        var config = "global:\n  scrape_interval: 1s\nscrape_configs:\n"
        for (job, name) in protocols.sorted(by: { $0.key < $1.key }) {
            config +=
                "  - job_name: \(job)\n    scrape_protocols: [\(name)]\n"
                + "    static_configs: [{targets: ['127.0.0.1:\(server.port)']}]\n"
        }
        let folder = try ScratchFolder()
        guard let program = TestPrograms.prometheus,
            let prometheus = try RunningPrometheus(program, config: config, folder)
        else {
            Issue.record(
                "\(String(decoding: folder.contents(of: "prometheus.log") ?? [], as: UTF8.self))")
            return
        }
        // The last metric of a scrape by name: when it is there, all are.
        #expect(prometheus.api.wait(for: "up == 1", count: 3))
        #expect(prometheus.api.wait(for: "test_size_bytes_count", count: 3 * 14))
        for job in protocols.keys.sorted() { check(prometheus, job, group) }
        checkNative(prometheus, group)
        checkExemplars(prometheus)
    }

    private func check(_ prometheus: RunningPrometheus, _ job: String, _ group: SeriesGroup) {
        func numbers(_ name: String, _ more: String = "") -> [[String]: Double] {
            prometheus.api.numbers("\(name){job=\"\(job)\"\(more)}", by: Self.labels)
        }
        var expected: [String: [[String]: Double]] = [:]
        for (family, declaration) in Self.families.enumerated() {
            for (labels, reading) in group.readings(ofFamily: family) {
                let name = declaration.name
                switch reading {
                case .count(let count): expected[name, default: [:]][labels] = Double(count)
                case .number(let number): expected[name, default: [:]][labels] = number
                case .summary(let count, let sum):
                    expected[name + "_count", default: [:]][labels] = Double(count)
                    expected[name + "_sum", default: [:]][labels] = sum
                case .histogram(let counts, let sum):
                    expected[name + "_sum", default: [:]][labels] = sum
                    var total: UInt64 = 0
                    for (bucket, bound) in ["0.005", "0.5", "1.0", "10.0", "+Inf"].enumerated() {
                        total += counts[bucket]
                        expected["\(name)_bucket,le=\"\(bound)\"", default: [:]][labels] =
                            Double(total)
                    }
                case .native: break
                }
            }
        }
        for (name, readings) in expected {
            let parts = name.split(separator: ",", maxSplits: 1)
            let more = parts.count > 1 ? ",\(parts[1])" : ""
            #expect(numbers(String(parts[0]), more) == readings, "\(job): \(name)")
        }
    }

    private func checkNative(_ prometheus: RunningPrometheus, _ group: SeriesGroup) {
        var counts: [[String]: Double] = [:]
        var sums: [[String]: Double] = [:]
        for (labels, reading) in group.readings(ofFamily: 4) {
            guard case .native(let count, let sum) = reading else { continue }
            counts[labels] = Double(count)
            sums[labels] = sum
        }
        let name = "test_native_seconds{job=\"protobuf\"}"
        #expect(prometheus.api.numbers("histogram_count(\(name))", by: Self.labels) == counts)
        #expect(prometheus.api.numbers("histogram_sum(\(name))", by: Self.labels) == sums)
        // All but the zero are above 0.7: the buckets are where they belong.
        let above = prometheus.api.numbers(
            "histogram_fraction(0.7, 1000, \(name)) * histogram_count(\(name))", by: Self.labels)
        for (labels, count) in counts {
            let share = above[labels] ?? 0
            #expect(abs(share - (count - 1)) < 0.01, "\(labels)")
        }
    }

    private func checkExemplars(_ prometheus: RunningPrometheus) {
        let now = SystemClock().now.seconds
        for job in ["openmetrics", "protobuf"] {
            let query = "test_duration_seconds_bucket{job=\"\(job)\"}"
            let path =
                "query_exemplars?query=\(query.asQueryPart)"
                + "&start=\(now - 600)&end=\(now + 600)"
            guard case .array(let series)? = prometheus.api.ask(path), !series.isEmpty else {
                Issue.record("no exemplars in \(job)")
                continue
            }
            #expect(series.allSatisfy { "\($0)".contains(Self.trace) })
        }
    }
}
