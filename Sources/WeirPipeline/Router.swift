// Hot path: `emit` runs once per batch; routes are kept per tag.
import Synchronization
import WeirCore
import WeirMetrics

/// Where matched events go.
public indirect enum OutputNode: Sendable {
    /// An output that delivers.
    case output(any Output)
    /// The rules of another label.
    case relabel(String)
    /// Several, each of which gets every event.
    case copy([OutputNode])
}

/// One `<filter>` or `<match>` of a label, in the file's order.
public struct Rule: Sendable {
    /// What the rule does with the events that match.
    public enum Action: Sendable {
        case filter(FilterStage)
        case match(OutputNode)
    }

    /// Whether a tag matches.
    public var matches: @Sendable (String) -> Bool
    /// What the rule does.
    public var action: Action

    /// A rule by its parts.
    public init(matches: @escaping @Sendable (String) -> Bool, action: Action) {
        self.matches = matches
        self.action = action
    }
}

/// A filter in its place, with the lock that lets several sources use it.
public final class FilterStage: @unchecked Sendable {
    // Safe because `filter` is used only inside `turn`.
    private let filter: any Filter
    private let turn = Monitor(())
    /// The name that the user knows it by.
    public let name: String
    private let metrics: FilterMetrics

    /// A stage of this filter.
    public init(name: String, filter: any Filter, registry: Registry = Registry()) {
        self.name = name
        self.filter = filter
        metrics = FilterMetrics(registry, filter: name)
    }

    /// Runs the filter over a batch.
    /// - Returns: The batch that goes on, and the rows that were refused.
    func apply(to batch: EventBatch) -> (batch: EventBatch, refused: [RefusedRow]) {
        turn.withLock { _ in
            var refused: [RefusedRow] = []
            let count = batch.keptRowCount
            filter.apply(to: batch) { row, reason in
                // At once: a filter that keeps the record as well may go on to change it.
                var encoder = BatchEncoder(batch)
                var text = ByteBuffer(capacity: 1024)
                encoder.append(row: row, to: &text)
                refused.append(
                    RefusedRow(
                        recordText: Array(text.bytes), time: batch.rows[row].time, reason: reason))
            }
            let result = filter.replacement(for: batch) ?? batch
            metrics.note(count, refused: refused.count, kept: result.keptRowCount)
            return (result, refused)
        }
    }
}

/// A row that a filter failed on, as it was then.
struct RefusedRow {
    var recordText: [UInt8]
    var time: Timestamp
    var reason: String
}

/// Sends batches through the filters that match their tag to the first output that does.
public final class Router: RefusalSink {
    /// Fluentd's reserved label for events that failed.
    public static let errorLabel = "@ERROR"
    /// Fluentd's reserved label for the top level.
    public static let rootLabel = "@ROOT"
    private static let cachedRouteLimit = 1024
    /// How many labels an event may pass; a longer way is a circle.
    private static let relabelLimit = 32

    struct Route: Sendable {
        var filters: [FilterStage] = []
        var node: OutputNode?
        /// Every output that events of the route can reach, the ones of `@ERROR` included.
        var outputs: [any Output] = []
    }

    private struct RouteName: Hashable {
        var label: String
        var tag: String
    }

    private let labels: [String: [Rule]]
    private let routes = Mutex<[RouteName: Route]>([:])
    private let deadLetter: any RefusalSink
    private let metrics: RouterMetrics
    private let log: @Sendable (RouterReport) -> Void

    /// A router over the rules of each label; the top level is ``rootLabel``.
    public init(
        labels: [String: [Rule]], deadLetter: any RefusalSink, registry: Registry,
        log: @escaping @Sendable (RouterReport) -> Void
    ) {
        self.labels = labels
        self.deadLetter = deadLetter
        metrics = RouterMetrics(registry)
        self.log = log
    }

    /// The entry for sources whose events begin at a label.
    public func entry(label: String = Router.rootLabel) -> any EventSink {
        RouterEntry(router: self, label: label)
    }

    func admits(tag: String, label: String) -> Bool {
        route(tag, label).outputs.allSatisfy(\.admits)
    }

    func emit(_ batch: EventBatch, label: String, ticket: DeliveryTicket, depth: Int = 0) {
        metrics.events.add(batch.rows.count)
        let route = route(batch.tag, label)
        var batch = batch
        for stage in route.filters {
            let (next, refused) = stage.apply(to: batch)
            if !refused.isEmpty { refuse(refused, of: batch, by: stage.name, label, ticket) }
            batch = next
        }
        guard let node = route.node else {
            noteUnmatched(batch)
            return
        }
        send(batch, to: node, ticket: ticket, depth: depth)
    }

    private func send(
        _ batch: EventBatch, to node: OutputNode, ticket: DeliveryTicket, depth: Int
    ) {
        switch node {
        case .output(let output): output.write(batch, ticket: ticket)
        case .relabel(let label):
            guard depth < Self.relabelLimit else { return noteUnmatched(batch) }
            emit(batch, label: label, ticket: ticket, depth: depth + 1)
        case .copy(let nodes):
            for node in nodes {
                // Filters behind a label would change what the next store sees.
                let own = if case .output = node { batch } else { batch.copy() }
                send(own, to: node, ticket: ticket, depth: depth)
            }
        }
    }

    private func noteUnmatched(_ batch: EventBatch) {
        let count = batch.keptRowCount
        guard count > 0 else { return }
        let total = metrics.unmatched.value
        metrics.unmatched.add(count)
        // Like Fluentd: at 1, 2, 4, 8 … events, not at each.
        if total == 0 || (total + UInt64(count)).leadingZeroBitCount < total.leadingZeroBitCount {
            log(.noMatch(tag: batch.tag, eventCount: metrics.unmatched.value))
        }
    }

    // MARK: Routes

    private func route(_ tag: String, _ label: String) -> Route {
        let name = RouteName(label: label, tag: tag)
        if let route = routes.withLock({ $0[name] }) { return route }
        let route = makeRoute(tag, label)
        routes.withLock { routes in
            if routes.count >= Self.cachedRouteLimit { routes.removeAll(keepingCapacity: true) }
            routes[name] = route
        }
        return route
    }

    private func makeRoute(_ tag: String, _ label: String) -> Route {
        var route = Route()
        for rule in labels[label] ?? [] where rule.matches(tag) {
            if case .filter(let stage) = rule.action { route.filters.append(stage) }
            if case .match(let node) = rule.action {
                route.node = node
                break
            }
        }
        var seen: Set<ObjectIdentifier> = []
        collectOutputs(tag, label, into: &route.outputs, &seen, depth: 0)
        // What fails on its way goes to @ERROR: that road must have room as well.
        collectOutputs(tag, Self.errorLabel, into: &route.outputs, &seen, depth: 0)
        return route
    }

    private func collectOutputs(
        _ tag: String, _ label: String, into outputs: inout [any Output],
        _ seen: inout Set<ObjectIdentifier>, depth: Int
    ) {
        guard depth <= Self.relabelLimit else { return }
        for rule in labels[label] ?? [] where rule.matches(tag) {
            guard case .match(let node) = rule.action else { continue }
            collect(node, tag, into: &outputs, &seen, depth: depth)
            return
        }
    }

    private func collect(
        _ node: OutputNode, _ tag: String, into outputs: inout [any Output],
        _ seen: inout Set<ObjectIdentifier>, depth: Int
    ) {
        switch node {
        case .output(let output):
            if seen.insert(ObjectIdentifier(output)).inserted { outputs.append(output) }
        case .relabel(let label):
            collectOutputs(tag, label, into: &outputs, &seen, depth: depth + 1)
        case .copy(let nodes):
            for node in nodes { collect(node, tag, into: &outputs, &seen, depth: depth) }
        }
    }

    // MARK: Refused events

    private func refuse(
        _ rows: [RefusedRow], of batch: EventBatch, by filter: String, _ label: String,
        _ ticket: DeliveryTicket
    ) {
        let events = rows.map { row in
            RefusedEvent(
                recordText: row.recordText, tag: batch.tag, time: row.time, component: filter,
                reason: row.reason)
        }
        if label == Self.errorLabel {
            // What fails inside @ERROR must not come back to it.
            deadLetter.refuse(events, ticket: ticket)
        } else {
            refuse(events, ticket: ticket)
        }
    }

    /// Sends refused events to `@ERROR`, or to the dead letter where there is none.
    public func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {
        guard let first = events.first else { return }
        log(.refused(component: first.component, eventCount: events.count, reason: first.reason))
        guard labels[Self.errorLabel] != nil else {
            deadLetter.refuse(events, ticket: ticket)
            return
        }
        for (tag, group) in Dictionary(grouping: events, by: \.tag) {
            emit(batch(of: group, tag: tag), label: Self.errorLabel, ticket: ticket)
        }
    }

    private func batch(of events: [RefusedEvent], tag: String) -> EventBatch {
        var text = ByteBuffer(capacity: events.reduce(0) { $0 + $1.recordText.count + 1 })
        for event in events {
            text.append(event.recordText)
            text.append(byte: 0x0a)
        }
        let batch = EventBatch(blockCapacity: max(text.count, 64))
        batch.fill(jsonLines: text.bytes, times: events.map(\.time), tag: tag)
        return batch
    }
}

/// A label's door into the router.
private final class RouterEntry: EventSink {
    private let router: Router
    private let label: String

    init(router: Router, label: String) {
        self.router = router
        self.label = label
    }

    func admits(tag: String) -> Bool { router.admits(tag: tag, label: label) }

    func emit(_ batch: EventBatch, ticket: DeliveryTicket) {
        router.emit(batch, label: label, ticket: ticket)
    }
}

/// What the router tells of itself on `/metrics`.
struct RouterMetrics: Sendable {
    let events: Counter
    let unmatched: Counter

    init(_ registry: Registry) {
        events = registry.counter(
            MetricDescription("weir_router_events_total", "Events that sources emitted."))
        unmatched = registry.counter(
            MetricDescription(
                "weir_router_unmatched_events_total", "Events dropped because no match took them."))
    }
}

/// What a filter tells of itself on `/metrics`.
struct FilterMetrics: Sendable {
    private let events: Counter
    private let failed: Counter
    private let dropped: Counter

    init(_ registry: Registry, filter name: String) {
        func counter(_ metric: String, _ help: String) -> Counter {
            registry.counter(MetricDescription(metric, help), [Label("filter", name)])
        }
        events = counter("weir_filter_events_total", "Events that a filter was given.")
        failed = counter("weir_filter_failed_events_total", "Events that a filter failed on.")
        dropped = counter("weir_filter_dropped_events_total", "Events that a filter left out.")
    }

    /// Counts a batch of `count` events of which `refused` failed and `kept` went on.
    func note(_ count: Int, refused: Int, kept: Int) {
        events.add(count)
        failed.add(refused)
        dropped.add(count &- refused &- kept)
    }
}

/// What happens in the router that a person may want to know.
public enum RouterReport: Sendable {
    case noMatch(tag: String, eventCount: UInt64)
    case refused(component: String, eventCount: Int, reason: String)
}
