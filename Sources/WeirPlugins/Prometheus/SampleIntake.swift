import Synchronization
import WeirMetrics
import WeirPromQL

/// The way of samples into the history of metrics, whichever the process keeps at the moment.
public final class SampleIntake: Sendable {
    private struct Way {
        var store: SampleStore
        var feed: SampleFeed
    }

    private let way = Mutex<Way?>(nil)

    /// A way that leads nowhere yet.
    public init() {}

    /// Leads to a store from now on: when its former samples are there again.
    public func open(_ store: SampleStore) {
        way.withLock { $0 = Way(store: store, feed: SampleFeed(store)) }
    }

    /// Leads nowhere, until it is opened again.
    public func close() { way.withLock { $0 = nil } }

    /// The store, where there is one that is ready.
    var store: SampleStore? { way.withLock { $0?.store } }

    /// What takes requests of remote write, where there is a store that is ready.
    var feed: SampleFeed? { way.withLock { $0?.feed } }
}

/// Counts samples that come into the history, by where they come from.
public struct SampleCounters: Sendable {
    private let taken: Counter
    private let refused: [AppendOutcome: Counter]
    private let refusedSeries: Counter
    private let refusedExemplars: Counter

    /// - Parameter origin: Where they come from: `self`, `remote_write`, `scrape`.
    public init(_ registry: Registry, origin: String) {
        let label = Label("origin", origin)
        taken = registry.counter(
            MetricDescription("weir_history_samples_total", "Samples that the history took."),
            [label])
        let description = MetricDescription(
            "weir_history_refused_samples_total", "Samples that the history could not keep.")
        var counters: [AppendOutcome: Counter] = [:]
        for outcome in AppendOutcome.allCases {
            guard let reason = outcome.refusal else { continue }
            counters[outcome] = registry.counter(description, [label, Label("reason", reason)])
        }
        refused = counters
        refusedSeries = registry.counter(
            MetricDescription(
                "weir_history_refused_series_total",
                "Series with all their samples that the history has no room for."), [label])
        refusedExemplars = registry.counter(
            MetricDescription(
                "weir_history_refused_exemplars_total",
                "Exemplars that the history could not keep."), [label])
    }

    /// Counts what became of a request's samples.
    public func note(_ report: SampleFeed.Report) {
        taken.add(report.taken)
        for (outcome, count) in report.refused { refused[outcome]?.add(count) }
        refusedSeries.add(report.refusedSeries)
        refusedExemplars.add(report.refusedExemplars)
    }
}
