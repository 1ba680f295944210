import Logging
import Synchronization
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPlugins

/// The agent's own address: `/metrics`, `/-/healthy`, `/-/ready`, `/-/reload`, and Prometheus' `/api/v1/…`.
public final class AdminServer: Sendable {
    private final class Readiness: Sendable {
        let isReady = Atomic<Bool>(false)
    }

    private let server: HTTPServer
    private let readiness = Readiness()

    /// The port that it listens on.
    public var port: Int { server.port }

    /// Listens on an address.
    init(
        host: String, port: Int, registry: Registry, checkpoint: SeriesCheckpoint,
        history: MetricsHistory?, rules: RuleEvaluation? = nil, clock: any PipelineClock,
        reload: @escaping @Sendable () -> Void,
        logger: Logger
    ) throws(ComponentError) {
        let readiness = readiness
        do {
            let alerts = rules.map { AlertmanagerAPI(rules: $0, clock: clock) }
            let api = history.map { QueryAPI(history: $0, rules: rules, clock: clock) }
            server = try HTTPServer(
                host: host, port: port, slowThreadCount: history?.limits.concurrency ?? 1,
                isSlow: { $0.path.hasPrefix("/api/") }
            ) { request in
                if let answer = api?.answer(request) ?? alerts?.answer(request) { return answer }
                return Self.answer(request, readiness, reload) {
                    MetricsAnswer.answer(request, registry, checkpoint, now: clock.now)
                }
            }
        } catch {
            throw ComponentError(
                "the admin server cannot listen on \(host):\(port): \(error)",
                help: "choose another `admin_port` in `<system>`; 0 takes any free one")
        }
        logger.info("admin server listens", metadata: ["address": "\(host):\(server.port)"])
    }

    /// Says whether the agent is at work.
    public func setReady(_ isReady: Bool) { readiness.isReady.store(isReady, ordering: .relaxed) }

    /// Closes the port.
    public func stop() { server.stop() }

    private static func answer(
        _ request: HTTPServer.Request, _ readiness: Readiness, _ reload: () -> Void,
        _ metrics: () -> HTTPServer.Response
    ) -> HTTPServer.Response {
        switch (request.method, request.path) {
        case ("GET", "/metrics"), ("HEAD", "/metrics"):
            return metrics()
        case ("GET", "/-/healthy"): return HTTPServer.Response(status: 200, body: "healthy\n")
        case ("GET", "/-/ready"):
            return readiness.isReady.load(ordering: .relaxed)
                ? HTTPServer.Response(status: 200, body: "ready\n")
                : HTTPServer.Response(status: 503, body: "not ready\n")
        case ("POST", "/-/reload"), ("PUT", "/-/reload"):
            reload()
            return HTTPServer.Response(status: 202, body: "reloading\n")
        case (_, "/-/reload"):
            return HTTPServer.Response(status: 405, body: "send POST /-/reload\n")
        default:
            return HTTPServer.Response(
                status: 404, body: "there are /metrics, /-/healthy, /-/ready and /-/reload\n")
        }
    }
}
