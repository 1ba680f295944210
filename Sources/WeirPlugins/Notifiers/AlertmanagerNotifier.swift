import WeirAlerts
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline

/// `<notify> @type alertmanager`: hands alerts to Alertmanagers, to each of them on its own, so that one that
/// is down delays no other.
public final class AlertmanagerNotifier: Notifier {
    private enum P {
        static let urls = Parameter.list(
            "urls", "The Alertmanagers: `http://host:9093`, separated by commas.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .notifier, type: "alertmanager", "Hands alerts to Alertmanagers.",
        parameters: [AnyParameter(P.urls)] + NotifierConnection.parameters,
        examples: ["<notify>\n  @type alertmanager\n  urls http://alertmanager:9093\n</notify>"])

    private let instances: [Instance]

    /// None: Alertmanager groups.
    public var grouping: NotificationGroups? { nil }

    /// A notifier as its section describes it.
    public init(_ section: Section, name: String, context: PluginContext) throws(SectionError) {
        let connection = try NotifierConnection(section)
        guard !section[P.urls].isEmpty else {
            throw SectionError(
                section.element.location, "there is no Alertmanager to hand alerts to",
                help: "write `urls http://alertmanager:9093`")
        }
        var instances: [Instance] = []
        for url in section[P.urls] {
            let base = try NotifierConnection.address(url, at: section.location(of: P.urls))
            instances.append(Instance("\(base)/api/v2/alerts", name: name, connection, context))
        }
        self.instances = instances
    }

    public func start() { for instance in instances { instance.start() } }

    /// Takes notices for each of them.
    public func take(_ notices: [AlertNotice]) {
        guard !notices.isEmpty else { return }
        for instance in instances { instance.take(notices) }
    }

    public func stop() { for instance in instances { instance.stop() } }
}

/// One Alertmanager, and what it is to be told.
private final class Instance: Sendable {
    /// The waits between tries.
    private static let leastWait: UInt64 = 1_000_000_000
    private static let mostWait: UInt64 = 30_000_000_000

    private struct State {
        var queue = NoticeQueue()
        var isStopping = false
        var isRunning = false
        var notBefore: UInt64 = 0
    }

    private let url: String
    private let name: String
    private let connection: NotifierConnection
    private let clock: any PipelineClock
    private let log: @Sendable (NotifierReport) -> Void
    private let sent: Counter
    private let failures: Counter
    private let dropped: Counter
    private let refused: Counter
    private let state = Monitor(State())

    init(
        _ url: String, name: String, _ connection: NotifierConnection, _ context: PluginContext
    ) {
        self.url = url
        self.name = name
        self.connection = connection
        clock = context.clock
        log = context.notifierLog
        let labels = [Label("notifier", name), Label("url", url)]
        func counter(_ name: String, _ help: String, _ more: [Label] = []) -> Counter {
            context.registry.counter(MetricDescription(name, help), labels + more)
        }
        sent = counter("weir_notices_sent_total", "Notices of alerts that were taken.")
        failures = counter(
            "weir_notice_failures_total", "Requests with notices that failed; they are sent again.")
        let lost = "Notices of alerts that nobody was told."
        dropped = counter("weir_notices_dropped_total", lost, [Label("reason", "queue_full")])
        refused = counter("weir_notices_dropped_total", lost, [Label("reason", "refused")])
    }

    func start() {
        state.withLock { $0.isRunning = true }
        WorkerThread.start("weir-notify") { [self] in
            sendUntilStopped()
            state.change { $0.isRunning = false }
        }
    }

    func take(_ notices: [AlertNotice]) {
        dropped.add(state.change { $0.queue.add(notices) })
    }

    func stop() {
        state.change { $0.isStopping = true }
        state.wait { $0.isRunning ? .waitForChange : .done(()) }
    }

    private func sendUntilStopped() {
        let client = connection.client()
        var wait = Self.leastWait
        var isFailing = false
        while let batch = next() {
            let outcome = send(batch, client)
            switch outcome {
            case nil:
                sent.add(batch.count)
                wait = Self.leastWait
                if isFailing { log(.recovered(notifier: name, url: url)) }
                isFailing = false
            case .some(.refused(let reason)):
                refused.add(batch.count)
                log(.refused(notifier: name, url: url, reason: reason))
            case .some(.failed(let reason)):
                failures.add()
                if !isFailing { log(.failing(notifier: name, url: url, reason: reason)) }
                isFailing = true
                let isStopping = state.change { state in
                    state.queue.putBack(batch)
                    state.notBefore = clock.monotonicNanoseconds &+ wait
                    return state.isStopping
                }
                wait = min(wait * 2, Self.mostWait)
                // At the end each is tried once: whoever comes after tells it again.
                if isStopping { return }
            }
        }
    }

    private func next() -> [AlertNotice]? {
        state.wait { state -> WaitAnswer<[AlertNotice]?> in
            if state.queue.isEmpty { return state.isStopping ? .done(nil) : .waitForChange }
            guard state.isStopping || clock.monotonicNanoseconds >= state.notBefore else {
                return .waitUntil(state.notBefore)
            }
            return .done(state.queue.take())
        }
    }

    private func send(_ batch: [AlertNotice], _ client: HTTPClient) -> NotifierConnection.Problem? {
        var body = ByteBuffer(capacity: 4_096)
        AlertmanagerBody.append(batch, to: &body)
        return connection.post(
            body.bytes, to: url, headers: ["Content-Type: application/json"], client)
    }
}
