import WeirConfig
import WeirHost
import WeirMetrics
import WeirPromQL

/// What a `<source>` of `@type prometheus_scrape` means.
struct ScrapeSection {
    private enum P {
        static let targets = Parameter.list(
            "targets", default: [],
            "What is scraped: `host:port`, separated by commas, or whole addresses.")
        static let interval = Parameter.duration(
            "scrape_interval", default: .seconds(15), "How often each target is scraped.")
        static let timeout = Parameter.duration(
            "scrape_timeout", default: .seconds(10), "How long a scrape may take.")
        static let path = Parameter.text(
            "metrics_path", default: "/metrics", "Where a target's metrics are.")
        static let scheme = Parameter<Scheme>.choice(
            "scheme", default: .http, "How targets are spoken to.")
        static let job = Parameter.text("job", default: "scrape", "The label `job`.")
        static let honorLabels = Parameter.flag(
            "honor_labels", default: false,
            "Whether the targets' own labels win over those that are given here.")
        static let sampleLimit = Parameter.integer(
            "sample_limit", default: 100_000, in: 0...10_000_000,
            "Most samples of a scrape; a larger one is refused. 0 for any number.")
        static let bodyLimit = Parameter.size(
            "body_size_limit", default: 32 << 20, "Most bytes of a scrape, restored.")
        static let tokenFile = Parameter.text(
            "bearer_token_file", default: "",
            "A file of a token to log in with, which is read before every request.")
        static let user = ElasticsearchParameters.user
        static let password = ElasticsearchParameters.password
        // Pods
        static let pods = Parameter.flag(
            "kubernetes_pods", default: false,
            "Whether this node's pods with `prometheus.io/scrape: \"true\"` are scraped.")
        static let podInterval = Parameter.duration(
            "discovery_interval", default: .seconds(30), "How often the pods are listed.")
        static let apiURL = Parameter.text(
            "kubernetes_url", default: "",
            "The Kubernetes API; else that of the cluster in which Weir runs.")
        static let apiToken = Parameter.text(
            "kubernetes_token_file",
            default: "/var/run/secrets/kubernetes.io/serviceaccount/token",
            "The file of the token for it.")
        static let apiAuthority = Parameter.text(
            "kubernetes_ca_file",
            default: "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
            "The file of the authorities that it is trusted by.")
    }

    /// How a target is spoken to.
    enum Scheme: String, Sendable, CaseIterable {
        case http
        case https
    }

    /// The component as users see it.
    static let declaration = ComponentDeclaration(
        .source, type: "prometheus_scrape",
        "Scrapes the metrics of others, such as Envoy's own, for queries and rules.",
        parameters: [
            AnyParameter(P.targets), AnyParameter(P.interval), AnyParameter(P.timeout),
            AnyParameter(P.path), AnyParameter(P.scheme), AnyParameter(P.job),
            AnyParameter(P.honorLabels), AnyParameter(P.sampleLimit), AnyParameter(P.bodyLimit),
            AnyParameter(P.tokenFile), AnyParameter(P.user), AnyParameter(P.password),
            AnyParameter(P.pods), AnyParameter(P.podInterval), AnyParameter(P.apiURL),
            AnyParameter(P.apiToken), AnyParameter(P.apiAuthority),
        ] + ElasticsearchParameters.tls,
        sections: [
            SectionDeclaration(
                "labels", takesAnyName: true,
                "Labels that every series gets: `cluster a`, `node ${hostname}`.")
        ],
        examples: [
            "<source>\n  @type prometheus_scrape\n  targets 127.0.0.1:15090\n"
                + "  metrics_path /stats/prometheus\n  job envoy\n</source>"
        ])

    /// Where a node's pods are listed.
    struct Pods: Sendable {
        var url: String
        var interval: Duration
        var tokenFile: String
        var client: HTTPClientOptions
    }

    /// The targets that are written out.
    let targets: [ScrapeTarget.Place]
    /// Where further ones are found.
    let pods: Pods?
    let interval: Duration
    let client: HTTPClientOptions
    let headers: [String]
    let tokenFile: String?
    let job: String
    /// How series are labelled, without the labels of their target.
    let series: ScrapeFeed.Options
    let bodyLimit: Int

    /// Reads the section; mistakes that only several parameters show are thrown.
    init(_ section: Section, context: PluginContext) throws(SectionError) {
        interval = max(section[P.interval], .seconds(1))
        guard section[P.timeout] <= interval, section[P.timeout] > .zero else {
            throw SectionError(
                section.location(of: P.timeout),
                "`scrape_timeout` is longer than `scrape_interval`, or zero",
                help: "write a `scrape_timeout` of at most `scrape_interval`")
        }
        var client = try ElasticsearchSection.tls(section)
        client.requestTimeout = section[P.timeout]
        client.answerByteLimit = section[P.bodyLimit]
        client.keptHeaders = ["content-type", "content-encoding"]
        self.client = client
        bodyLimit = section[P.bodyLimit]
        tokenFile = section[P.tokenFile].isEmpty ? nil : section[P.tokenFile]
        headers =
            try ElasticsearchSection.credentials(section).map { ["Authorization: \($0)"] } ?? []
        job = section[P.job]
        var series = ScrapeFeed.Options()
        series.honorsLabels = section[P.honorLabels]
        series.sampleLimit = section[P.sampleLimit]
        for label in try FixedLabels.read(
            section.section("labels"), hostName: context.hostName)
        {
            series.labels[label.name] = label.value
        }
        self.series = series
        targets = try Self.targets(section)
        pods = try Self.pods(section, context)
        guard !targets.isEmpty || pods != nil else {
            throw SectionError(
                section.element.location, "there is nothing to scrape",
                help: "write `targets 127.0.0.1:15090`, or `kubernetes_pods true`")
        }
    }

    private static func targets(
        _ section: Section
    ) throws(SectionError) -> [ScrapeTarget.Place] {
        var places: [ScrapeTarget.Place] = []
        for text in section[P.targets] {
            let isWhole = text.hasPrefix("http://") || text.hasPrefix("https://")
            let url = isWhole ? text : "\(section[P.scheme].rawValue)://\(text)\(section[P.path])"
            let rest = url.drop { $0 != ":" }.dropFirst(3)
            let instance = rest.prefix { $0 != "/" && $0 != "?" }
            guard !instance.isEmpty, !instance.contains(where: \.isWhitespace),
                isWhole || section[P.path].hasPrefix("/")
            else {
                throw SectionError(
                    section.location(of: P.targets), "`\(text)` is not a target",
                    help: "write `host:port`, and `metrics_path` with a `/` in front")
            }
            places.append(
                ScrapeTarget.Place(url: url, labels: ["instance": String(instance)]))
        }
        return places
    }

    private static func pods(
        _ section: Section, _ context: PluginContext
    ) throws(SectionError) -> Pods? {
        guard section[P.pods] else { return nil }
        var url = section[P.apiURL]
        if url.isEmpty, let host = context.environment("KUBERNETES_SERVICE_HOST"), !host.isEmpty {
            let port = context.environment("KUBERNETES_SERVICE_PORT") ?? "443"
            url = "https://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
        guard !url.isEmpty else {
            throw SectionError(
                section.location(of: P.pods), "Weir does not run in a Kubernetes cluster",
                help: "set `kubernetes_url`, or remove `kubernetes_pods`")
        }
        var client = HTTPClientOptions()
        client.requestTimeout = .seconds(10)
        if url.hasPrefix("https://") { client.authorityFile = section[P.apiAuthority] }
        let node = context.nodeName.filter { $0.isLetter || $0.isNumber || ".-".contains($0) }
        return Pods(
            url: "\(url)/api/v1/pods?fieldSelector=spec.nodeName%3D\(node)",
            interval: max(section[P.podInterval], .seconds(1)), tokenFile: section[P.apiToken],
            client: client)
    }
}
