import WeirConfig
import WeirCore
import WeirMetrics

/// What `<filter>` and `<match>` of `@type prometheus` declare: metrics that events are counted in.
enum PrometheusSection {
    /// The kinds of metrics, in Fluentd's words.
    enum Kind: String, CaseIterable, Sendable {
        case counter
        case gauge
        case summary
        case histogram
    }

    enum P {
        static let name = Parameter.text("name", "The metric's name.")
        static let type = Parameter<Kind>.choice("type", "What the metric counts.")
        static let description = Parameter.text("desc", "One sentence that explains it.")
        static let key = Parameter.accessor(
            "key", "The field whose number is counted; without it, a counter counts events."
        ).optional
        static let buckets = Parameter.text(
            "buckets", default: "0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10",
            "The upper bounds of a histogram's buckets, ascending, with commas between them.")
        static let initialized = Parameter.flag(
            "initialized", default: false,
            "Whether the label sets of `<initlabels>` are shown before the first event.")
        static let retention = Parameter.duration(
            "retention", default: .zero,
            "How long a label set without events is kept; 0 keeps it for good.")
        static let seriesLimit = Parameter.integer(
            "max_series_per_metric", default: 0,
            "Most label sets; beyond it new values become `__overflow__`. 0 means 50,000.")
    }

    private static let retentionCheck = IgnoredParameter(
        "retention_check_interval", because: "what is too old goes before every scrape")

    /// `<labels>`, of a metric or of all metrics.
    static let labels = SectionDeclaration(
        "labels", takesAnyName: true,
        "Labels and their values: `code $.response_code`, `host ${hostname}`.")

    /// `<metric>` and `<labels>`.
    static let sections = [
        SectionDeclaration(
            "metric", .many,
            parameters: [
                AnyParameter(P.name), AnyParameter(P.type), AnyParameter(P.description),
                AnyParameter(P.key), AnyParameter(P.buckets), AnyParameter(P.initialized),
                AnyParameter(P.retention), AnyParameter(P.seriesLimit),
            ],
            ignored: [retentionCheck],
            sections: [
                labels,
                SectionDeclaration(
                    "initlabels", .many, takesAnyName: true,
                    "A label set to show before its first event."),
            ], "A metric that events are counted in."),
        labels,
    ]

    /// Takes the `<labels>` of a section apart.
    static func templates(
        _ section: Section, hostName: String
    ) throws(SectionError) -> [(name: String, template: LabelTemplate)] {
        var found: [(name: String, template: LabelTemplate)] = []
        for attribute in section.section("labels")?.element.attributes ?? [] {
            guard MetricName.isValidLabel(attribute.name), !attribute.name.hasPrefix("__") else {
                throw SectionError(
                    attribute.location, "`\(attribute.name)` is not a label's name",
                    help: "use letters, digits and `_`, and begin with no digit and no `__`")
            }
            do {
                found.append(
                    (
                        attribute.name,
                        try LabelTemplate(attribute.value.string, hostName: hostName)
                    ))
            } catch {
                throw SectionError(attribute.valueLocation, error.message, help: error.help)
            }
        }
        return found
    }

    /// The bounds of a histogram's buckets.
    static func bounds(_ section: Section) throws(SectionError) -> [Double] {
        var bounds: [Double] = []
        for part in section[P.buckets].split(separator: ",", omittingEmptySubsequences: false) {
            let text = part.drop { $0 == " " }.prefix { $0 != " " }
            guard let bound = Double(text), bound.isFinite, bound > bounds.last ?? -.infinity else {
                throw SectionError(
                    section.location(of: P.buckets),
                    "`\(part)` is not a number above the bucket before it",
                    help: "write ascending numbers with commas between them: `0.1, 1, 10`")
            }
            bounds.append(bound)
        }
        return bounds
    }
}
