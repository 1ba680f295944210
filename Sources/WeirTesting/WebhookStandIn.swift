import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline

/// Receives webhooks, well or badly, and remembers what came.
public final class WebhookStandIn: Sendable {
    /// How requests are answered.
    public enum Mood: Sendable {
        case well
        /// With a status, and perhaps with a place to go to.
        case answers(status: Int, location: String?)
        /// Not before the mood is another; then with 503.
        case hangs
    }

    /// A request as it came.
    public struct Request: Sendable {
        /// The path.
        public var path: String
        /// The headers, names in lower case.
        public var headers: [String: String]
        /// The body.
        public var body: String
        /// Whether it was answered with 200.
        public var isTaken: Bool
        /// When it came, in milliseconds since 1970.
        public var time: Int64

        /// The body as JSON; empty where it is none.
        public var json: Record { JSONValueReader.value(of: body)?.object ?? Record() }
    }

    private struct State {
        var mood = Mood.well
        var moodCount = 0
        var requests: [Request] = []
    }

    private let state: Monitor<State>
    private let server: HTTPServer

    /// The port that it listens on.
    public let port: Int
    /// Where it is.
    public var url: String { "http://127.0.0.1:\(port)/hook" }

    /// All requests, in their order.
    public var requests: [Request] { state.withLock { $0.requests } }
    /// Those that were answered with 200.
    public var taken: [Request] { requests.filter(\.isTaken) }

    /// A receiver on a free port.
    public init() throws {
        let state = Monitor(State())
        server = try HTTPServer(
            host: "127.0.0.1", port: 0, limits: HTTPServer.Limits(bodyBytes: 64 << 20),
            slowThreadCount: 4,
            isSlow: { _ in true }
        ) { Self.answer($0, state) }
        self.state = state
        port = server.port
    }

    deinit {
        setMood(.answers(status: 503, location: nil))
        server.stop()
    }

    /// Changes how requests are answered; those that hang are let go.
    public func setMood(_ mood: Mood) {
        state.change {
            $0.mood = mood
            $0.moodCount += 1
        }
    }

    /// Waits until the requests are as they should be.
    /// - Returns: Whether they came to be so before the time was over.
    public func wait(seconds: UInt64 = 60, until isSo: ([Request]) -> Bool) -> Bool {
        let clock = SystemClock()
        let deadline = clock.monotonicNanoseconds + seconds * 1_000_000_000
        return state.wait { state -> WaitAnswer<Bool> in
            if isSo(state.requests) { return .done(true) }
            if clock.monotonicNanoseconds >= deadline { return .done(false) }
            return .waitUntil(deadline)
        }
    }

    private static func answer(
        _ request: HTTPServer.Request, _ state: Monitor<State>
    ) -> HTTPServer.Response {
        var headers: [String: String] = [:]
        for (name, value) in request.headers { headers[name] = value }
        let (mood, count) = state.change { state in
            var isTaken = false
            if case .well = state.mood { isTaken = true }
            state.requests.append(
                Request(
                    path: request.path, headers: headers,
                    body: String(decoding: request.body, as: UTF8.self), isTaken: isTaken,
                    time: SystemClock().now.millisecondsSince1970))
            return (state.mood, state.moodCount)
        }
        switch mood {
        case .well: return HTTPServer.Response(status: 200, body: "")
        case .answers(let status, let location):
            return HTTPServer.Response(
                status: status, headers: location.map { [("Location", $0)] } ?? [],
                body: "no")
        case .hangs:
            state.wait { $0.moodCount == count ? .waitForChange : .done(()) }
            return HTTPServer.Response(status: 503, body: "too late")
        }
    }
}
