// Hot path: once per span.
import Synchronization
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirTraces

/// Decides which spans go on: by the trace's id at once, and by policies when the trace was held.
final class SpanSampling: Sendable {
    private struct State: ~Copyable {
        var window: TraceWindow
        var isStopping = false
        var isRunning = false
    }

    private struct Policy {
        var name: String
        var kept: Counter
        var dropped: Counter
    }

    private let head: HeadSampler
    private let state: Monitor<State>?
    private let policies: [Policy]
    /// What fits no policy.
    private let rest: Policy
    private let headDropped: Counter
    private let keptSpans: Counter
    private let droppedSpans: Counter
    private let early: Counter
    private let late: (kept: Counter, dropped: Counter)
    private let heldBytes: Gauge
    private let sink: any EventSink
    private let tag: String
    private let clock: any PipelineClock
    private let links: LinkCollector?
    private let completions: AutocompleteCollector?

    /// A sampling as its section describes it; all spans go on without one.
    init(
        _ section: SamplingSection?, tag: String, source name: String, sink: any EventSink,
        links: LinkCollector?, completions: AutocompleteCollector? = nil, context: PluginContext
    ) {
        self.sink = sink
        self.links = links
        self.completions = completions
        self.tag = tag
        clock = context.clock
        head = section?.head ?? HeadSampler(rate: 1)
        let registry = context.registry
        func counter(_ metric: String, _ help: String, _ labels: (String, String)...) -> Counter {
            registry.counter(
                MetricDescription(metric, help),
                [Label("source", name)] + labels.map { Label($0.0, $0.1) })
        }
        func policy(_ policy: String) -> Policy {
            func decisions(_ decision: String) -> Counter {
                counter(
                    "weir_zipkin_sampling_decisions_total", "Traces that were decided of.",
                    ("policy", policy), ("decision", decision))
            }
            return Policy(name: policy, kept: decisions("kept"), dropped: decisions("dropped"))
        }
        func spans(_ decision: String) -> Counter {
            counter(
                "weir_zipkin_sampled_spans_total", "Spans that were kept or left out.",
                ("decision", decision))
        }
        func lateSpans(_ decision: String) -> Counter {
            counter(
                "weir_zipkin_late_spans_total", "Spans that came after their trace's decision.",
                ("decision", decision))
        }
        policies = section?.window?.policies.map { policy($0.name) } ?? []
        rest = policy("none")
        headDropped = spans("dropped_by_rate")
        keptSpans = spans("kept")
        droppedSpans = spans("dropped")
        early = counter(
            "weir_zipkin_early_decisions_total", "Traces decided of early, for want of memory.")
        late = (lateSpans("kept"), lateSpans("dropped"))
        heldBytes = registry.gauge(
            MetricDescription("weir_zipkin_held_bytes", "Bytes of spans that are held."),
            [Label("source", name)])
        state = section?.window.map { options in
            Monitor(State(window: TraceWindow(options, outcomes: context.requestOutcomes)))
        }
        if let share = section?.telemetry?.share {
            registry.gauge(
                MetricDescription(
                    "weir_sampling_wish_per_million",
                    "Of a million requests, how many Istio's Telemetry wishes to be traced."),
                [Label("source", name)]
            ).set(Int((share * 1_000_000).rounded()))
        }
    }

    /// Begins to decide of traces that are due.
    func start() {
        guard let state else { return }
        state.change { $0.isRunning = true }
        WorkerThread.start("zipkin-window") { [self] in decideAsTimeGoes(state) }
    }

    /// Decides of all that is held, and returns when it was sent on.
    func stop() {
        guard let state else { return }
        state.change { $0.isStopping = true }
        state.wait { $0.isRunning ? .waitForChange : .done(()) }
    }

    /// Sends spans on, or holds them.
    func take(
        _ batch: SpanBatch, through events: SpanEvents, now: Timestamp, ticket: DeliveryTicket
    ) {
        var kept = batch.spans
        let count = kept.count
        kept.removeAll { !$0.isDebug && !head.keeps($0.traceID) }
        headDropped.add(count - kept.count)
        if let state {
            let monotonic = clock.monotonicNanoseconds
            let decided = state.change { state -> [TraceWindow.Decided] in
                kept.removeAll { hold($0, of: batch, now, monotonic, in: &state.window) }
                return state.window.decide(now: monotonic)
            }
            send(decided, through: events, ticket)
        }
        keptSpans.add(kept.count)
        note(kept, of: batch, ticket)
        events.emit(kept, of: batch, now: now, to: sink, ticket: ticket)
    }

    /// Gives a span to the window.
    /// - Returns: Whether it does not go on now.
    private func hold(
        _ span: TraceSpan, of batch: SpanBatch, _ now: Timestamp, _ monotonic: UInt64,
        in window: inout TraceWindow
    ) -> Bool {
        let time = SpanEvents.time(of: span, in: batch) ?? now
        switch window.take(span, of: batch, time: time, now: monotonic) {
        case .held: return true
        case .late(let isTraceKept):
            let isKept = isTraceKept || span.isDebug
            (isKept ? late.kept : late.dropped).add()
            if !isKept { droppedSpans.add() }
            return !isKept
        }
    }

    private func send(
        _ decided: [TraceWindow.Decided], through events: SpanEvents, _ ticket: DeliveryTicket
    ) {
        for trace in decided {
            let policy = trace.policy.map { policies[$0] } ?? rest
            (trace.isKept ? policy.kept : policy.dropped).add()
            if trace.isEarly { early.add() }
            (trace.isKept ? keptSpans : droppedSpans).add(trace.times.count)
            guard trace.isKept else { continue }
            if links != nil || completions != nil { note(trace, ticket) }
            events.emit(lines: trace.lines, times: trace.times, to: sink, ticket: ticket)
        }
        events.finish(to: sink, ticket: ticket)
    }

    /// Tells of spans that go on those who look at them besides.
    private func note(_ spans: [TraceSpan], of batch: SpanBatch, _ ticket: DeliveryTicket) {
        links?.take(spans, of: batch)
        completions?.take(spans, of: batch, ticket: ticket)
    }

    /// The same of a trace that was held.
    private func note(_ trace: TraceWindow.Decided, _ ticket: DeliveryTicket) {
        let batch = SpanBatch()
        var json = ByteBuffer(capacity: trace.lines.count)
        for line in trace.lines.split(separator: 0x0a) {
            json.truncate(to: 0)
            json.append(Array(line))
            // The lines are the window's own.
            try? batch.decodeJSON(json.bytes)
        }
        note(batch.spans, of: batch, ticket)
    }

    /// The life of the thread that decides of traces whose time is over.
    private func decideAsTimeGoes(_ state: borrowing Monitor<State>) {
        let events = SpanEvents(tag: tag)
        while true {
            let hasRoom = sink.admits(tag: tag)
            let retry = clock.monotonicNanoseconds + 100_000_000
            let (decided, isLast) = state.wait {
                state -> WaitAnswer<([TraceWindow.Decided], Bool)> in
                let now = clock.monotonicNanoseconds
                if state.isStopping {
                    return .done((state.window.decide(now: now, all: true), true))
                }
                // While the outputs are full, new spans are refused at the door.
                guard hasRoom else { return now < retry ? .waitUntil(retry) : .done(([], false)) }
                heldBytes.set(state.window.byteCount)
                guard let deadline = state.window.nextDeadline else { return .waitForChange }
                if deadline > now { return .waitUntil(deadline) }
                return .done((state.window.decide(now: now), false))
            }
            let ticket = DeliveryTicket(readAt: clock.monotonicNanoseconds) {}
            send(decided, through: events, ticket)
            ticket.release()
            if isLast { break }
        }
        state.change { $0.isRunning = false }
    }
}
