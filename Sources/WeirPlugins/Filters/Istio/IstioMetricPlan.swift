import WeirConfig

/// A label of a metric, as clients' and servers' lines fill it.
struct IstioLabelRule: Equatable {
    var name: String
    var client: IstioLabelSource
    var server: IstioLabelSource

    /// A label that both fill alike.
    init(_ name: String, _ source: IstioLabelSource) {
        self.name = name
        client = source
        server = source
    }
}

/// A metric with its labels, after everything that the user changed.
struct IstioMetricPlan {
    var metric: IstioMetric
    var labels: [IstioLabelRule]
    var countsClients = true
    var countsServers = true

    init(_ metric: IstioMetric) {
        self.metric = metric
        labels = metric.labels.map { IstioLabelRule($0.name, .standard($0)) }
    }

    /// Takes labels away.
    mutating func remove(_ names: [String]) {
        labels.removeAll { names.contains($0.name) }
    }

    /// Sets a label's value, adding the label where there is none.
    mutating func set(_ name: String, to source: IstioLabelSource, in mode: IstioMode) {
        let index: Int
        if let found = labels.firstIndex(where: { $0.name == name }) {
            index = found
        } else {
            labels.append(IstioLabelRule(name, .removed))
            index = labels.count - 1
        }
        if mode != .server { labels[index].client = source }
        if mode != .client { labels[index].server = source }
    }

    /// Takes a label away from the lines of a mode.
    mutating func remove(_ name: String, in mode: IstioMode) {
        guard let index = labels.firstIndex(where: { $0.name == name }) else { return }
        if mode != .server { labels[index].client = .removed }
        if mode != .client { labels[index].server = .removed }
        if labels[index].client == .removed, labels[index].server == .removed {
            labels.remove(at: index)
        }
    }
}

/// Whose lines a Telemetry override is for.
enum IstioMode: String, CaseIterable, Sendable {
    case client = "CLIENT"
    case server = "SERVER"
    case both = "CLIENT_AND_SERVER"
}

/// `<overrides>`: what Istio's Telemetry resource writes as `metrics.overrides`.
enum IstioOverrides {
    static let metric = Parameter.text(
        "metric", default: "ALL_METRICS",
        "`match.metric`: `REQUEST_COUNT`, `istio_requests_total` …, or `ALL_METRICS`.")
    static let mode = Parameter<IstioMode>.choice(
        "mode", default: .both, "`match.mode`: whose lines the override is for.")
    static let disabled = Parameter.flag(
        "disabled", default: false, "Whether the metric is left out.")

    static let declaration = SectionDeclaration(
        "overrides", .many,
        parameters: [AnyParameter(metric), AnyParameter(mode), AnyParameter(disabled)],
        sections: [
            SectionDeclaration(
                "tag_overrides", takesAnyName: true,
                "`tagOverrides`: a label's name, and behind it `REMOVE`, or `UPSERT` and a literal "
                    + "(`'text'`) or an attribute (`request.method`, `upstream.address` …).")
        ],
        "One of `metrics.overrides` in Istio's Telemetry resource; they apply in order.")

    /// Applies a section to the metrics that it names.
    static func apply(
        _ section: Section, to plans: inout [IstioMetricPlan], _ extra: inout ExtraFields
    ) throws(SectionError) {
        let name = section[metric]
        let named = IstioMetric(named: name)
        guard named != nil || name == "ALL_METRICS" else {
            let names = ["ALL_METRICS"] + IstioMetric.allCases.map(\.telemetryName)
            throw SectionError(
                section.location(of: metric), "`\(name)` is not one of Istio's metrics",
                help: nearest(to: name, in: names).map { "did you mean `\($0)`?" }
                    ?? "there are \(names.map { "`\($0)`" }.joined(separator: ", "))")
        }
        let mode = section[mode]
        var changes: [(name: String, source: IstioLabelSource)] = []
        for attribute in section.section("tag_overrides")?.element.attributes ?? [] {
            changes.append((attribute.name, try change(attribute, &extra)))
        }
        // Like istiod and Envoy: what is added stands in the order of its names.
        changes.sort { $0.name < $1.name }
        for index in plans.indices where named == nil || plans[index].metric == named {
            if section.isSet(disabled) {
                if mode != .server { plans[index].countsClients = !section[disabled] }
                if mode != .client { plans[index].countsServers = !section[disabled] }
            }
            for (name, source) in changes {
                if source == .removed {
                    plans[index].remove(name, in: mode)
                } else {
                    plans[index].set(name, to: source, in: mode)
                }
            }
        }
    }

    private static func change(
        _ attribute: ConfigAttribute, _ extra: inout ExtraFields
    ) throws(SectionError) -> IstioLabelSource {
        let text = attribute.value.string
        if text == "REMOVE" { return .removed }
        let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2, parts[0] == "UPSERT" else {
            throw SectionError(
                attribute.valueLocation, "`\(text)` is neither `REMOVE` nor `UPSERT` and a value",
                help:
                    "write `\(attribute.name) REMOVE` or `\(attribute.name) UPSERT request.method`")
        }
        let value = String(parts[1].drop { $0 == " " })
        return try IstioAttribute.source(value, &extra, at: attribute.valueLocation)
    }
}
