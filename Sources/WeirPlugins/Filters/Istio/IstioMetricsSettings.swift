import WeirConfig
import WeirCore
import WeirMetrics

/// What `<filter> @type istio_metrics` may be told.
struct IstioMetricsSettings {
    /// How far labels are rolled up.
    enum RollUp: String, CaseIterable, Sendable {
        case none, workload, service
    }

    /// Where the sizes of HTTP and TCP come from.
    enum Sizes: String, CaseIterable, Sendable {
        case auto, wire
    }

    /// How histograms are kept.
    enum HistogramForm: String, CaseIterable, Sendable {
        case classic, native
    }

    enum Parameters {
        static let metrics = Parameter.list(
            "metrics", default: IstioMetric.allCases.map(\.rawValue),
            "The metrics to count, of all ten.")
        static let histograms = Parameter<HistogramForm>.choice(
            "histograms", default: .classic,
            "Whether histograms have the bounds below or Prometheus' native, exponential buckets.")
        static let durationBuckets = bounds(
            "duration_buckets", "Upper bounds of the durations' buckets, in milliseconds.")
        static let sizeBuckets = bounds(
            "size_buckets", "Upper bounds of the sizes' buckets, in bytes.")
        static let sizes = Parameter<Sizes>.choice(
            "sizes", default: .auto,
            "`wire` counts the bytes on the wire only, as Envoy does; `auto` takes the bytes of the "
                + "bodies where the log tells no others, which is less.")
        static let optionalLabels = Parameter.list(
            "optional_labels", default: [],
            "Labels that Istio's own metrics cannot have: `subset`, `route_name`, `upstream_host`.")
        static let removeLabels = Parameter.list(
            "remove_labels", default: [], "Labels to leave out of all metrics.")
        static let rollUp = Parameter<RollUp>.choice(
            "roll_up", default: RollUp.none,
            "`workload` leaves out what comes from the labels and certificates of pods (app, "
                + "version, revision, principal), `service` the workloads as well.")
        static let exemplars = Parameter.flag(
            "exemplars", default: true,
            "Whether durations keep the id of a trace, or of the request, as exemplars.")
        static let seriesLimit = Parameter.integer(
            "series_limit", default: SeriesGroup.Declaration.defaultSeriesLimit,
            in: 100...10_000_000,
            "Most series of the HTTP metrics, and as many of TCP's and gRPC's; beyond it, values of "
                + "the labels that have most become `__overflow__`.")
        static let idleTime = Parameter.duration(
            "idle_time", default: SeriesGroup.Declaration.defaultIdleTime,
            "How long a series is shown that nothing is added to.")

        private static func bounds(_ name: String, _ summary: String) -> Parameter<[Double]> {
            Parameter(name, type: "list of numbers", default: IstioMetric.defaultBounds, summary) {
                (text) throws(ValueError) in
                var bounds: [Double] = []
                for value in try ValueText.array(text) {
                    switch value {
                    case .integer(let number): bounds.append(Double(number))
                    case .float(let number): bounds.append(number)
                    case .string(let text): bounds.append(try ValueText.float(text))
                    default:
                        throw ValueError(
                            message: "`\(text)` is not a list of numbers",
                            help: "write `1, 10, 100`")
                    }
                }
                guard zip(bounds, bounds.dropFirst()).allSatisfy({ $0 < $1 }), !bounds.isEmpty,
                    bounds.count <= SeriesGroup.Declaration.boundLimit
                else {
                    throw ValueError(
                        message: "the bounds do not ascend, or are not 1 to "
                            + "\(SeriesGroup.Declaration.boundLimit)",
                        help: "write each upper bound once, in ascending order")
                }
                return bounds
            }
        }

        static let all = [
            AnyParameter(metrics), AnyParameter(histograms), AnyParameter(durationBuckets),
            AnyParameter(sizeBuckets), AnyParameter(sizes), AnyParameter(optionalLabels),
            AnyParameter(removeLabels), AnyParameter(rollUp), AnyParameter(exemplars),
            AnyParameter(seriesLimit), AnyParameter(idleTime),
        ]
    }

    static let labels = SectionDeclaration(
        "labels", takesAnyName: true,
        "More labels: a name, and the field of the record that it shows (`tenant h_tenant`, "
            + "`team $.kubernetes.labels.team`).")

    private static let optionalSources: [(name: String, source: IstioLabelSource)] = [
        ("subset", .subset), ("route_name", .field(IstioField.routeName.rawValue)),
        ("upstream_host", .field(IstioField.upstreamHost.rawValue)),
    ]

    let options: IstioDerivation.Options
    let plans: [IstioMetricPlan]
    /// Whether labels depend on whole fields only.
    let labelsFollowKey: Bool
    let takesBodySizes: Bool
    let keepsExemplars: Bool
    private let section: Section

    /// The settings in a section.
    init(_ section: Section) throws(SectionError) {
        self.section = section
        var options = try IstioParameters.options(section)
        var extra = ExtraFields()
        var plans = try Self.metrics(section).map { IstioMetricPlan($0) }
        var removed = try Self.removedLabels(section)
        switch section[Parameters.rollUp] {
        case .none: break
        case .workload: removed += IstioLabel.ofPods.map(\.name)
        case .service: removed += (IstioLabel.ofPods + IstioLabel.ofWorkloads).map(\.name)
        }
        let added = try Self.addedLabels(section, &extra)
        for index in plans.indices {
            plans[index].remove(removed)
            for (name, source) in added { plans[index].set(name, to: source, in: .both) }
        }
        for overrides in section.sections("overrides") {
            try IstioOverrides.apply(overrides, to: &plans, &extra)
        }
        options.extraKeys = extra.keys
        let sources = plans.flatMap(\.labels).flatMap { [$0.client, $0.server] }
        options.labelFields = sources.compactMap(\.field)
        labelsFollowKey = sources.allSatisfy(\.followsKey)
        self.options = options
        self.plans = plans.filter { $0.countsClients || $0.countsServers }
        takesBodySizes = section[Parameters.sizes] == .auto
        keepsExemplars = section[Parameters.exemplars]
    }

    private static func metrics(_ section: Section) throws(SectionError) -> [IstioMetric] {
        var metrics: [IstioMetric] = []
        for name in section[Parameters.metrics] {
            guard let metric = IstioMetric(named: name) else {
                throw SectionError(
                    section.location(of: Parameters.metrics),
                    "`\(name)` is not one of Istio's metrics",
                    help: nearest(to: name, in: IstioMetric.allCases.map(\.rawValue))
                        .map { "did you mean `\($0)`?" }
                        ?? "there are \(IstioMetric.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", "))"
                )
            }
            if !metrics.contains(metric) { metrics.append(metric) }
        }
        // In the order of their definition, however they were written.
        return IstioMetric.allCases.filter(metrics.contains)
    }

    private static func removedLabels(_ section: Section) throws(SectionError) -> [String] {
        let names = section[Parameters.removeLabels]
        for name in names where IstioLabel(named: name) == nil {
            throw SectionError(
                section.location(of: Parameters.removeLabels),
                "`\(name)` is not a label of Istio's metrics",
                help: nearest(to: name, in: IstioLabel.allCases.map(\.name))
                    .map { "did you mean `\($0)`?" }
                    ?? "there are \(IstioLabel.allCases.map { "`\($0.name)`" }.joined(separator: ", "))"
            )
        }
        return names
    }

    private static func addedLabels(
        _ section: Section, _ extra: inout ExtraFields
    ) throws(SectionError) -> [(name: String, source: IstioLabelSource)] {
        var added: [(name: String, source: IstioLabelSource)] = []
        for name in section[Parameters.optionalLabels] {
            guard let known = optionalSources.first(where: { $0.name == name }) else {
                throw SectionError(
                    section.location(of: Parameters.optionalLabels),
                    "`\(name)` is not an optional label",
                    help:
                        "there are `subset`, `route_name` and `upstream_host`; any other field is "
                        + "a label by `<labels>`")
            }
            added.append(known)
        }
        for attribute in section.section("labels")?.element.attributes ?? [] {
            guard MetricName.isValidLabel(attribute.name), !attribute.name.hasPrefix("__") else {
                throw SectionError(
                    attribute.location, "`\(attribute.name)` is not a label's name",
                    help: "use letters, digits and `_`, and begin with no digit and no `__`")
            }
            let way: RecordAccessor
            do {
                way = try ValueText.accessor(attribute.value.string)
            } catch {
                throw SectionError(attribute.valueLocation, error.message, help: error.help)
            }
            guard case .key(let key)? = way.steps.first, !key.isEmpty else {
                throw SectionError(
                    attribute.valueLocation, "`\(attribute.name)` names no field",
                    help: "write the field whose value the label shows")
            }
            let place = extra.place(of: [key])
            added.append(
                (attribute.name, way.steps.count == 1 ? .field(place) : .way(way, field: place)))
        }
        return added
    }

    // MARK: Groups

    /// Metrics with the same labels, which one look-up of a label set serves.
    struct Group {
        var kind: IstioMetric.Kind
        var labels: [IstioLabelRule]
        var metrics: [IstioMetricPlan]
    }

    /// The metrics by their labels.
    var groups: [Group] {
        var groups: [Group] = []
        for plan in plans {
            let found = groups.firstIndex {
                $0.kind == plan.metric.kind && $0.labels == plan.labels
            }
            if let found {
                groups[found].metrics.append(plan)
            } else {
                groups.append(Group(kind: plan.metric.kind, labels: plan.labels, metrics: [plan]))
            }
        }
        return groups
    }

    /// What a group is declared as in the registry.
    func declaration(of group: Group) -> SeriesGroup.Declaration {
        SeriesGroup.Declaration(
            labelNames: group.labels.map(\.name),
            families: group.metrics.map { plan in
                FamilyDeclaration(
                    name: plan.metric.rawValue, help: plan.metric.help, unit: plan.metric.unit,
                    kind: kind(of: plan.metric))
            }, seriesLimit: section[Parameters.seriesLimit],
            idleTime: section[Parameters.idleTime])
    }

    private func kind(of metric: IstioMetric) -> FamilyDeclaration.Kind {
        guard metric.isHistogram else { return .counter }
        if section[Parameters.histograms] == .native { return .nativeHistogram() }
        let isDuration = metric == .requestDuration
        return .histogram(
            bounds: section[isDuration ? Parameters.durationBuckets : Parameters.sizeBuckets])
    }
}
