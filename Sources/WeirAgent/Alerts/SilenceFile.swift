import WeirAlerts
import WeirCore
import WeirHost
import WeirMetrics
import WeirPlugins

/// The file that silences survive restarts in: JSON as the API shows them.
struct SilenceFile: Sendable {
    private static let byteLimit = 64 << 20

    private let path: String
    private let failures: Counter
    private let log: @Sendable (RuleReport) -> Void

    /// - Parameter folder: Where it is; `nil` keeps nothing.
    init?(
        _ folder: String?, _ registry: Registry, _ log: @escaping @Sendable (RuleReport) -> Void
    ) {
        guard let folder else { return nil }
        path = "\(folder)/silences.json"
        self.log = log
        failures = registry.counter(
            MetricDescription(
                "weir_silence_file_failures_total", "Times that silences could not be written down."
            ))
    }

    /// Gives the silences back that were written down.
    func restore(_ mutes: AlertMutes) {
        guard let bytes = AtomicFile.read(path, limit: Self.byteLimit) else { return }
        let values = bytes.withUnsafeBytes { JSONValueReader.value(of: $0) }?.array
        var isDamaged = values == nil
        mutes.withSilences { silences in
            for value in values ?? [] {
                guard let silence = try? SilenceJSON.silence(value), !silence.id.isEmpty else {
                    isDamaged = true
                    continue
                }
                silences.restore(silence)
            }
        }
        if isDamaged { log(.damaged(path: path)) }
    }

    /// Writes the silences down.
    func save(_ silences: [Silence], at now: Int64) {
        let text = JSONValueWriter.text(
            .array(silences.map { SilenceJSON.value(of: $0, at: now) }))
        AtomicFile.makeFolder(of: path)
        do throws(SystemError) {
            try AtomicFile.write(Array(text.utf8), to: path)
        } catch {
            failures.add()
            log(.notWritten(path: path, reason: "\(error)"))
        }
    }
}
