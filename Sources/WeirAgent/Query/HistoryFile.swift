import WeirCore
import WeirHost
import WeirMetrics
import WeirPromQL

/// The file that a history survives restarts in.
struct HistoryFile: Sendable {
    /// What is to be remarked about it.
    enum Report: Sendable, Equatable {
        /// Series and samples that live again.
        case restored(series: Int, samples: Int)
        /// The file is damaged; so many series are lost, if that is known.
        case damaged(lostSeries: Int?)
        /// It is larger than any that would be written here.
        case tooLarge
        case notWritten(reason: String)
    }

    let path: String
    private let byteLimit: Int
    private let report: @Sendable (String, Report) -> Void
    private let written: Counter
    private let unwritten: Counter

    /// - Parameter memoryLimit: About the bytes that a history takes. A file of more than twice as many
    ///   is none of its own.
    init(
        _ path: String, memoryLimit: Int, _ registry: Registry,
        report: @escaping @Sendable (String, Report) -> Void
    ) {
        self.path = path
        byteLimit = memoryLimit > Int.max / 2 ? Int.max : 2 * memoryLimit
        self.report = report
        written = registry.counter(
            MetricDescription("weir_history_snapshots_total", "Histories that were written down."))
        unwritten = registry.counter(
            MetricDescription(
                "weir_history_snapshot_failures_total",
                "Histories that could not be written down; the former file stays."))
    }

    /// Puts what was kept into a store that is new.
    func restore(_ store: SampleStore) {
        guard case .success(let status) = FileStatus.of(path) else { return }
        guard status.size <= UInt64(clamping: byteLimit),
            let bytes = AtomicFile.read(path, limit: byteLimit)
        else { return report(path, .tooLarge) }
        let read = bytes.withUnsafeBytes { store.restore($0) }
        if !read.isWhole { report(path, .damaged(lostSeries: read.lostSeriesCount)) }
        report(path, .restored(series: read.seriesCount, samples: read.sampleCount))
    }

    /// Writes a store down as it is now: the whole file or nothing.
    func save(_ store: SampleStore) {
        AtomicFile.makeFolder(of: path)
        var snapshot = store.snapshot()
        do throws(SystemError) {
            try AtomicFile.write(to: path) { snapshot.next() }
            written.add()
        } catch {
            unwritten.add()
            report(path, .notWritten(reason: "\(error)"))
        }
    }
}
