import Synchronization
import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPlugins

@Suite("The checkpoint of counted series") struct SeriesCheckpointTests {
    private final class Reports: Sendable {
        let all = Mutex<[SeriesCheckpoint.Report]>([])
        func add(_ report: SeriesCheckpoint.Report) { all.withLock { $0.append(report) } }
    }

    /// A process: its metrics, and one counter with a label.
    private struct Process {
        let registry = Registry()
        let catalog: SeriesCatalog
        let shard: SeriesShard
        let checkpoint: SeriesCheckpoint
        let reports = Reports()

        init() throws {
            catalog = SeriesCatalog(registry: registry)
            let group = try catalog.group(
                SeriesGroup.Declaration(
                    labelNames: ["path"],
                    families: [
                        FamilyDeclaration(name: "requests_total", help: "Requests.", kind: .counter)
                    ]))
            shard = group.shard(named: "filter")
            checkpoint = SeriesCheckpoint(registry: registry) { [reports] in reports.add($0) }
        }

        func count(_ path: String, upTo position: UInt64) {
            shard.update(now: Timestamp(seconds: 1)) { table in
                var labels = LabelValues(labelCount: 1)
                Array(path.utf8).withUnsafeBytes { labels.append($0) }
                table.add(1, to: table.index(of: labels), family: 0)
                _ = table.setCounted(CountedOrigin(high: 1, low: 2), upTo: position)
            }
        }

        var position: UInt64? {
            shard.update(now: Timestamp(seconds: 1)) {
                $0.countedPosition(of: CountedOrigin(high: 1, low: 2))
            }
        }

        var failureCount: UInt64 {
            registry.counter(MetricDescription("weir_series_checkpoint_failures_total", "")).value
        }
    }

    private let folder: ScratchFolder

    init() throws { folder = try ScratchFolder() }

    @Test func `gives counters and places back together`() throws {
        let first = try Process()
        first.checkpoint.begin(folder.file("series"), first.catalog)
        for number in 1...300 {
            first.count("/\(number % 3)", upTo: UInt64(number))
            first.checkpoint.save()
        }
        let second = try Process()
        second.checkpoint.begin(folder.file("series"), second.catalog)
        #expect(second.position == 300)
        #expect(
            second.catalog.all.first?.readings(ofFamily: 0)
                == [["/0"]: .count(100), ["/1"]: .count(100), ["/2"]: .count(100)])
        #expect(
            second.reports.all.withLock { $0 }
                == [.restored(path: folder.file("series"), labelSetCount: 3)])
    }

    @Test func `gives back what was written before a write that was cut off`() throws {
        let first = try Process()
        first.checkpoint.begin(folder.file("series"), first.catalog)
        first.count("/", upTo: 10)
        first.checkpoint.save()
        first.count("/", upTo: 20)
        first.checkpoint.save()
        let whole = folder.contents(of: "series") ?? []
        folder.write(Array(whole.dropLast(3)), to: "cut")
        let second = try Process()
        second.checkpoint.begin(folder.file("cut"), second.catalog)
        #expect(second.position == 10)
        #expect(second.reports.all.withLock { $0.count } == 2)
    }

    @Test func `counts and tells once when its folder takes no file, and goes on`() throws {
        let process = try Process()
        process.checkpoint.begin(folder.file("no/such/folder"), process.catalog)
        for number in 1...3 {
            process.count("/", upTo: UInt64(number))
            process.checkpoint.save()
        }
        #expect(process.failureCount == 3)
        #expect(process.reports.all.withLock { $0.count } == 1)
        process.checkpoint.keep(folder.file("series"), process.catalog)
        process.checkpoint.save()
        let second = try Process()
        second.checkpoint.begin(folder.file("series"), second.catalog)
        #expect(second.position == 3)
    }

    @Test func `leaves no file of another path behind`() throws {
        let process = try Process()
        process.checkpoint.begin(folder.file("one"), process.catalog)
        process.checkpoint.save()
        process.checkpoint.keep(folder.file("two"), process.catalog)
        process.checkpoint.save()
        #expect(folder.contents(of: "one") == nil)
        #expect(folder.contents(of: "two") != nil)
    }
}
