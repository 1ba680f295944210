import Synchronization
import WeirConfig
import WeirHost
import WeirMetrics
import WeirPipeline

/// `<source> @type prometheus`: shows all metrics to Prometheus.
public final class PrometheusSource: Source {
    private enum P {
        static let bind = Parameter.text(
            "bind", default: "0.0.0.0", "The address to listen on: every one of the host's.")
        static let port = Parameter.integer(
            "port", default: 24231, in: 0...65535, "The port; 0 takes any free one.")
        static let path = Parameter.text(
            "metrics_path", default: "/metrics", "Where the metrics are.")
        static let aggregatedPath = Parameter.text(
            "aggregated_metrics_path", default: "/aggregated_metrics",
            "Where the metrics of all workers are: the same, as there is one.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .source, type: "prometheus", "Shows all metrics to Prometheus.",
        parameters: [
            AnyParameter(P.bind), AnyParameter(P.port), AnyParameter(P.path),
            AnyParameter(P.aggregatedPath),
        ],
        ignored: [
            IgnoredParameter(
                "content_encoding", because: "the answer is compressed for clients that accept gzip"
            )
        ],
        sections: [
            SectionDeclaration("transport", takesAnyName: true, "Refused: there is no TLS yet."),
            SectionDeclaration("ssl", takesAnyName: true, "Refused: there is no TLS yet."),
        ],
        examples: ["<source>\n  @type prometheus\n  bind 127.0.0.1\n  port 24231\n</source>"])

    private let host: String
    private let wantedPort: Int
    private let paths: [String]
    private let registry: Registry
    private let checkpoint: SeriesCheckpoint?
    private let clock: any PipelineClock
    private let server = Mutex<HTTPServer?>(nil)

    /// A source as its section describes it.
    public init(_ section: Section, context: PluginContext) throws(SectionError) {
        for name in ["transport", "ssl"] {
            guard let found = section.section(name), found.argument != "tcp" else { continue }
            throw SectionError(
                found.element.location, "`@type prometheus` does not speak TLS",
                help: "remove `<\(name)>`, and put a proxy or the mesh's sidecar before the port")
        }
        host = section[P.bind].filter { $0 != "[" && $0 != "]" }
        wantedPort = section[P.port]
        paths = [section[P.path], section[P.aggregatedPath]]
        registry = context.registry
        checkpoint = context.checkpoint
        clock = context.clock
    }

    /// The port that it listens on, once it has started.
    public var port: Int { server.withLock { $0?.port ?? 0 } }

    public func start() throws(ComponentError) {
        let paths = paths
        let (registry, checkpoint) = (registry, checkpoint)
        let clock = clock
        let made: HTTPServer
        do {
            made = try HTTPServer(host: host, port: wantedPort) { request in
                guard paths.contains(request.path) else {
                    return HTTPServer.Response(status: 404, body: "there is \(paths[0])\n")
                }
                guard request.method == "GET" || request.method == "HEAD" else {
                    return HTTPServer.Response(status: 405, body: "send GET\n")
                }
                return MetricsAnswer.answer(request, registry, checkpoint, now: clock.now)
            }
        } catch {
            throw ComponentError(
                "`@type prometheus` cannot listen on \(host):\(wantedPort): \(error)",
                help: "choose another `port`; 0 takes any free one")
        }
        server.withLock { $0 = made }
    }

    public func stop() {
        server.withLock { $0.take() }?.stop()
    }

    public func close() {}
}
