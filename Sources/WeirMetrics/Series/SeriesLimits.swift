import Synchronization

/// How many series there may be, and how many there are: shared by all that count against it.
public final class SeriesBudget: Sendable {
    /// Most series.
    public let limit: Int
    private let used = Atomic<Int>(0)

    /// A budget of which nothing is used.
    public init(limit: Int) {
        self.limit = max(limit, 0)
    }

    /// Series made and not expired.
    public var usedCount: Int { used.load(ordering: .relaxed) }

    func add(_ count: Int) { used.wrappingAdd(count, ordering: .relaxed) }

    /// How many labels must collapse in new series: none below seven eighths of the limit, then one
    /// more with every step of the last eighth, at the limit all of them.
    func collapsedLabelCount(adding count: Int, labelCount: Int) -> Int {
        let soft = limit - limit / 8
        let wanted = usedCount + count
        guard wanted > soft else { return 0 }
        guard wanted <= limit else { return labelCount }
        let step = max((limit - soft) / max(labelCount, 1), 1)
        return min(labelCount, 1 + (wanted - soft) / step)
    }
}

/// What a group's tables share: its budgets, and counters of what was cut, mended or merged.
final class SeriesLimits: Sendable {
    let group: SeriesBudget
    let total: SeriesBudget
    let truncated: Counter
    let repaired: Counter
    let refusedExemplars: Counter
    private let registry: Registry
    private let name: String
    private let labelNames: [String]
    private let overflows: Mutex<[Counter?]>

    init(_ declaration: SeriesGroup.Declaration, total: SeriesBudget, registry: Registry) {
        group = SeriesBudget(limit: declaration.seriesLimit)
        self.total = total
        self.registry = registry
        name = declaration.name
        labelNames = declaration.labelNames
        let labels = [Label("metric", declaration.name)]
        truncated = registry.counter(
            MetricDescription(
                "weir_metrics_truncated_label_values_total",
                "Label values of new series that were longer than the limit."), labels)
        repaired = registry.counter(
            MetricDescription(
                "weir_metrics_repaired_label_values_total",
                "Label values of new series that were not valid UTF-8."), labels)
        refusedExemplars = registry.counter(
            MetricDescription(
                "weir_metrics_refused_exemplars_total",
                "Exemplars whose id was too long or held other characters than ids do."), labels)
        overflows = Mutex(Array(repeating: nil, count: declaration.labelNames.count))
    }

    /// How many labels must collapse in a new series.
    func collapsedLabelCount(families: Int) -> Int {
        let count = labelNames.count
        return max(
            group.collapsedLabelCount(adding: families, labelCount: count),
            total.collapsedLabelCount(adding: families, labelCount: count))
    }

    func add(_ count: Int) {
        group.add(count)
        total.add(count)
    }

    /// Counts an update whose label value was replaced.
    func countOverflow(label: Int) {
        overflows.withLock { counters in
            if let counter = counters[label] { return counter.add() }
            let counter = registry.counter(
                MetricDescription(
                    "weir_metrics_overflow_total",
                    "Updates whose label value became `__overflow__`, the series being too many."),
                [Label("metric", name), Label("label", labelNames[label])])
            counter.add()
            counters[label] = counter
        }
    }
}
