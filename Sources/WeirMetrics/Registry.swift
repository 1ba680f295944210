import Synchronization
import WeirCore

/// What a metric counts: its name, help and type, as Prometheus shows them.
public struct MetricDescription: Sendable, Hashable {
    /// The name, with its unit and `_total` for counters.
    public var name: String
    /// One sentence.
    public var help: String

    /// A description by its parts.
    public init(_ name: String, _ help: String) {
        self.name = name
        self.help = help
    }
}

/// A label's name and value.
public struct Label: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The value, any text.
    public var value: String

    /// A label by its parts.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// Metrics by name and labels, shown to Prometheus at the scrape.
///
/// Components ask once for their counters and keep them; adding to one takes no lock.
public final class Registry: Sendable {
    enum Instrument: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
    }

    struct Family: Sendable {
        var help: String
        var series: [[Label]: Instrument] = [:]
    }

    /// Most series of all metrics; beyond it new ones are counted but not shown.
    public static let seriesLimit = 50_000

    let families = Mutex<[String: Family]>([:])
    private let shown = Mutex(Shown())
    /// What all groups' series count against.
    public let seriesBudget: SeriesBudget

    /// An empty registry.
    /// - Parameter seriesLimit: Most series of all groups together.
    public init(seriesLimit: Int = Registry.seriesLimit) {
        seriesBudget = SeriesBudget(limit: seriesLimit)
    }

    /// What the running configuration shows besides the registry's own metrics.
    struct Shown {
        var groups: [SeriesGroup] = []
        /// Called before every scrape: they bring gauges up to date.
        var preparations: [@Sendable (_ now: Timestamp) -> Void] = []
    }

    /// The groups that are shown.
    public var shownGroups: [SeriesGroup] { shown.withLock { $0.groups } }

    /// The names of all metrics that are shown, those of groups without label sets too.
    public var metricNames: Set<String> {
        families.withLock { Set($0.keys) }.union(
            shownGroups.flatMap { $0.declaration.families.map(\.name) })
    }

    /// Shows these groups and no others.
    func show(_ next: Shown) { shown.withLock { $0 = next } }

    /// The group that is shown and declared so.
    func group(like declaration: SeriesGroup.Declaration) -> SeriesGroup? {
        shownGroups.first { $0.declaration == declaration }
    }

    /// Brings everything up to date for a scrape, and lets idle series go.
    func prepareScrape(now: Timestamp) {
        let shown = shown.withLock { $0 }
        for prepare in shown.preparations { prepare(now) }
        for group in shown.groups { group.expire(now: now) }
    }

    /// The counter with these labels, made at zero when there is none.
    public func counter(_ description: MetricDescription, _ labels: [Label] = []) -> Counter {
        let made = instrument(description, labels) { .counter(Counter()) }
        guard case .counter(let counter) = made else { return Counter() }
        return counter
    }

    /// The gauge with these labels, made at zero when there is none.
    public func gauge(_ description: MetricDescription, _ labels: [Label] = []) -> Gauge {
        guard case .gauge(let gauge) = instrument(description, labels, { .gauge(Gauge()) })
        else { return Gauge() }
        return gauge
    }

    /// The histogram with these labels, made with these bounds when there is none.
    public func histogram(
        _ description: MetricDescription, bounds: [Double], _ labels: [Label] = []
    ) -> Histogram {
        let made = instrument(description, labels) { .histogram(Histogram(bounds: bounds)) }
        guard case .histogram(let histogram) = made else { return Histogram(bounds: bounds) }
        return histogram
    }

    /// Forgets the series with these labels: of a file that is gone, for example.
    public func remove(_ description: MetricDescription, _ labels: [Label]) {
        families.withLock { _ = $0[description.name]?.series.removeValue(forKey: labels) }
    }

    private func instrument(
        _ description: MetricDescription, _ labels: [Label], _ make: () -> Instrument
    ) -> Instrument {
        families.withLock { families in
            var family = families[description.name] ?? Family(help: description.help)
            if let present = family.series[labels] { return present }
            let made = make()
            if family.series.count < Self.seriesLimit { family.series[labels] = made }
            families[description.name] = family
            return made
        }
    }
}
