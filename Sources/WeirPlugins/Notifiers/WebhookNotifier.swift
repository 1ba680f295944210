import WeirAlerts
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline

/// `<notify> @type webhook`: posts notifications of groups of alerts, in their order, each until it is taken.
///
/// Two threads: one groups alerts and writes down what is to be told, one sends it, so that a slow receiver
/// delays no decision. What waits survives the process in a journal.
public final class WebhookNotifier: Notifier {
    /// The component as users see it.
    public static let declaration = WebhookSettings.declaration

    /// The waits between tries.
    private static let leastWait: UInt64 = 1_000_000_000
    private static let mostWait: UInt64 = 30_000_000_000

    private struct Inbox {
        var notices = NoticeQueue()
        var isStopping = false
        var isRunning = false
        /// Whether what was written down is to be read, and groups are to be looked at.
        var isFresh = true
    }

    private struct Outgoing {
        var isStopping = false
        var isRunning = false
        var notBefore: UInt64 = 0
    }

    private let name: String
    private let settings: WebhookSettings
    private let connection: NotifierConnection
    private let externalURL: String
    private let mutes: AlertMutes
    private let clock: any PipelineClock
    private let log: @Sendable (NotifierReport) -> Void
    private let counters: WebhookCounters
    private let inbox = Monitor(Inbox())
    private let outgoing = Monitor(Outgoing())
    private let outbox: NotificationOutbox

    /// Its groups, none of which there are yet.
    public var grouping: NotificationGroups? {
        NotificationGroups(receiver: name, settings.groups)
    }

    /// A notifier as its section describes it.
    public init(_ section: Section, name: String, context: PluginContext) throws(SectionError) {
        self.name = name
        settings = try WebhookSettings(section)
        connection = try NotifierConnection(section)
        externalURL = context.alerting.externalURL
        mutes = context.alerting.mutes
        clock = context.clock
        log = context.notifierLog
        counters = WebhookCounters(context.registry, name)
        outbox = NotificationOutbox(
            NotificationGroups(receiver: name, settings.groups),
            path: context.alerting.stateFolder.map { "\($0)/\(name).notifications" },
            byteLimit: settings.queueByteLimit)
    }

    /// Takes over what was written down, and begins.
    public func start() {
        inbox.withLock { $0.isRunning = true }
        outgoing.withLock { $0.isRunning = true }
        WorkerThread.start("weir-notify") { [self] in
            groupUntilStopped()
            inbox.change { $0.isRunning = false }
            outgoing.change { $0.isStopping = true }
        }
        WorkerThread.start("weir-notify") { [self] in
            sendUntilStopped()
            outgoing.change { $0.isRunning = false }
        }
    }

    /// Takes notices; they are grouped on another thread.
    public func take(_ notices: [AlertNotice]) {
        guard !notices.isEmpty else { return }
        counters.noticesDropped.add(inbox.change { $0.notices.add(notices) })
    }

    /// Sends what waits until something fails, and ends; the rest is written down.
    public func stop() {
        inbox.change { $0.isStopping = true }
        inbox.wait { $0.isRunning ? .waitForChange : .done(()) }
        outgoing.wait { $0.isRunning ? .waitForChange : .done(()) }
    }

    // MARK: Grouping

    private func groupUntilStopped() {
        let lost = outbox.open(at: clock.now.millisecondsSince1970)
        if lost > 0 { log(.journalDamaged(notifier: name, lostByteCount: lost)) }
        outgoing.change { _ in }
        while true {
            let due = outbox.due
            let notices = inbox.wait { inbox -> WaitAnswer<[AlertNotice]?> in
                if !inbox.notices.isEmpty || inbox.isFresh {
                    inbox.isFresh = false
                    return .done(inbox.notices.take(.max))
                }
                if inbox.isStopping { return .done(nil) }
                guard let due else { return .waitForChange }
                let wait = due - clock.now.millisecondsSince1970
                if wait <= 0 { return .done([]) }
                // Looked at again at times, since the clock may be set.
                return .waitUntil(
                    clock.monotonicNanoseconds &+ UInt64(min(wait, 1_000)) &* 1_000_000)
            }
            guard let notices else { return }
            regroup(notices)
        }
    }

    private func regroup(_ notices: [AlertNotice]) {
        let now = clock.now.millisecondsSince1970
        let outcome = outbox.regroup(notices, at: now) { [mutes] in
            mutes.isMuted($0, at: now)
        } body: { [settings, externalURL, counters, log, name] notification in
            let (body, problem) = settings.body(of: notification, externalURL: externalURL)
            if let problem {
                counters.templateFailures.add()
                log(.templateFailed(notifier: name, reason: "\(problem)"))
            }
            return body
        }
        counters.note(outcome)
        if let failure = outcome.journalFailure {
            log(.journalNotWritten(notifier: name, reason: "\(failure)"))
        }
        if outcome.madeCount > 0 { outgoing.change { _ in } }
    }

    // MARK: Sending

    private func sendUntilStopped() {
        let client = connection.client()
        var wait = Self.leastWait
        var isFailing = false
        while let notification = next() {
            switch post(notification, client) {
            case .failed(let reason):
                counters.failures.add()
                if !isFailing { log(.failing(notifier: name, url: shownURL, reason: reason)) }
                isFailing = true
                let isStopping = outgoing.change { outgoing in
                    outgoing.notBefore = clock.monotonicNanoseconds &+ wait
                    return outgoing.isStopping
                }
                wait = min(wait * 2, Self.mostWait)
                // What waits is written down, and sent by whoever comes after.
                if isStopping { return }
            case nil:
                counters.sent.add()
                wait = Self.leastWait
                if isFailing { log(.recovered(notifier: name, url: shownURL)) }
                isFailing = false
                finish(notification, hasArrived: true)
            case .refused(let reason):
                counters.refused.add()
                log(.refused(notifier: name, url: shownURL, reason: reason))
                finish(notification, hasArrived: false)
            }
        }
    }

    private func post(
        _ notification: WaitingNotification, _ client: HTTPClient
    ) -> NotifierConnection.Problem? {
        var headers = settings.headers + ["Weir-Notification-Id: \(notification.id)"]
        if let (header, signature) = settings.signature {
            guard let text = signature.text(of: notification.body) else {
                return .failed("the body cannot be signed")
            }
            headers.append("\(header): sha256=\(text)")
        }
        return notification.body.withUnsafeBytes {
            connection.post($0, to: settings.url, headers: headers, client)
        }
    }

    /// The address without its path, which may be a secret.
    private var shownURL: String {
        settings.url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
            .prefix(3).joined(separator: "/")
    }

    private func finish(_ notification: WaitingNotification, hasArrived: Bool) {
        let failure = outbox.finish(
            notification, hasArrived: hasArrived, at: clock.now.millisecondsSince1970)
        counters.waiting.set(outbox.waitingCount)
        guard let failure else { return }
        counters.journalFailures.add()
        log(.journalNotWritten(notifier: name, reason: "\(failure)"))
    }

    private func next() -> WaitingNotification? {
        outgoing.wait { outgoing -> WaitAnswer<WaitingNotification?> in
            guard let first = outbox.first else {
                return outgoing.isStopping ? .done(nil) : .waitForChange
            }
            guard outgoing.isStopping || clock.monotonicNanoseconds >= outgoing.notBefore else {
                return .waitUntil(outgoing.notBefore)
            }
            return .done(first)
        }
    }
}
