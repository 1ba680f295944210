import WeirCore
import WeirMetrics
import WeirParse

/// What the tail tells of itself on `/metrics`.
struct TailMetrics: Sendable {
    private let registry: Registry
    private let source: String
    let lines: Counter
    let bytes: Counter
    let files: Gauge
    let rotations: Counter
    let unreadable: Counter
    let longLines: Counter
    let replaced: Counter
    let throttled: Counter
    let lagBytes: Gauge
    /// What is known of each file.
    let followed: TailFiles

    init(_ registry: Registry, source: String, followed: TailFiles = TailFiles()) {
        self.registry = registry
        self.followed = followed
        self.source = source
        let labels = [Label("source", source)]
        func counter(_ name: String, _ help: String) -> Counter {
            registry.counter(MetricDescription(name, help), labels)
        }
        lines = counter("weir_tail_lines_total", "Lines read.")
        bytes = counter("weir_tail_bytes_total", "Bytes read.")
        rotations = counter("weir_tail_rotations_total", "Rotations and truncations seen.")
        unreadable = counter("weir_tail_unreadable_total", "Files that could not be opened.")
        longLines = counter(
            "weir_tail_long_lines_total", "Lines beyond max_line_size, dropped or truncated.")
        throttled = counter(
            "weir_tail_throttled_total", "Turns in which a limit left bytes of a file unread.")
        replaced = counter(
            "weir_malformed_utf8_total", "Malformed byte sequences replaced by U+FFFD.")
        files = registry.gauge(MetricDescription("weir_tail_files", "Files followed."), labels)
        lagBytes = registry.gauge(
            MetricDescription("weir_tail_lag_bytes", "Bytes of all files not read yet."), labels)
        // Shown at zero, so that the first one is a rise.
        for reason in LossReason.allCases { lost(0, reason) }
        for reason in ParseFailure.allCases { parseFailures(0, reason) }
    }

    /// Why bytes of a file are lost.
    enum LossReason: String, CaseIterable {
        case truncated
        case unreadable
    }

    private static let fileLagBytes = MetricDescription(
        "weir_tail_file_lag_bytes", "Bytes of a path's files not read yet.")
    private static let fileLagSeconds = MetricDescription(
        "weir_tail_file_lag_seconds", "Seconds since all of a path's lines had been read.")

    private func labels(_ path: String) -> [Label] {
        [Label("path", path), Label("source", source)]
    }

    /// Tells how far reading is behind a path's writer.
    func setLag(of path: String, byteCount: UInt64, seconds: UInt64) {
        registry.gauge(Self.fileLagBytes, labels(path)).set(Int(clamping: byteCount))
        registry.gauge(Self.fileLagSeconds, labels(path)).set(Int(clamping: seconds))
    }

    /// Forgets a path that is followed no more.
    func forget(_ path: String) {
        followed.forget(path)
        registry.remove(Self.fileLagBytes, labels(path))
        registry.remove(Self.fileLagSeconds, labels(path))
    }

    /// Counts bytes that were in a file and could not be read any more.
    func lost(_ byteCount: UInt64, _ reason: LossReason) {
        registry.counter(
            MetricDescription(
                "weir_tail_lost_bytes_total", "Bytes known to be lost, unread."),
            [Label("reason", reason.rawValue), Label("source", source)]
        ).add(Int(clamping: byteCount))
    }

    /// Counts lines that did not parse.
    func parseFailures(_ count: Int, _ reason: ParseFailure) {
        registry.counter(
            MetricDescription("weir_parse_failures_total", "Lines that gave no event."),
            [Label("reason", reason.rawValue), Label("source", source)]
        ).add(count)
    }
}
