import Glibc
import Testing
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

@Suite("A remote write", .serialized) struct RemoteWriteOutputTests {
    private static func output(
        _ standIn: RemoteWriteStandIn, _ registry: Registry, _ more: String = "",
        checkpoint: SeriesCheckpoint? = nil
    ) throws -> RemoteWriteOutput {
        let (section, diagnostics) = ComponentSection.read(
            "<match prometheus.**>\n@type prometheus_remote_write\nurl \(standIn.url)\n"
                + "interval 1s\nretry_wait 0.01\nretry_max_interval 0.02\n\(more)\n</match>\n",
            as: .output)
        guard let section else { throw ConfigurationError(diagnostics) }
        var context = PluginContext(
            hostName: "h", nodeName: "n", registry: registry, refusals: NoRefusals(),
            outputByteLimit: 1 << 20, outputLog: { _ in }, tailLog: { _ in })
        context.checkpoint = checkpoint
        do {
            return try RemoteWriteOutput(section, name: "rw", context: context)
        } catch {
            throw ConfigurationError([error.diagnostic])
        }
    }

    private static func total(_ registry: Registry, _ name: String) -> Int {
        registry.textExposition().split(separator: "\n").filter {
            $0.hasPrefix("weir_remote_write_\(name)_total{")
        }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
    }

    /// Ends it within its own time.
    private static func stop(_ output: RemoteWriteOutput) {
        #expect(output.stop(deadline: SystemClock().monotonicNanoseconds + 60_000_000_000))
    }

    @Test(arguments: RemoteWriteVersion.allCases)
    func `sends with the headers of its version, and marks all stale when it stops`(
        version: RemoteWriteVersion
    ) throws {
        let standIn = try RemoteWriteStandIn()
        let registry = Registry()
        registry.counter(MetricDescription("weir_a_total", "A.")).add(7)
        let output = try Self.output(
            standIn, registry,
            """
            protocol_version \(version.rawValue)
            user u
            password p
            custom_headers {"X-Scope-OrgID": "tenant"}
            <external_labels>
              node ${hostname}
            </external_labels>
            """)
        try output.start()
        output.flush()
        let name = "weir_a_total{node=\"h\"}"
        #expect(
            standIn.wait { requests in
                requests.contains { $0.content?.series.contains { $0.name == name } ?? false }
            })
        Self.stop(output)
        let samples = standIn.series.filter { $0.name == name }.flatMap(\.samples)
        #expect(samples.first?.value == 7)
        #expect(samples.last?.isStale == true)
        #expect(zip(samples, samples.dropFirst()).allSatisfy { $0.time < $1.time })
        for request in standIn.requests {
            #expect(request.content?.violations == [])
            #expect(request.header("content-encoding") == "snappy")
            #expect(request.header("content-type") == version.contentType)
            #expect(request.header("x-prometheus-remote-write-version") == version.header)
            #expect(request.header("user-agent")?.hasPrefix("weir") == true)
            #expect(request.header("authorization") == "Basic dTpw")
            #expect(request.header("x-scope-orgid") == "tenant")
        }
        #expect(Self.total(registry, "dropped_samples") == 0)
        #expect(Self.total(registry, "samples") == standIn.series.flatMap(\.samples).count)
    }

    @Test func `sends again what the receiver could not take, and drops what it refuses`() throws {
        let standIn = try RemoteWriteStandIn()
        let registry = Registry()
        let output = try Self.output(standIn, registry, "protocol_version 2.0")
        standIn.follow([
            RemoteWriteStandIn.Answer(503), RemoteWriteStandIn.Answer(429, [("Retry-After", "0")]),
            RemoteWriteStandIn.Answer(500), RemoteWriteStandIn.Answer(204, [("X-A", "b")]),
            RemoteWriteStandIn.Answer(
                400, [("X-Prometheus-Remote-Write-Samples-Written", "1")]),
        ])
        try output.start()
        output.flush()
        #expect(standIn.wait { $0.count >= 4 })
        output.flush()
        #expect(standIn.wait { $0.count >= 6 })
        Self.stop(output)
        let requests = standIn.requests
        let first = requests.prefix(4).map { $0.content?.series }
        #expect(first.allSatisfy { $0 == first[0] }, "the same request, four times")
        #expect(requests.dropFirst(5).allSatisfy { $0.status == 204 })
        func counted(_ line: String) -> Int? {
            registry.textExposition().split(separator: "\n").first {
                $0.hasPrefix("weir_remote_write_\(line)} ")
            }.flatMap { $0.split(separator: " ").last.flatMap { Int($0) } }
        }
        func sampleCount(_ place: Int) -> Int? {
            requests[place].content?.series.reduce(0) { $0 + $1.samples.count }
        }
        for reason in ["status_503", "status_429", "status_500"] {
            #expect(counted("retries_total{output=\"rw\",reason=\"\(reason)\"") == 1)
        }
        let lost = "dropped_samples_total{output=\"rw\",reason="
        #expect(counted("\(lost)\"not_understood\"") == sampleCount(3))
        #expect(counted("\(lost)\"status_400\"") == sampleCount(4).map { $0 - 1 })
    }

    @Test func `holds what an unreachable receiver cannot take, up to its limit`() throws {
        let standIn = try RemoteWriteStandIn()
        standIn.stop()
        let registry = Registry()
        for number in 0..<2_000 {
            registry.gauge(MetricDescription("weir_g", "G."), [Label("n", "\(number)")])
                .set(number * 7919)
        }
        let output = try Self.output(
            standIn, registry, "total_limit_size 20k\nmax_samples_per_send 100")
        try output.start()
        output.flush()
        // What is given up is counted while the sampling goes on.
        let clock = SystemClock()
        let end = clock.monotonicNanoseconds + 30_000_000_000
        while Self.total(registry, "dropped_samples") == 0, clock.monotonicNanoseconds < end {
            sched_yield()
        }
        #expect(Self.total(registry, "dropped_samples") > 0)
        let line = registry.textExposition().split(separator: "\n").first {
            $0.hasPrefix("weir_remote_write_queued_bytes")
        }
        let held = line?.split(separator: " ").last.flatMap { Int($0) } ?? .max
        #expect(held <= 20 * 1024)
        #expect(output.stop(deadline: clock.monotonicNanoseconds))
        #expect(
            registry.textExposition().contains(
                "weir_remote_write_dropped_samples_total{output=\"rw\",reason=\"stopped\"}"))
    }

    @Test func `shows the receiver no count that is not written down`() throws {
        let folder = try ScratchFolder()
        let registry = Registry()
        let catalog = SeriesCatalog(registry: registry)
        let group = try catalog.group(
            SeriesGroup.Declaration(
                labelNames: [],
                families: [FamilyDeclaration(name: "x_total", help: "X.", kind: .counter)]))
        catalog.activate()
        let checkpoint = SeriesCheckpoint(registry: registry, log: { _ in })
        checkpoint.begin(folder.file("series"), catalog)
        let standIn = try RemoteWriteStandIn()
        let output = try Self.output(standIn, registry, checkpoint: checkpoint)
        group.shard(named: "s").update(now: SystemClock().now) { table in
            let index = table.index(of: LabelValues(labelCount: 0))
            table.add(42, to: index, family: 0)
        }
        try output.start()
        output.flush()
        #expect(standIn.wait { $0.contains { $0.content?.series.isEmpty == false } })
        let bytes = try #require(folder.contents(of: "series"))
        let other = Registry()
        let others = SeriesCatalog(registry: other)
        let restored = try others.group(group.declaration)
        _ = bytes.withUnsafeBytes { others.restore($0) }
        #expect(restored.readings(ofFamily: 0) == [[]: .count(42)])
        Self.stop(output)
    }

    @Test func `reads a token from its file before every request`() throws {
        let folder = try ScratchFolder()
        let standIn = try RemoteWriteStandIn()
        let output = try Self.output(
            standIn, Registry(), "bearer_token_file \(folder.file("token"))")
        try output.start()
        output.flush()
        folder.write("first\n", to: "token")
        #expect(standIn.wait { !$0.isEmpty })
        folder.write("second\n", to: "token")
        output.flush()
        #expect(
            standIn.wait { $0.contains { $0.header("authorization") == "Bearer second" } })
        #expect(standIn.requests.first?.header("authorization") == "Bearer first")
        Self.stop(output)
    }

    @Test func `counts events that are routed to it, and holds none`() throws {
        let standIn = try RemoteWriteStandIn()
        let registry = Registry()
        let output = try Self.output(standIn, registry)
        let batch = EventBatch(blockCapacity: 1024)
        batch.fillBlock(copying: UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(output.admits)
        output.write(batch, ticket: DeliveryTicket(readAt: 0) {})
        #expect(registry.textExposition().contains("weir_remote_write_ignored_events_total"))
    }
}
