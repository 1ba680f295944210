import WeirAlerts
import WeirCore
import WeirHost
import WeirPipeline

/// The groups of a receiver and what waits to be sent to it, written down at every change.
final class NotificationOutbox: Sendable {
    /// The largest journal that is read back.
    private static let fileByteLimit = 256 << 20

    /// What a look at the groups came to.
    struct Outcome {
        /// Notifications that wait since.
        var madeCount = 0
        /// Alerts that found no room.
        var leftOutCount = 0
        /// Notifications that were dropped for newer ones.
        var droppedCount = 0
        /// Notifications that wait.
        var waitingCount = 0
        /// Why the journal could not be written; what it would say is in memory alone.
        var journalFailure: SystemError?
    }

    private struct State: ~Copyable {
        var groups: NotificationGroups
        var waiting: [WaitingNotification] = []
        var waitingByteCount = 0
        var file: JournalFile?

        /// Writes frames, or all anew where that is due.
        mutating func write(_ frames: borrowing ByteBuffer) -> SystemError? {
            guard file != nil, frames.count > 0 else { return nil }
            do throws(SystemError) {
                if file?.needsRewriting == true {
                    var all = ByteBuffer(capacity: 4_096)
                    NotificationJournal.append(all: groups, waiting: waiting, to: &all)
                    try file?.rewrite(Array(all.bytes))
                } else {
                    try file?.append(Array(frames.bytes))
                }
                return nil
            } catch {
                return error
            }
        }
    }

    private let state: Monitor<State>
    private let byteLimit: Int

    /// An outbox that nothing waits in yet.
    /// - Parameter path: The journal's, if there is to be one.
    init(_ groups: NotificationGroups, path: String?, byteLimit: Int) {
        self.byteLimit = byteLimit
        state = Monitor(State(groups: groups, file: path.map { JournalFile($0) }))
    }

    /// Takes over what was written down.
    /// - Returns: Bytes of the journal that could not be understood.
    func open(at now: Int64) -> Int {
        state.withLock { state in
            let bytes = state.file?.bytes(limit: Self.fileByteLimit) ?? []
            let journal = bytes.withUnsafeBytes { NotificationJournal($0) }
            journal.restore(&state.groups, at: now)
            state.waiting = journal.waiting
            state.waitingByteCount = state.waiting.reduce(0) { $0 + $1.body.count }
            return journal.lostByteCount
        }
    }

    /// When a group is due next, in milliseconds.
    var due: Int64? { state.withLock { $0.groups.due } }

    /// What is sent next.
    var first: WaitingNotification? { state.withLock { $0.waiting.first } }

    /// How many notifications wait.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Takes notices, looks at the groups that are due, and writes down what is to be told.
    func regroup(
        _ notices: [AlertNotice], at now: Int64, isMuted: (AlertNotice) -> Bool,
        body: (Notification) -> [UInt8]
    ) -> Outcome {
        state.withLock { state in
            var outcome = Outcome()
            outcome.leftOutCount = state.groups.take(notices, at: now)
            var frames = ByteBuffer(capacity: 1_024)
            for flush in state.groups.flush(at: now, isMuted: isMuted) {
                let waiting = flush.notification.map {
                    WaitingNotification(
                        id: $0.id, groupKey: flush.groupKey, body: body($0))
                }
                if let waiting {
                    state.waiting.append(waiting)
                    state.waitingByteCount += waiting.body.count
                    outcome.madeCount += 1
                }
                guard flush.hasChanged else { continue }
                _ = NotificationJournal.append(
                    flush.groupKey, of: state.groups, waiting: waiting, to: &frames)
            }
            for key in state.groups.forget(at: now) {
                NotificationJournal.append(forgotten: key, to: &frames)
            }
            while state.waitingByteCount > byteLimit, state.waiting.count > 1 {
                // Not the first: it may be on its way.
                let dropped = state.waiting.remove(at: 1)
                state.waitingByteCount -= dropped.body.count
                state.groups.noteLoss(dropped.groupKey)
                NotificationJournal.append(
                    done: dropped.id, hasArrived: false, at: now, to: &frames)
                outcome.droppedCount += 1
            }
            outcome.journalFailure = state.write(frames)
            outcome.waitingCount = state.waiting.count
            return outcome
        }
    }

    /// Notes that a notification waits no more.
    /// - Returns: Why that could not be written down.
    func finish(
        _ notification: WaitingNotification, hasArrived: Bool, at now: Int64
    ) -> SystemError? {
        state.withLock { state in
            guard let place = state.waiting.firstIndex(where: { $0.id == notification.id }) else {
                return nil
            }
            state.waiting.remove(at: place)
            state.waitingByteCount -= notification.body.count
            if hasArrived {
                state.groups.noteArrival(notification.groupKey, at: now)
            } else {
                state.groups.noteLoss(notification.groupKey)
            }
            var frames = ByteBuffer(capacity: 128)
            NotificationJournal.append(
                done: notification.id, hasArrived: hasArrived, at: now, to: &frames)
            return state.write(frames)
        }
    }
}
