import WeirAlerts
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline

/// What happens with rules that a person may want to know.
enum RuleReport: Sendable {
    /// A rule could not be evaluated.
    case failed(RuleFailure, group: String)
    /// Alerts could not be written down.
    case notWritten(path: String, reason: String)
    /// What was written down is damaged: the group's alerts begin as the history has them.
    case damaged(path: String)
}

/// The files that alerts survive restarts in, one of each group.
struct AlertFiles {
    private let folder: String?
    private let failures: Counter
    private let log: @Sendable (RuleReport) -> Void

    /// - Parameter folder: Where they are; `nil` keeps nothing.
    init(
        _ folder: String?, _ registry: Registry, _ log: @escaping @Sendable (RuleReport) -> Void
    ) {
        self.folder = folder
        self.log = log
        failures = registry.counter(
            MetricDescription(
                "weir_alert_state_failures_total", "Times that alerts could not be written down."))
    }

    /// The file of a group.
    func file(of group: RuleGroup) -> AlertFile? {
        guard let folder else { return nil }
        var hash = FNV1a()
        hash.add(group.file)
        hash.add(0xff)
        hash.add(group.name)
        return AlertFile("\(folder)/groups/\(hash.text).alerts", failures, log)
    }
}

/// The file that a group's alerts survive restarts in; belongs to the group's thread.
final class AlertFile: Sendable {
    private static let byteLimit = 1 << 30
    /// How old the file may be while an alert fires and nothing changes, in milliseconds.
    private static let mostAge: Int64 = 10_000

    private struct State {
        var isThere = true
        var writtenAt = Int64.min
        var isFailing = false
    }

    private let path: String
    private let failures: Counter
    private let log: @Sendable (RuleReport) -> Void
    private let state = Monitor(State())

    init(_ path: String, _ failures: Counter, _ log: @escaping @Sendable (RuleReport) -> Void) {
        self.path = path
        self.failures = failures
        self.log = log
    }

    /// Gives a group's alerts back, before it is first evaluated.
    func restore(_ evaluator: GroupEvaluator) {
        guard let bytes = AtomicFile.read(path, limit: Self.byteLimit) else { return }
        if !bytes.withUnsafeBytes({ evaluator.restore($0) }) { log(.damaged(path: path)) }
    }

    /// Writes a group's alerts down after an evaluation, where that tells anything new.
    func save(_ evaluator: GroupEvaluator, at time: Int64) {
        state.withLock { state in
            let isDue =
                evaluator.hasChanged || evaluator.hasPendingAlerts
                || evaluator.hasAlerts && time &- state.writtenAt >= Self.mostAge
                || !evaluator.hasAlerts && state.isThere
            guard isDue else { return }
            state.writtenAt = time
            guard evaluator.hasAlerts else {
                AtomicFile.remove(path)
                state.isThere = false
                return
            }
            let bytes = evaluator.savedAlerts(at: time)
            if !state.isThere || state.isFailing { AtomicFile.makeFolder(of: path) }
            do throws(SystemError) {
                try write(bytes)
                state.isThere = true
                state.isFailing = false
            } catch {
                failures.add()
                if !state.isFailing { log(.notWritten(path: path, reason: "\(error)")) }
                state.isFailing = true
            }
        }
    }

    private func write(_ bytes: [UInt8]) throws(SystemError) {
        do throws(SystemError) {
            try AtomicFile.write(bytes, to: path, isSynced: false)
        } catch {
            guard error.isAbsence else { throw error }
            AtomicFile.makeFolder(of: path)
            try AtomicFile.write(bytes, to: path, isSynced: false)
        }
    }
}
