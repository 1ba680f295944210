import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline

/// What a `<match>` of `@type prometheus_remote_write` means.
struct RemoteWriteSection {
    private enum P {
        static let url = Parameter.text(
            "url", "The receiver's address, such as `http://prometheus:9090/api/v1/write`.")
        static let version = Parameter<RemoteWriteVersion>.choice(
            "protocol_version", default: .one, "The version of the protocol that is spoken.")
        static let interval = Parameter.duration(
            "interval", default: .seconds(15), "How often all metrics are sampled and sent.")
        static let timeout = Parameter.duration(
            "remote_timeout", default: .seconds(30), "How long a request may take.")
        static let sampleLimit = Parameter.integer(
            "max_samples_per_send", default: 2_000, in: 1...1_000_000,
            "Most samples of a request.")
        static let byteLimit = Parameter.size(
            "total_limit_size", default: 8 << 20,
            "Most bytes of requests that wait, compressed; then the oldest are dropped.")
        static let ageLimit = Parameter.duration(
            "sample_age_limit", default: .zero,
            "The age at which samples are dropped, not sent; 0 for none.")
        static let retryWait = Parameter.duration(
            "retry_wait", default: .seconds(1),
            "The wait before a request is sent again; it doubles with each try.")
        static let retryMaximum = Parameter.duration(
            "retry_max_interval", default: .seconds(30), "The longest such wait.")
        static let metadataInterval = Parameter.duration(
            "metadata_interval", default: .seconds(60),
            "How often types and help texts are sent, in version 1.0.")
        static let exemplars = Parameter.flag(
            "send_exemplars", default: true, "Whether exemplars are sent.")
        static let nativeHistograms = Parameter.flag(
            "send_native_histograms", default: true,
            "Whether native histograms are sent; a receiver that knows none refuses them.")
        static let user = ElasticsearchParameters.user
        static let password = ElasticsearchParameters.password
        static let token = Parameter.text(
            "bearer_token", default: "", "A token to log in with."
        ).secret
        static let tokenFile = Parameter.text(
            "bearer_token_file", default: "",
            "A file of such a token, which is read before every request.")
        static let headers = ElasticsearchParameters.customHeaders
    }

    /// The component as users see it.
    static let declaration = ComponentDeclaration(
        .output, type: "prometheus_remote_write",
        "Sends all metrics, Weir's own and those that filters count, to a receiver of Prometheus' "
            + "remote write. It takes no events: its pattern must match no tag.",
        parameters: [
            AnyParameter(P.url), AnyParameter(P.version), AnyParameter(P.interval),
            AnyParameter(P.timeout), AnyParameter(P.sampleLimit), AnyParameter(P.byteLimit),
            AnyParameter(P.ageLimit), AnyParameter(P.retryWait), AnyParameter(P.retryMaximum),
            AnyParameter(P.metadataInterval), AnyParameter(P.exemplars),
            AnyParameter(P.nativeHistograms), AnyParameter(P.user), AnyParameter(P.password),
            AnyParameter(P.token), AnyParameter(P.tokenFile), AnyParameter(P.headers),
        ] + ElasticsearchParameters.tls,
        sections: [
            SectionDeclaration(
                "external_labels", takesAnyName: true,
                "Labels that every series gets that has none of the name: `cluster a`, "
                    + "`node ${hostname}`.")
        ],
        examples: [
            "<match prometheus.**>\n  @type prometheus_remote_write\n"
                + "  url http://prometheus:9090/api/v1/write\n  interval 15s\n"
                + "  <external_labels>\n    cluster a\n    node ${hostname}\n"
                + "  </external_labels>\n</match>"
        ])

    /// The shortest time between two samplings.
    static let leastInterval: Duration = .seconds(1)
    /// The largest answer: an error's text.
    private static let answerByteLimit = 1 << 20

    let url: String
    var client: HTTPClientOptions
    let headers: [String]
    let tokenFile: String?
    let interval: Duration
    var sampling: RemoteWriteSampler.Options
    var queue: RemoteWriteQueue.Options

    /// Reads the section; mistakes that only several parameters show are thrown.
    init(_ section: Section, hostName: String) throws(SectionError) {
        url = try Self.url(section)
        client = try ElasticsearchSection.tls(section)
        client.requestTimeout = section[P.timeout]
        client.answerByteLimit = Self.answerByteLimit
        client.keptHeaders = RemoteWriteAnswer.Header.all
        try Self.check(section, P.timeout, atLeast: .milliseconds(1))
        interval = section[P.interval]
        try Self.check(section, P.interval, atLeast: Self.leastInterval)
        sampling = RemoteWriteSampler.Options()
        sampling.version = section[P.version]
        sampling.sampleLimit = section[P.sampleLimit]
        sampling.metadataInterval = section[P.metadataInterval]
        sampling.sendsExemplars = section[P.exemplars]
        sampling.sendsNativeHistograms = section[P.nativeHistograms]
        sampling.externalLabels = try FixedLabels.read(
            section.section("external_labels"), hostName: hostName)
        queue = RemoteWriteQueue.Options()
        queue.byteLimit = max(section[P.byteLimit], 1)
        if section[P.ageLimit] > .zero { queue.ageLimit = section[P.ageLimit] }
        try Self.check(section, P.retryWait, atLeast: .milliseconds(1))
        queue.retry.wait = section[P.retryWait]
        queue.retry.maximumWait = max(section[P.retryMaximum], section[P.retryWait])
        headers = try Self.headers(section)
        tokenFile = section[P.tokenFile].isEmpty ? nil : section[P.tokenFile]
    }

    private static func check(
        _ section: Section, _ parameter: Parameter<Duration>, atLeast least: Duration
    ) throws(SectionError) {
        guard section[parameter] < least else { return }
        throw SectionError(
            section.location(of: parameter), "`\(parameter.name)` is shorter than \(least)",
            help: "write \(least) or more")
    }

    private static func url(_ section: Section) throws(SectionError) -> String {
        let text = section[P.url]
        let isSecure = text.hasPrefix("https://")
        let rest = text.drop { $0 != "/" }.dropFirst(2)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard isSecure || text.hasPrefix("http://"), !authority.isEmpty,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), !rest.contains("#")
        else {
            throw SectionError(
                section.location(of: P.url), "`url` is not the address of a receiver",
                help: "write one such as `http://prometheus:9090/api/v1/write`")
        }
        guard !authority.contains("@") else {
            throw SectionError(
                section.location(of: P.url), "`url` has a user's name in it",
                help: "write it as `user`, and the password as `password`")
        }
        let tls = ElasticsearchParameters.tls.map(\.name)
        if !isSecure, let name = tls.first(where: { section.element[$0] != nil }) {
            throw SectionError(
                section.element[name]?.location ?? section.element.location,
                "`\(name)` says nothing about `http://`",
                help: "remove it, or begin `url` with `https://`")
        }
        return text
    }

    /// The headers of every request but for those of a token's file.
    private static func headers(_ section: Section) throws(SectionError) -> [String] {
        let version = section[P.version]
        let fixed = [
            "Content-Encoding: snappy", "Content-Type: \(version.contentType)",
            "X-Prometheus-Remote-Write-Version: \(version.header)",
        ]
        let names = fixed.map { $0.prefix { $0 != ":" }.lowercased() }
        for name in section[P.headers].keys.sorted() where names.contains(name.lowercased()) {
            throw SectionError(
                section.location(of: P.headers), "`\(name)` is what the protocol makes it",
                help: "remove it from `custom_headers`")
        }
        var authorizations: [String] = []
        if let basic = try ElasticsearchSection.credentials(section) {
            authorizations.append("Authorization: \(basic)")
        }
        if !section[P.token].isEmpty {
            guard section[P.token].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                throw SectionError(
                    section.location(of: P.token), "`bearer_token` is not a token",
                    help: "write it without blanks and line ends")
            }
            authorizations.append("Authorization: Bearer \(section[P.token])")
        }
        let custom = try ElasticsearchSection.headers(section)
        let ways =
            authorizations.count + (section[P.tokenFile].isEmpty ? 0 : 1)
            + custom.count { $0.lowercased().hasPrefix("authorization:") }
        guard ways <= 1 else {
            throw SectionError(
                section.element.location, "there is more than one way to log in",
                help: "keep one of `user` with `password`, `bearer_token`, `bearer_token_file` and "
                    + "an `Authorization` in `custom_headers`")
        }
        return fixed + authorizations + custom
    }
}
