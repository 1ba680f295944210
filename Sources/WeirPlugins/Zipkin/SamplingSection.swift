import WeirConfig
import WeirCore
import WeirHost
import WeirTraces

/// What `<sampling>` in a `@type zipkin` means: which traces are kept.
struct SamplingSection {
    private enum When: String, Sendable, CaseIterable {
        case error
        case latency
        case slow
        case attribute
        case accessLog = "access_log"
        case probability
        case rateLimit = "rate_limit"
        case always
    }

    private enum P {
        static let rate = Parameter.float(
            "rate", default: 1,
            "The share of traces that is taken at all, 0 to 1, by their ids; as in Zipkin.")
        static let telemetry = Parameter.text(
            "telemetry", default: "",
            "A file of Istio's Telemetry: its share is shown beside what is measured, and its custom "
                + "tags are added to spans that lack them.")
        static let window = Parameter.duration(
            "window", default: .seconds(10),
            "How long after its first span a trace is decided of, where there are policies.")
        static let memoryLimit = Parameter.size(
            "memory_limit", default: 64 << 20,
            "Most bytes of held spans; beyond, the oldest traces are decided of early.")
        static let decisionLimit = Parameter.integer(
            "decision_limit", default: 100_000, in: 1...100_000_000,
            "How many traces' decisions are remembered for spans that come late.")
        static let requestTag = Parameter.text(
            "request_tag", default: "guid:x-request-id", "The tag of the request's id.")
        // A policy
        static let when = Parameter<When>.choice("when", "What a trace must be.")
        static let keep = Parameter.flag(
            "keep", default: true, "Whether traces that fit are kept, or left out.")
        static let threshold = Parameter.duration(
            "threshold", default: .seconds(1), "`latency`: how long a span of it must have taken.")
        static let key = Parameter.text("key", default: "", "`attribute`: the tag.")
        static let value = Parameter.text(
            "value", default: "", "`attribute`: its value; any, if neither this nor `pattern` is.")
        static let pattern = Parameter.regex(
            "pattern", "`attribute`: what its value must match."
        ).optional
        static let share = Parameter.float(
            "share", default: 0.1, "`probability`: the share of traces, 0 to 1.")
        static let perSecond = Parameter.float(
            "traces_per_second", default: 10, "`rate_limit`: how many traces a second fit.")
    }

    static let declaration = SectionDeclaration(
        "sampling",
        parameters: [
            AnyParameter(P.rate), AnyParameter(P.telemetry), AnyParameter(P.window),
            AnyParameter(P.memoryLimit), AnyParameter(P.decisionLimit), AnyParameter(P.requestTag),
        ],
        sections: [
            SectionDeclaration(
                "policy", .many,
                parameters: [
                    AnyParameter(P.when), AnyParameter(P.keep), AnyParameter(P.threshold),
                    AnyParameter(P.key), AnyParameter(P.value), AnyParameter(P.pattern),
                    AnyParameter(P.share), AnyParameter(P.perSecond),
                ],
                "`<policy NAME>`: a reason to keep a whole trace or to leave it out; the first that "
                    + "fits decides, and a trace that fits none is left out.")
        ], "Which traces are kept; without it, all are.")

    /// The share that is taken at all.
    let head: HeadSampler
    /// How traces are held and decided of; `nil` where there are no policies.
    let window: TraceWindow.Options?
    /// What the mesh's own resource wishes.
    let telemetry: TelemetryWish?

    /// Reads the section; mistakes that only several parameters show are thrown.
    init(_ section: Section) throws(SectionError) {
        head = HeadSampler(rate: try Self.share(P.rate, section))
        telemetry =
            section[P.telemetry].isEmpty ? nil : try Self.telemetry(section[P.telemetry], section)
        let written = section.sections("policy")
        guard !written.isEmpty else {
            window = nil
            return
        }
        guard written.count <= TraceWindow.policyLimit else {
            throw SectionError(
                section.element.location, "there are more than \(TraceWindow.policyLimit) policies",
                help: "join some: `pattern` may have alternatives")
        }
        var options = TraceWindow.Options()
        options.window = UInt64(clamping: section[P.window].milliseconds) * 1_000_000
        options.byteLimit = section[P.memoryLimit]
        options.decisionLimit = section[P.decisionLimit]
        options.requestTag = section[P.requestTag]
        for (number, policy) in written.enumerated() {
            options.policies.append(try Self.policy(policy, number: number + 1))
        }
        let names = options.policies.map(\.name)
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw SectionError(
                section.element.location, "two policies are called `\(twice)`",
                help: "give each a name of its own: `<policy NAME>`")
        }
        window = options
    }

    private static func share(
        _ parameter: Parameter<Double>, _ section: Section
    ) throws(SectionError) -> Double {
        let share = section[parameter]
        guard share >= 0, share <= 1 else {
            throw SectionError(
                section.location(of: parameter), "`\(parameter.name)` is a share from 0 to 1",
                help: "5 per cent are `0.05`")
        }
        return share
    }

    private static func policy(
        _ section: Section, number: Int
    ) throws(SectionError) -> SamplingPolicy {
        let name = section.argument.isEmpty ? "\(number)" : section.argument
        let condition: SamplingPolicy.Condition
        switch section[P.when] {
        case .error: condition = .error
        case .latency:
            condition = .latency(UInt64(clamping: section[P.threshold].milliseconds) * 1_000)
        case .slow: condition = .slowForService
        case .accessLog: condition = .accessLog
        case .always: condition = .always
        case .probability:
            condition = .probability(HeadSampler(rate: try share(P.share, section)))
        case .rateLimit: condition = .rateLimit(max(0, section[P.perSecond]))
        case .attribute:
            guard section.isSet(P.key) else {
                throw SectionError(
                    section.element.location, "a policy `when attribute` needs `key`",
                    help: "name the tag, such as `key http.status_code`")
            }
            condition = .attribute(section[P.key], try matcher(section))
        }
        return SamplingPolicy(name, condition, keeps: section[P.keep])
    }

    private static func matcher(
        _ section: Section
    ) throws(SectionError) -> @Sendable (String) -> Bool {
        if let literal = section[P.pattern] {
            guard !section.isSet(P.value) else {
                throw SectionError(
                    section.location(of: P.value), "`value` and `pattern` exclude each other",
                    help: "keep one of them")
            }
            let regex = try literal.compiled(at: section.location(of: P.pattern))
            return { regex.matches($0) }
        }
        guard section.isSet(P.value) else { return { _ in true } }
        let value = section[P.value]
        return { $0 == value }
    }

    private static func telemetry(
        _ path: String, _ section: Section
    ) throws(SectionError) -> TelemetryWish {
        guard let bytes = AtomicFile.read(path, limit: YAMLReader.byteLimit) else {
            throw SectionError(
                section.location(of: P.telemetry), "\(path) cannot be read",
                help: "give the path of a file that Weir may read")
        }
        let documents: [YAMLNode]
        do {
            documents = try YAMLReader.documents(bytes, file: path)
        } catch {
            throw SectionError(
                section.location(of: P.telemetry), "\(path) is no YAML: \(error)",
                help: "give the file of the resource that configures tracing")
        }
        guard let wish = TelemetryWish(documents) else {
            throw SectionError(
                section.location(of: P.telemetry),
                "\(path) holds no Telemetry with `spec.tracing`",
                help: "give the file of the resource that configures tracing")
        }
        return wish
    }
}

/// What an Istio `Telemetry` wishes of tracing (istio.io, "Telemetry": `tracing`).
struct TelemetryWish: Sendable {
    /// The share of requests that proxies are to sample; `nil` where it is not told.
    var share: Double?
    /// Tags that every span is to have.
    var tags: [(key: String, value: String)] = []

    /// Reads the first resource with `spec.tracing`; `nil` where there is none.
    init?(_ documents: [YAMLNode]) {
        let resource = documents.first {
            $0["kind"]?.text == "Telemetry" && $0["spec"]?["tracing"]?.elements != nil
        }
        guard let tracing = resource?["spec"]?["tracing"]?.elements else { return nil }
        for part in tracing {
            if let text = part["randomSamplingPercentage"]?.text, let percentage = Double(text) {
                share = min(max(percentage, 0), 100) / 100
            }
            if part["disableSpanReporting"]?.text == "true" { share = 0 }
            for (key, value) in part["customTags"]?.fields ?? [] {
                guard let key = key.text else { continue }
                // What a proxy takes of a request's header only the proxy can know.
                if let text = value["literal"]?["value"]?.text { tags.append((key, text)) }
            }
        }
    }
}
