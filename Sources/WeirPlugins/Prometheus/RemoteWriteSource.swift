import Synchronization
import WeirConfig
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPromQL

/// `<source> @type prometheus_remote_write`: takes samples that others push
/// (prometheus.io/docs/specs/prw/remote_write_spec).
public final class RemoteWriteSource: Source {
    private enum P {
        static let bind = Parameter.text(
            "bind", default: "127.0.0.1", "The address to listen on.")
        static let port = Parameter.integer(
            "port", default: 9471, in: 0...65535, "The port; 0 takes any free one.")
        static let path = Parameter.text(
            "path", default: "/api/v1/write", "Where requests are taken.")
        static let bodyLimit = Parameter.size(
            "body_size_limit", default: 16 << 20, "Most bytes of a request as it comes.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .source, type: "prometheus_remote_write",
        "Takes samples that Prometheus or another agent pushes, for queries and rules.",
        parameters: [
            AnyParameter(P.bind), AnyParameter(P.port), AnyParameter(P.path),
            AnyParameter(P.bodyLimit),
        ],
        examples: [
            "<source>\n  @type prometheus_remote_write\n  bind 127.0.0.1\n  port 9471\n</source>"
        ])

    private let host: String
    private let wantedPort: Int
    private let path: String
    private let bodyLimit: Int
    private let intake: SampleIntake
    private let counters: SampleCounters
    private let unreadable: Counter
    private let listens: @Sendable (String) -> Void
    private let server = Mutex<HTTPServer?>(nil)

    /// A source as its section describes it.
    public init(
        _ section: Section, name: String, context: PluginContext
    ) throws(SectionError) {
        host = section[P.bind].filter { $0 != "[" && $0 != "]" }
        wantedPort = section[P.port]
        path = section[P.path]
        bodyLimit = section[P.bodyLimit]
        intake = context.samples
        listens = { [log = context.listenLog] in log(name, $0) }
        counters = SampleCounters(context.registry, origin: "remote_write")
        unreadable = context.registry.counter(
            MetricDescription(
                "weir_remote_write_unreadable_requests_total",
                "Requests of remote write that could not be read."))
    }

    /// The port that it listens on, once it has started.
    public var port: Int { server.withLock { $0?.port ?? 0 } }

    public func start() throws(ComponentError) {
        let made: HTTPServer
        do {
            made = try HTTPServer(
                host: host, port: wantedPort, limits: HTTPServer.Limits(bodyBytes: bodyLimit),
                isSlow: { _ in true }
            ) { [path, intake, counters, unreadable] request in
                Self.answer(request, path, intake, counters, unreadable)
            }
        } catch {
            throw ComponentError(
                "`@type prometheus_remote_write` cannot listen on \(host):\(wantedPort): \(error)",
                help: "choose another `port`; 0 takes any free one")
        }
        server.withLock { $0 = made }
        listens("\(host):\(made.port)")
    }

    private static func answer(
        _ request: HTTPServer.Request, _ path: String, _ intake: SampleIntake,
        _ counters: SampleCounters, _ unreadable: Counter
    ) -> HTTPServer.Response {
        guard request.path == path else {
            return HTTPServer.Response(status: 404, body: "there is \(path)\n")
        }
        guard request.method == "POST" else {
            return HTTPServer.Response(status: 405, body: "send POST\n")
        }
        let type = request.header("content-type") ?? ""
        if type.contains("write.v2") {
            return HTTPServer.Response(
                status: 415, body: "send version 1.0: prometheus.WriteRequest\n")
        }
        guard let feed = intake.feed else {
            return HTTPServer.Response(status: 503, body: "the history is not ready yet\n")
        }
        guard let report = request.body.withUnsafeBytes({ feed.take($0) }) else {
            unreadable.add()
            return HTTPServer.Response(status: 400, body: "this is no Snappy block\n")
        }
        counters.note(report)
        guard report.isWhole else {
            unreadable.add()
            return HTTPServer.Response(status: 400, body: "this is no WriteRequest to its end\n")
        }
        // A sender gives up what is refused with 400; it comes again with 5xx (the specification, 2.4).
        if report.refused.isEmpty && report.refusedSeries == 0 {
            return HTTPServer.Response(status: 204, body: "")
        }
        var reasons = report.refused.compactMap { outcome, count in
            outcome.refusal.map { "\(count) samples: \($0)" }
        }
        if report.refusedSeries > 0 { reasons.append("\(report.refusedSeries) series: no room") }
        return HTTPServer.Response(
            status: 400, body: reasons.sorted().joined(separator: "; ") + "\n")
    }

    public func stop() {
        server.withLock { $0.take() }?.stop()
    }

    public func close() {}
}
