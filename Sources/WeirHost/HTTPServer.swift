import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import WeirCore

/// An answer's body that is made while it is sent.
public protocol ResponseBody: AnyObject {
    /// Appends the next piece.
    /// - Returns: Whether there was one.
    func next(into buffer: inout WeirCore.ByteBuffer) -> Bool
}

/// A small server for a few routes: what is asked, what is answered.
public final class HTTPServer: Sendable {
    /// What a client asks.
    public struct Request: Sendable {
        /// The method: `GET`, `POST` …
        public var method: String
        /// The path without its query.
        public var path: String
        /// What follows the `?`.
        public var query: String
        /// The headers, names in lower case.
        public var headers: [(name: String, value: String)]
        /// The body as it came.
        public var body: [UInt8]

        /// A request by its parts.
        public init(
            method: String, path: String, query: String = "",
            headers: [(name: String, value: String)] = [], body: [UInt8] = []
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
            self.body = body
        }

        /// The value of a header.
        public func header(_ name: String) -> String? {
            headers.first { $0.name == name }?.value
        }
    }

    /// What it is answered.
    public struct Response {
        /// The bytes behind the head.
        public enum Body {
            case text(String)
            case bytes([UInt8])
            /// Sent in pieces, each made when the client has taken the one before.
            case pieces(any ResponseBody)
            /// Told later, by somebody else.
            case later(LaterAnswer)
        }

        /// The status code.
        public var status: Int
        /// The type of the body.
        public var contentType: String
        /// Further headers.
        public var headers: [(name: String, value: String)]
        /// The body.
        public var body: Body

        /// The body as a text, unless it is made while it is sent.
        public var text: String? {
            switch body {
            case .text(let text): text
            case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
            case .pieces, .later: nil
            }
        }

        /// An answer that is told later.
        public init(_ answer: LaterAnswer) {
            self.init(status: 0, body: "")
            body = .later(answer)
        }

        /// An answer by its parts.
        public init(
            status: Int, contentType: String = "text/plain; charset=utf-8",
            headers: [(name: String, value: String)] = [], body: String
        ) {
            self.status = status
            self.contentType = contentType
            self.headers = headers
            self.body = .text(body)
        }

        /// An answer of bytes.
        public init(
            status: Int, contentType: String, headers: [(name: String, value: String)] = [],
            bytes: [UInt8]
        ) {
            self.status = status
            self.contentType = contentType
            self.headers = headers
            body = .bytes(bytes)
        }

        /// An answer whose body is made while it is sent.
        public init(
            status: Int, contentType: String, headers: [(name: String, value: String)] = [],
            pieces: any ResponseBody
        ) {
            self.status = status
            self.contentType = contentType
            self.headers = headers
            body = .pieces(pieces)
        }
    }

    /// Why the server cannot listen.
    public struct ListenError: Error, CustomStringConvertible {
        /// The system's words.
        public var description: String
    }

    /// What clients may ask of a server.
    public struct Limits: Sendable {
        /// Most bytes of a body; more are answered with 413.
        public var bodyBytes = 64 * 1024
        /// Most bytes of all bodies that are held at a time; more are answered with 503.
        public var heldBytes = 64 << 20
        /// Most connections at a time; further ones are closed.
        public var connections = 256
        /// How long a request may take to come; a slower one is answered with 408.
        public var requestTime = Duration.seconds(30)
        /// How long a connection may stay without a request.
        public var idleTime = Duration.seconds(600)
        /// How long an answer that is told later may take; then it is 503.
        public var laterTime = Duration.seconds(10)
        /// How long a client may take for an answer in pieces.
        public var answerTime = Duration.seconds(120)

        /// The defaults, but for the size of a body.
        public init(bodyBytes: Int = 64 * 1024) {
            self.bodyBytes = bodyBytes
            heldBytes = max(heldBytes, 4 * bodyBytes)
        }
    }

    /// Which limit cost a client its request.
    public enum Limited: String, Sendable, CaseIterable {
        case bodySize = "body_size"
        case memory
        case connections
        case slowRequest = "slow_request"
        case slowAnswer = "slow_answer"
    }

    private let group: MultiThreadedEventLoopGroup
    private let slowThreads: NIOThreadPool
    private let channel: any Channel

    /// The port that it listens on.
    public var port: Int { channel.localAddress?.port ?? 0 }

    /// Listens on an address; port 0 stands for any free one.
    ///
    /// - Parameters:
    ///   - isSlow: Which requests are answered on a thread of their own, so that others need not wait.
    ///   - slowThreadCount: How many of them are answered at a time.
    ///   - limited: Told of each request that a limit cost a client.
    public init(
        host: String, port: Int, limits: Limits = Limits(), slowThreadCount: Int = 2,
        isSlow: @escaping @Sendable (Request) -> Bool = { _ in false },
        limited: @escaping @Sendable (Limited) -> Void = { _ in },
        answer: @escaping @Sendable (Request) -> Response
    ) throws(ListenError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let usage = ServerUsage(limits, limited)
        let slowThreads = NIOThreadPool(numberOfThreads: slowThreadCount)
        slowThreads.start()
        self.slowThreads = slowThreads
        do {
            channel = try ServerBootstrap(group: group)
                .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    guard usage.enter() else { return channel.close() }
                    channel.closeFuture.whenComplete { _ in usage.leave() }
                    return channel.pipeline.configureHTTPServerPipeline(
                        withErrorHandling: true
                    ).flatMapThrowing {
                        try channel.pipeline.syncOperations.addHandler(
                            RequestHandler(usage, slowThreads, isSlow, answer))
                    }
                }
                .bind(host: host, port: port).wait()
        } catch {
            group.shutdownGracefully { _ in }
            slowThreads.shutdownGracefully { _ in }
            throw ListenError(description: "\(error)")
        }
        self.group = group
    }

    /// Closes the port and all connections, those with a request under way included.
    public func stop() {
        // Fails only when it has been stopped before.
        try? group.syncShutdownGracefully()
        try? slowThreads.syncShutdownGracefully()
    }
}

/// An answer that somebody gives after the request was taken; the first one counts.
public final class LaterAnswer: Sendable {
    /// What is told.
    public struct Given: Sendable {
        var status: Int
        var contentType: String
        var text: String
    }

    private struct State {
        var given: Given?
        var receiver: (@Sendable (Given) -> Void)?
    }

    private let state = Mutex(State())

    /// An answer that is not given yet.
    public init() {}

    /// Gives it; only the first one counts.
    public func give(
        status: Int, contentType: String = "text/plain; charset=utf-8", _ text: String = ""
    ) {
        let given = Given(status: status, contentType: contentType, text: text)
        let receiver = state.withLock { state -> (@Sendable (Given) -> Void)? in
            guard state.given == nil else { return nil }
            state.given = given
            defer { state.receiver = nil }
            return state.receiver
        }
        receiver?(given)
    }

    /// Calls `body` once it is given.
    func whenGiven(_ body: @escaping @Sendable (Given) -> Void) {
        let given = state.withLock { state -> Given? in
            if state.given == nil { state.receiver = body }
            return state.given
        }
        if let given { body(given) }
    }
}
