import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirTraces

/// Counts the links between services of the spans that go on, and tells them as events, from which
/// `@type elasticsearch_zipkin` makes Zipkin's documents, and as metrics.
final class LinkCollector: Sendable {
    private enum P {
        static let interval = Parameter.duration(
            "interval", default: .seconds(60), "How often the links of the day are told.")
        static let window = Parameter.duration(
            "window", default: .seconds(60),
            "How long after its first span a trace's calls are counted.")
        static let tag = Parameter.text(
            "tag", default: "zipkin.dependency", "The tag of the events.")
    }

    static let declaration = SectionDeclaration(
        "dependencies",
        parameters: [AnyParameter(P.interval), AnyParameter(P.window), AnyParameter(P.tag)],
        "Links between services are counted, and told as events with `parent`, `child`, `callCount` "
            + "and `errorCount`, and as the metrics of a service graph, named as Grafana Tempo names "
            + "them: `traces_service_graph_request_total` and `traces_service_graph_request_failed_total` "
            + "by `client` and `server`.")

    private struct State: ~Copyable {
        var window: LinkWindow
        /// What was told last, so that only changes are told.
        var told: [String: DependencyLink] = [:]
        var isStopping = false
        var isRunning = false
    }

    private let state: Monitor<State>
    private let interval: UInt64
    private let tag: String
    /// Tells the counts of this start from those of others, which Zipkin adds to them.
    private let origin: String
    private let sink: any EventSink
    private let clock: any PipelineClock
    private let graph: SeriesShard

    init(
        _ section: Section, source name: String, sink: any EventSink, context: PluginContext
    ) throws(SectionError) {
        func nanoseconds(_ parameter: Parameter<Duration>) -> UInt64 {
            UInt64(clamping: section[parameter].milliseconds) * 1_000_000
        }
        interval = max(nanoseconds(P.interval), 10_000_000)
        state = Monitor(State(window: LinkWindow(window: nanoseconds(P.window))))
        tag = section[P.tag]
        origin = "\(context.nodeName)-\(context.clock.now.millisecondsSince1970)"
        self.sink = sink
        clock = context.clock
        let declaration = SeriesGroup.Declaration(
            labelNames: ["client", "server"],
            families: [
                FamilyDeclaration(
                    name: "traces_service_graph_request_total",
                    help: "Calls between services, by their spans.", kind: .counter),
                FamilyDeclaration(
                    name: "traces_service_graph_request_failed_total",
                    help: "Calls between services that failed, by their spans.", kind: .counter),
            ])
        do {
            graph = try context.series.group(declaration).shard(named: name)
        } catch {
            throw SectionError(
                section.element.location, "\(error)", help: "rename the other metric")
        }
    }

    /// Begins to tell.
    func start() {
        state.change { $0.isRunning = true }
        WorkerThread.start("zipkin-links") { [self] in tellAsTimeGoes() }
    }

    /// Tells the rest, and returns when it was sent on.
    func stop() {
        state.change { $0.isStopping = true }
        state.wait { $0.isRunning ? .waitForChange : .done(()) }
    }

    /// Takes spans that go on.
    func take(_ spans: [TraceSpan], of batch: SpanBatch) {
        let now = clock.monotonicNanoseconds
        state.withLock { state in
            for span in spans { state.window.take(span, of: batch, now: now) }
            state.window.settle(now: now)
        }
    }

    private func tellAsTimeGoes() {
        while true {
            let next = clock.monotonicNanoseconds + interval
            let isLast = state.wait { state -> WaitAnswer<Bool> in
                if state.isStopping { return .done(true) }
                return clock.monotonicNanoseconds >= next ? .done(false) : .waitUntil(next)
            }
            // While the outputs are full, the next interval tells it.
            if isLast || sink.admits(tag: tag) { tell(isLast: isLast) }
            if isLast { break }
        }
        state.change { $0.isRunning = false }
    }

    private func tell(isLast: Bool) {
        let now = clock.monotonicNanoseconds
        let (changed, calls) = state.withLock { state in
            state.window.settle(now: now, all: isLast)
            var changed: [(day: Int64, link: DependencyLink)] = []
            // What is new of each.
            var calls: [DependencyLink] = []
            var told: [String: DependencyLink] = [:]
            for (day, links) in state.window.links {
                for link in links {
                    let name = "\(day)|\(link.parent)|\(link.child)"
                    let former = state.told[name]
                    told[name] = link
                    guard former != link else { continue }
                    changed.append((day, link))
                    var new = link
                    new.callCount -= former?.callCount ?? 0
                    new.errorCount -= former?.errorCount ?? 0
                    calls.append(new)
                }
            }
            state.told = told
            return (changed, calls)
        }
        guard !changed.isEmpty else { return }
        count(calls)
        let ticket = DeliveryTicket(readAt: now) {}
        sink.emit(batch(of: changed), ticket: ticket)
        ticket.release()
    }

    /// Counts calls as metrics.
    private func count(_ calls: [DependencyLink]) {
        var values = LabelValues(labelCount: 2)
        graph.update(now: clock.now) { table in
            for link in calls {
                values.removeAll()
                values.append(link.parent)
                values.append(link.child)
                let series = table.index(of: values)
                table.add(UInt64(clamping: link.callCount), to: series, family: 0)
                table.add(UInt64(clamping: link.errorCount), to: series, family: 1)
            }
        }
    }

    private func batch(of links: [(day: Int64, link: DependencyLink)]) -> EventBatch {
        let records = links.map { day, link in
            var record: Record = [
                "parent": .string(link.parent), "child": .string(link.child),
                "callCount": .integer(Int64(link.callCount)),
            ]
            if link.errorCount > 0 { record["errorCount"] = .integer(Int64(link.errorCount)) }
            record[SpanDocumentEncoder.originKey] = .string(origin)
            return (record: record, time: Timestamp(seconds: day &* 86_400))
        }
        return .telling(records, tag: tag)
    }
}
