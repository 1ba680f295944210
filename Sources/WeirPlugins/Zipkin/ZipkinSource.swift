import Synchronization
import WeirConfig
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirTraces

/// `<source> @type zipkin`: takes spans as if it were Zipkin's server, and as an OTLP/HTTP receiver.
public final class ZipkinSource: Source {
    private enum P {
        static let bind = Parameter.text(
            "bind", default: "127.0.0.1", "The address to listen on.")
        static let port = Parameter.integer(
            "port", default: 9411, in: 0...65535, "The port; 0 takes any free one.")
        static let tag = Parameter.text("tag", default: "zipkin.span", "The tag of spans.")
        static let acknowledgement = Parameter<ZipkinIntake.Acknowledgement>.choice(
            "ack", default: .received,
            "When a client is told that its spans were taken: when they are read, when outputs have "
                + "them on disk, or when outputs have delivered them.")
        static let acknowledgementTime = Parameter.duration(
            "ack_timeout", default: .seconds(10),
            "How long that may take; then the client is told to send again.")
        static let bodyLimit = Parameter.size(
            "body_size_limit", default: 5 << 20, "Most bytes of a request as it comes.")
        static let inflatedLimit = Parameter.size(
            "inflated_size_limit", default: 16 << 20, "Most bytes of a request inflated.")
        static let inflationLimit = Parameter.integer(
            "inflation_limit", default: 200, in: 1...100_000,
            "Most bytes that one compressed byte may become.")
        static let memoryLimit = Parameter.size(
            "memory_limit", default: 64 << 20, "Most bytes of requests that are held at a time.")
        static let connectionLimit = Parameter.integer(
            "connection_limit", default: 1024, in: 1...100_000, "Most connections at a time.")
        static let requestTime = Parameter.duration(
            "request_timeout", default: .seconds(11), "How long a request may take to come.")
        static let spanLimit = Parameter.integer(
            "span_limit", default: 20_000, in: 1...10_000_000, "Most spans of a request.")
        static let tagLimit = Parameter.integer(
            "tag_limit", default: 512, in: 1...1_000_000, "Most tags of a span.")
        static let annotationLimit = Parameter.integer(
            "annotation_limit", default: 512, in: 1...1_000_000, "Most annotations of a span.")
        static let textLimit = Parameter.size(
            "text_limit", default: 64 << 10, "Most bytes of a name, key or value; longer are cut.")
        static let origins = Parameter.list(
            "allowed_origins", default: ["*"], "Whose pages may send and ask, from browsers.")
        static let store = Parameter.text(
            "trace_store", default: "",
            "The file of a `@type trace_store`, from which Zipkin's questions are answered.")
        static let autocompleteKeys = Parameter.list(
            "autocomplete_keys", default: [],
            "The tags whose values are offered to be completed, and told as events of the tag "
                + "`zipkin.autocomplete`.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .source, type: "zipkin",
        "Takes spans as Zipkin's server does (JSON, protocol buffers, Thrift), and by OTLP/HTTP.",
        parameters: [
            AnyParameter(P.bind), AnyParameter(P.port), AnyParameter(P.tag),
            AnyParameter(P.acknowledgement), AnyParameter(P.acknowledgementTime),
            AnyParameter(P.bodyLimit), AnyParameter(P.inflatedLimit),
            AnyParameter(P.inflationLimit), AnyParameter(P.memoryLimit),
            AnyParameter(P.connectionLimit), AnyParameter(P.requestTime),
            AnyParameter(P.spanLimit), AnyParameter(P.tagLimit), AnyParameter(P.annotationLimit),
            AnyParameter(P.textLimit), AnyParameter(P.origins), AnyParameter(P.store),
            AnyParameter(P.autocompleteKeys),
        ],
        sections: [SamplingSection.declaration, LinkCollector.declaration],
        examples: [
            "<source>\n  @type zipkin\n  bind 0.0.0.0\n  port 9411\n</source>",
            "<source>\n  @type zipkin\n  ack delivered\n</source>",
            """
            <source>
              @type zipkin
              <sampling>
                <policy errors>
                  when error
                </policy>
                <policy access-log>
                  when access_log
                </policy>
                <policy rest>
                  when probability
                  share 0.05
                </policy>
              </sampling>
            </source>
            """,
        ])

    private let host: String
    private let wantedPort: Int
    private let limits: HTTPServer.Limits
    private let intake: ZipkinIntake
    private let counters: ZipkinCounters
    private let sampling: SpanSampling
    private let links: LinkCollector?
    private let query: ZipkinQuery?
    private let origins: [String]
    private let listens: @Sendable (String) -> Void
    private let server = Mutex<HTTPServer?>(nil)

    /// A source as its section describes it.
    public init(
        _ section: Section, name: String, sink: any EventSink, context: PluginContext
    ) throws(SectionError) {
        host = section[P.bind].filter { $0 != "[" && $0 != "]" }
        wantedPort = section[P.port]
        origins = section[P.origins]
        listens = { [log = context.listenLog] in log(name, $0) }
        query =
            section[P.store].isEmpty
            ? nil
            : ZipkinQuery(
                path: section[P.store], autocompleteKeys: section[P.autocompleteKeys],
                clock: context.clock)
        counters = ZipkinCounters(context.registry, source: name)
        var limits = HTTPServer.Limits(bodyBytes: section[P.bodyLimit])
        limits.heldBytes = max(section[P.memoryLimit], section[P.bodyLimit])
        limits.connections = section[P.connectionLimit]
        limits.requestTime = section[P.requestTime]
        limits.laterTime = section[P.acknowledgementTime]
        self.limits = limits
        var options = ZipkinIntake.Options()
        options.tag = section[P.tag]
        options.acknowledgement = section[P.acknowledgement]
        options.inflatedByteLimit = section[P.inflatedLimit]
        options.inflationLimit = section[P.inflationLimit]
        options.limits.spans = section[P.spanLimit]
        options.limits.tags = section[P.tagLimit]
        options.limits.annotations = section[P.annotationLimit]
        options.limits.textBytes = section[P.textLimit]
        let settings = try section.section("sampling").map {
            (part) throws(SectionError) in try SamplingSection(part)
        }
        guard settings?.window == nil || options.acknowledgement == .received else {
            throw SectionError(
                section.location(of: P.acknowledgement),
                "clients cannot wait until held traces are decided of",
                help: "write `ack received`, or sampling without policies")
        }
        options.commonTags = settings?.telemetry?.tags ?? []
        let links = try section.section("dependencies").map {
            (part) throws(SectionError) in
            try LinkCollector(part, source: name, sink: sink, context: context)
        }
        let completions = AutocompleteCollector(
            keys: section[P.autocompleteKeys], source: name, sink: sink, context: context)
        self.links = links
        sampling = SpanSampling(
            settings, tag: options.tag, source: name, sink: sink, links: links,
            completions: completions, context: context)
        intake = ZipkinIntake(
            options, sink: sink, clock: context.clock, counters: counters, sampling: sampling)
    }

    /// The port that it listens on, once it has started.
    public var port: Int { server.withLock { $0?.port ?? 0 } }

    public func start() throws(ComponentError) {
        let made: HTTPServer
        do {
            made = try HTTPServer(
                host: host, port: wantedPort, limits: limits, slowThreadCount: 3,
                isSlow: { $0.method == "POST" || $0.path.contains("/api/v2/") },
                limited: { [counters] in counters.note($0) }
            ) { [intake, query, origins] request in
                var answer = Self.answer(request, intake, query)
                Self.allow(origins, request, &answer)
                return answer
            }
        } catch {
            throw ComponentError(
                "`@type zipkin` cannot listen on \(host):\(wantedPort): \(error)",
                help: "choose another `port`; 0 takes any free one")
        }
        server.withLock { $0 = made }
        sampling.start()
        links?.start()
        listens("\(host):\(made.port)")
    }

    public func stop() {
        guard let server = server.withLock({ $0.take() }) else { return }
        server.stop()
        sampling.stop()
        links?.stop()
    }

    public func close() {}

    // MARK: Routes

    private static func answer(
        _ request: HTTPServer.Request, _ intake: ZipkinIntake, _ query: ZipkinQuery?
    ) -> HTTPServer.Response {
        if request.method == "GET", let answer = query?.answer(request) { return answer }
        switch (request.method, request.path) {
        case ("TRACE", _): return HTTPServer.Response(status: 405, body: "405 Method Not Allowed")
        case ("OPTIONS", _): return HTTPServer.Response(status: 200, body: "")
        case ("POST", "/api/v2/spans"), ("POST", "/api/v1/spans"), ("POST", "/v1/traces"):
            guard let format = format(of: request) else {
                return HTTPServer.Response(status: 415, body: "415 Unsupported Media Type")
            }
            return intake.take(request, as: format)
        case ("GET", "/health"), ("GET", "/actuator/health"):
            return HTTPServer.Response(
                status: 200, contentType: "application/json; charset=utf-8",
                body: #"{"status":"UP","zipkin":{"status":"UP","details":{}}}"#)
        case (_, "/api/v2/spans"), (_, "/api/v1/spans"), (_, "/v1/traces"):
            return HTTPServer.Response(status: 405, body: "405 Method Not Allowed")
        default: return HTTPServer.Response(status: 404, body: "404 Not Found")
        }
    }

    /// The form that a request says its spans have.
    private static func format(of request: HTTPServer.Request) -> SpanFormat? {
        let type = (request.header("content-type") ?? "").prefix { $0 != ";" }
        let kind = type.split(separator: " ").first.map { $0.lowercased() } ?? ""
        switch (request.path, kind) {
        case ("/api/v2/spans", "application/x-protobuf"): return .protobuf
        case ("/api/v2/spans", _): return .jsonV2
        case ("/api/v1/spans", "application/x-thrift"): return .thrift
        case ("/api/v1/spans", _): return .jsonV1
        case (_, "application/x-protobuf"): return .otlpProtobuf
        case (_, "application/json"): return .otlpJSON
        default: return nil
        }
    }

    /// Tells browsers whose pages may ask (fetch.spec.whatwg.org, "CORS protocol").
    private static func allow(
        _ origins: [String], _ request: HTTPServer.Request, _ answer: inout HTTPServer.Response
    ) {
        guard let origin = request.header("origin") else { return }
        let isForAll = origins.contains("*")
        guard isForAll || origins.contains(origin) else {
            if request.method == "OPTIONS" { answer.status = 403 }
            return
        }
        answer.headers.append(("Access-Control-Allow-Origin", isForAll ? "*" : origin))
        if !isForAll { answer.headers.append(("Vary", "Origin")) }
        guard request.method == "OPTIONS" else { return }
        answer.headers.append(("Access-Control-Allow-Methods", "GET,POST"))
        answer.headers.append(("Access-Control-Allow-Headers", "content-type,content-encoding"))
    }
}
