import Synchronization
import WeirHost
import WeirMetrics
import WeirPipeline

/// Receives remote writes of either version, and keeps what came.
public final class RemoteWriteStandIn: Sendable {
    /// What the next request is answered with.
    public struct Answer: Sendable {
        /// The status code.
        public var status: Int
        /// More headers.
        public var headers: [(name: String, value: String)]

        /// An answer by its parts.
        public init(_ status: Int, _ headers: [(name: String, value: String)] = []) {
            self.status = status
            self.headers = headers
        }
    }

    /// A request as it came.
    public struct Request: Sendable {
        /// The headers, names in lower case.
        public var headers: [(name: String, value: String)]
        /// What it says.
        public var content: ReceivedRequest?
        /// What it was answered with.
        public var status: Int

        /// The value of a header.
        public func header(_ name: String) -> String? {
            headers.first { $0.name == name }?.value
        }
    }

    private struct State {
        var script: [Answer] = []
        var requests: [Request] = []
    }

    private let state = Monitor(State())
    private let server: Mutex<HTTPServer?>
    /// The port that it listens on.
    public let port: Int

    /// A stand-in on a free port.
    public init() throws {
        let state = state
        let made = try HTTPServer(
            host: "127.0.0.1", port: 0, limits: HTTPServer.Limits(bodyBytes: 64 << 20)
        ) { request in
            state.change { Self.answer(request, &$0) }
        }
        port = made.port
        server = Mutex(made)
    }

    /// The address to send to.
    public var url: String { "http://127.0.0.1:\(port)/api/v1/write" }

    /// What came, in order.
    public var requests: [Request] { state.withLock { $0.requests } }

    /// All series of requests that were taken, in the order in which they came.
    public var series: [ReceivedSeries] {
        requests.filter { $0.status < 300 }.flatMap { $0.content?.series ?? [] }
    }

    /// Answers the next requests so, and those behind them with 204.
    public func follow(_ script: [Answer]) { state.withLock { $0.script = script } }

    /// Closes the port.
    public func stop() { server.withLock { $0.take() }?.stop() }

    /// Waits until a condition on the requests holds.
    /// - Returns: Whether it did before the time was over.
    public func wait(
        seconds: UInt64 = 60, until isEnough: @Sendable ([Request]) -> Bool
    ) -> Bool {
        let clock = SystemClock()
        let deadline = clock.monotonicNanoseconds + seconds * 1_000_000_000
        return state.wait { state -> WaitAnswer<Bool> in
            if isEnough(state.requests) { return .done(true) }
            return clock.monotonicNanoseconds >= deadline ? .done(false) : .waitUntil(deadline)
        }
    }

    private static func answer(
        _ request: HTTPServer.Request, _ state: inout State
    ) -> HTTPServer.Response {
        let type = request.header("content-type")
        let version = RemoteWriteVersion.allCases.first { $0.contentType == type }
        let content = version.flatMap { ReceivedRequest(request.body, $0) }
        let answer = state.script.isEmpty ? Answer(204) : state.script.removeFirst()
        state.requests.append(
            Request(headers: request.headers, content: content, status: answer.status))
        var headers = answer.headers
        if version == .two, answer.status == 204, headers.isEmpty, let content {
            let numbers = [
                ("samples", content.series.reduce(0) { $0 + $1.samples.count }),
                ("histograms", content.series.reduce(0) { $0 + $1.histograms.count }),
                ("exemplars", content.series.reduce(0) { $0 + $1.exemplars.count }),
            ]
            headers = numbers.map { ("X-Prometheus-Remote-Write-\($0)-Written", "\($1)") }
        }
        return HTTPServer.Response(
            status: answer.status, contentType: "text/plain", headers: headers,
            body: "status \(answer.status)\n")
    }
}
