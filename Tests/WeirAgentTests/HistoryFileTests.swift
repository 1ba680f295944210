import Synchronization
import Testing
import WeirCore
import WeirHost
import WeirMetrics
import WeirPromQL
import WeirTesting

@testable import WeirAgent

@Suite("A history's file") struct HistoryFileTests {
    private let folder: ScratchFolder
    private let registry = Registry()
    private let reports = Reports()

    /// What was remarked.
    private final class Reports: Sendable {
        private let all = Mutex<[HistoryFile.Report]>([])

        func add(_ report: HistoryFile.Report) { all.withLock { $0.append(report) } }

        func take() -> [HistoryFile.Report] {
            all.withLock { all in
                defer { all = [] }
                return all
            }
        }
    }

    init() throws { folder = try ScratchFolder() }

    private func file(_ name: String, memoryLimit: Int = 1 << 20) -> HistoryFile {
        HistoryFile(folder.file(name), memoryLimit: memoryLimit, registry) { [reports] _, report in
            reports.add(report)
        }
    }

    /// A store with a hundred series, more than one frame holds, of ten samples each.
    private func store() throws -> SampleStore {
        let store = SampleStore()
        for number in 0..<100 {
            let series = try store.reference(for: [("__name__", "up"), ("id", "\(number)")])
            for second in 1...10 {
                _ = store.append(series, at: Int64(second) * 1_000, Double(number * second))
            }
        }
        return store
    }

    private func total(_ name: String) -> Int {
        Int(registry.counter(MetricDescription(name, "")).value)
    }

    @Test func `has again what was written, and no remark where there is none`() throws {
        let file = file("a/deep/history")
        let fresh = SampleStore()
        file.restore(fresh)
        #expect(reports.take().isEmpty)
        file.save(try store())
        file.restore(fresh)
        #expect(reports.take() == [.restored(series: 100, samples: 1_000)])
        #expect(total("weir_history_snapshots_total") == 1)
    }

    @Test func `keeps what can be read of a damaged one, and says what is lost`() throws {
        let file = file("history")
        file.save(try store())
        var bytes = try #require(AtomicFile.read(file.path))
        bytes[bytes.count / 3] ^= 0x55
        try AtomicFile.write(bytes, to: file.path)
        file.restore(SampleStore())
        let remarks = reports.take()
        #expect(remarks.count == 2)
        guard case .damaged(let lost?) = remarks.first, case .restored(let kept, _) = remarks.last
        else { return #expect(Bool(false), "\(remarks)") }
        #expect(lost > 0 && kept > 0 && lost + kept == 100)
    }

    @Test func `is not read where it is too large, nor written where it cannot be`() throws {
        file("history").save(try store())
        let fresh = SampleStore()
        file("history", memoryLimit: 100).restore(fresh)
        #expect(reports.take() == [.tooLarge])
        file("history/below").save(fresh)
        let remarks = reports.take()
        guard case .notWritten(let reason) = remarks.first else {
            return #expect(Bool(false), "\(remarks)")
        }
        #expect(reason.contains("Not a directory"))
        #expect(total("weir_history_snapshot_failures_total") == 1)
    }
}
