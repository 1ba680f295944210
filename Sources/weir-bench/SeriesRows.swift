import Glibc
import WeirCore
import WeirHost
import WeirMetrics

/// What counting in series costs: an update, a new series, a scrape, a series' memory.
struct SeriesRows {
    static let labelNames = [
        "reporter", "source_workload", "source_canonical_service", "source_canonical_revision",
        "source_workload_namespace", "source_principal", "source_app", "source_version",
        "source_cluster", "destination_workload", "destination_workload_namespace",
        "destination_principal", "destination_app", "destination_version", "destination_service",
        "destination_canonical_service", "destination_canonical_revision",
        "destination_service_name", "destination_service_namespace", "destination_cluster",
        "request_protocol", "response_code", "grpc_response_status", "response_flags",
        "connection_security_policy",
    ]
    private static let fewNames = ["service", "method", "code", "flags", "reporter"]
    static let bounds: [Double] = [
        0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000,
        600_000, 1_800_000, 3_600_000,
    ]
    static let now = Timestamp(seconds: 1_790_000_000)
    private static let roundCount = 15

    /// A group of one metric, and its shard.
    struct Group {
        let registry = Registry(seriesLimit: 1 << 20)
        let group: SeriesGroup
        let shard: SeriesShard

        init(_ labelNames: [String], _ kind: FamilyDeclaration.Kind) throws {
            let catalog = SeriesCatalog(registry: registry)
            let isCounter = kind == .counter
            group = try catalog.group(
                SeriesGroup.Declaration(
                    labelNames: labelNames,
                    families: [
                        FamilyDeclaration(
                            name: isCounter
                                ? "istio_requests_total" : "istio_request_duration_milliseconds",
                            help: "A metric of Istio's.", kind: kind)
                    ], seriesLimit: 1 << 20))
            catalog.activate()
            shard = group.shard(named: "bench")
        }
    }

    /// The label values of a series, as a mesh has them: pairs of workloads, and codes.
    private static func fill(_ values: inout LabelValues, _ number: Int, labelCount: Int) {
        values.removeAll()
        let source = "frontend-v\(number / 5 % 97)"
        let target = "reviews-v\(number / 485)"
        let code = ["200", "404", "429", "500", "503"][number % 5]
        guard labelCount == 25 else {
            for value in [target, "GET", code, "-", source] { values.append(value) }
            return
        }
        for value in [
            "destination", source, source, "latest", "bookinfo",
            "spiffe://cluster.local/ns/bookinfo/sa/\(source)", source, "v1", "Kubernetes", target,
            "bookinfo", "spiffe://cluster.local/ns/bookinfo/sa/\(target)", target, "v1",
            "\(target).bookinfo.svc.cluster.local", target, "latest", target, "bookinfo",
            "Kubernetes", "http", code, "", "-", "mutual_tls",
        ] { values.append(value) }
    }

    /// Label values of many series, made beforehand, as a block holds those of its events.
    private struct Prepared: ~Copyable {
        var bytes = ByteBuffer(capacity: 1 << 20)
        var ends: [Int] = []
        let count: Int
        let labelCount: Int

        init(_ count: Int, labelCount: Int) {
            self.count = count
            self.labelCount = labelCount
            var values = LabelValues(labelCount: labelCount)
            for number in 0..<count {
                SeriesRows.fill(&values, number, labelCount: labelCount)
                for value in values.bytesOfValues {
                    bytes.append(value)
                    ends.append(bytes.count)
                }
            }
        }

        /// Gathers the values of one series.
        @inline(__always)
        func gather(_ number: Int, into values: inout LabelValues) {
            values.removeAll()
            let first = number * labelCount
            var start = first == 0 ? 0 : ends[first - 1]
            for index in first..<(first + labelCount) {
                let end = ends[index]
                values.append(
                    UnsafeRawBufferPointer(start: bytes.pointer + start, count: end - start))
                start = end
            }
        }
    }

    /// Prints the rows.
    func run(_ row: (String, String) -> Void) throws {
        for labelCount in [5, 25] {
            let names = labelCount == 5 ? Self.fewNames : Self.labelNames
            let group = try Group(names, .counter)
            let (filling, hit) = Self.hit(group, labelCount)
            row("label values gathered, \(labelCount) labels", "\(Int(filling.rounded())) ns")
            row(
                "update of a series that is there, \(labelCount) labels", "\(Int(hit.rounded())) ns"
            )
            let new = try Self.newSeries(names, labelCount)
            row("update of a new series, \(labelCount) labels", "\(Int(new.rounded())) ns")
        }
        for count in [1_000, 10_000, 50_000] {
            let group = try Group(Self.labelNames, .counter)
            Self.make(count, group, labelCount: 25) { table, index in
                table.add(1_234, to: index, family: 0)
            }
            for format in [ExpositionFormat.text, .openMetrics, .protobuf] {
                let (milliseconds, bytes) = Self.scrape(group.registry, format)
                row("scrape of \(count) series, \(format)", "\(milliseconds), \(bytes >> 20) MiB")
            }
            for (engine, name) in [(GzipStream.Engine.best, "gzip"), (.zlib, "gzip by zlib")] {
                let (milliseconds, bytes) = Self.scrape(group.registry, .text, gzip: engine)
                row(
                    "scrape of \(count) series, text, \(name)",
                    "\(milliseconds), \(bytes >> 10) KiB")
            }
            if count == 50_000 {
                row(
                    "memory of a counter with 25 labels",
                    "\(group.group.allocatedByteCount / count) bytes")
            }
        }
        let group = try Group(Self.labelNames, .histogram(bounds: Self.bounds))
        Self.make(50_000, group, labelCount: 25) { table, index in
            table.observe(12, at: index, family: 0)
        }
        row(
            "memory of a duration histogram with 25 labels",
            "\(group.group.allocatedByteCount / 50_000) bytes")
    }

    /// Makes so many series.
    static func make(
        _ count: Int, _ group: Group, labelCount: Int, _ body: (inout SeriesTable, Int) -> Void
    ) {
        var values = LabelValues(labelCount: labelCount)
        group.shard.update(now: now) { table in
            for number in 0..<count {
                fill(&values, number, labelCount: labelCount)
                let index = table.index(of: values)
                body(&table, index)
            }
        }
    }

    /// Nanoseconds for gathering the values of 1,000 series in turn, and for the update behind it.
    private static func hit(_ group: Group, _ labelCount: Int) -> (Double, Double) {
        let series = Prepared(1_000, labelCount: labelCount)
        let filling = measure(series, group, roundCount) { _, _ in }
        let all = measure(series, group, roundCount) { table, values in
            table.add(1, to: table.index(of: values), family: 0)
        }
        return (filling, all - filling)
    }

    private static func newSeries(_ names: [String], _ labelCount: Int) throws -> Double {
        let series = Prepared(20_000, labelCount: labelCount)
        var best = Double.infinity
        for _ in 0..<5 {
            let group = try Group(names, .counter)
            best = min(
                best,
                measure(series, group, 1) { table, values in
                    table.add(1, to: table.index(of: values), family: 0)
                })
        }
        return best
    }

    /// Nanoseconds per series for 20,000 of them: the best of some rounds.
    private static func measure(
        _ series: borrowing Prepared, _ group: Group, _ roundCount: Int,
        _ body: (inout SeriesTable, borrowing LabelValues) -> Void
    ) -> Double {
        var values = LabelValues(labelCount: series.labelCount)
        var best = Double.infinity
        for _ in 0..<roundCount {
            let start = Stages.cpuSeconds
            group.shard.update(now: now) { table in
                for _ in 0..<(20_000 / series.count) {
                    for number in 0..<series.count {
                        series.gather(number, into: &values)
                        body(&table, values)
                    }
                }
            }
            best = min(best, Stages.cpuSeconds - start)
        }
        return best / 20_000 * 1e9
    }

    /// Milliseconds of CPU for a scrape whose pieces are thrown away, and its size.
    private static func scrape(
        _ registry: Registry, _ format: ExpositionFormat, gzip: GzipStream.Engine? = nil
    ) -> (String, Int) {
        var best = Double.infinity
        var size = 0
        var piece = ByteBuffer()
        var compressed = ByteBuffer()
        for _ in 0..<5 {
            let start = Stages.cpuSeconds
            let scrape = Scrape(registry, format: format, now: now)
            size = 0
            var stream = gzip.flatMap { GzipStream(level: .fast, by: $0) }
            while scrape.next(into: &piece) {
                if gzip != nil {
                    compressed.truncate(to: 0)
                    stream?.append(piece.bytes, isLast: false, into: &compressed)
                    size += compressed.count
                } else {
                    size += piece.count
                }
                piece.truncate(to: 0)
            }
            best = min(best, Stages.cpuSeconds - start)
        }
        let tenths = Int((best * 10_000).rounded())
        return ("\(tenths / 10).\(tenths % 10) ms", size)
    }
}
