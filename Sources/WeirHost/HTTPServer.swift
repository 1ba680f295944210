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
            case .pieces: nil
            }
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

    /// Most connections at a time.
    static let connectionLimit = 256
    /// How long a client may take for an answer in pieces.
    static let answerTimeLimit = TimeAmount.seconds(120)

    private let group: MultiThreadedEventLoopGroup
    private let slowThreads: NIOThreadPool
    private let channel: any Channel

    /// The port that it listens on.
    public var port: Int { channel.localAddress?.port ?? 0 }

    /// Listens on an address; port 0 stands for any free one.
    ///
    /// A request whose body is larger than `bodyByteLimit` is cut off.
    /// - Parameters:
    ///   - isSlow: Which requests are answered on a thread of their own, so that others need not wait.
    ///   - slowThreadCount: How many of them are answered at a time.
    public init(
        host: String, port: Int, bodyByteLimit: Int = 64 * 1024, slowThreadCount: Int = 2,
        isSlow: @escaping @Sendable (Request) -> Bool = { _ in false },
        answer: @escaping @Sendable (Request) -> Response
    ) throws(ListenError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let connections = ConnectionCount()
        let slowThreads = NIOThreadPool(numberOfThreads: slowThreadCount)
        slowThreads.start()
        self.slowThreads = slowThreads
        do {
            channel = try ServerBootstrap(group: group)
                .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    guard connections.enter(limit: Self.connectionLimit) else {
                        return channel.close()
                    }
                    channel.closeFuture.whenComplete { _ in connections.leave() }
                    return channel.pipeline.configureHTTPServerPipeline(
                        withErrorHandling: true
                    ).flatMapThrowing {
                        try channel.pipeline.syncOperations.addHandler(
                            RequestHandler(
                                bodyByteLimit: bodyByteLimit, slowThreads, isSlow, answer))
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

/// How many clients are connected.
private final class ConnectionCount: Sendable {
    private let count = Atomic<Int>(0)

    func enter(limit: Int) -> Bool {
        count.wrappingAdd(1, ordering: .relaxed).newValue <= limit
    }

    func leave() { count.wrappingSubtract(1, ordering: .relaxed) }
}

/// Gathers one request and writes its answer.
private final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: @Sendable (HTTPServer.Request) -> HTTPServer.Response
    private let isSlow: @Sendable (HTTPServer.Request) -> Bool
    private let slowThreads: NIOThreadPool
    private var head: HTTPRequestHead?
    private let bodyByteLimit: Int
    private var body: [UInt8] = []
    /// The answer that is being sent in pieces.
    private var pieces: (any ResponseBody)?
    private var piece = WeirCore.ByteBuffer()
    private var patience: Scheduled<Void>?
    private var keepsAlive = true

    init(
        bodyByteLimit: Int, _ slowThreads: NIOThreadPool,
        _ isSlow: @escaping @Sendable (HTTPServer.Request) -> Bool,
        _ answer: @escaping @Sendable (HTTPServer.Request) -> HTTPServer.Response
    ) {
        self.slowThreads = slowThreads
        self.isSlow = isSlow
        self.bodyByteLimit = bodyByteLimit
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.removeAll(keepingCapacity: true)
        case .body(let part):
            body += part.readableBytesView
            if body.count > bodyByteLimit { context.close(promise: nil) }
        case .end:
            guard let head else { return }
            let path = head.uri.prefix { $0 != "?" }
            let request = HTTPServer.Request(
                method: head.method.rawValue, path: String(path),
                query: String(head.uri.dropFirst(path.count + 1)),
                headers: head.headers.map { ($0.name.lowercased(), $0.value) }, body: body)
            guard isSlow(request) else { return write(answer(request), to: head, context) }
            answerAside(request, to: head, context)
        }
    }

    /// Makes the answer on another thread, and writes it on this one.
    private func answerAside(
        _ request: HTTPServer.Request, to head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        let answer = answer
        let here = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        let loop = context.eventLoop
        slowThreads.submit { state in
            guard case .active = state else { return }
            let made = Made(response: answer(request))
            loop.execute {
                let (handler, context) = here.value
                guard context.channel.isActive else { return }
                handler.write(made.response, to: head, context)
            }
        }
    }

    /// An answer on its way from one thread to another.
    private struct Made: @unchecked Sendable {
        // Safe because the thread that made it keeps nothing of it.
        let response: HTTPServer.Response
    }

    private func write(
        _ response: HTTPServer.Response, to request: HTTPRequestHead,
        _ context: ChannelHandlerContext
    ) {
        var headers = HTTPHeaders()
        headers.add(name: "Content-Type", value: response.contentType)
        for (name, value) in response.headers { headers.add(name: name, value: value) }
        keepsAlive = request.isKeepAlive
        let isHead = request.method == .HEAD
        var text: NIOCore.ByteBuffer?
        switch response.body {
        case .text(let body):
            text = context.channel.allocator.buffer(string: body)
        case .bytes(let body):
            text = context.channel.allocator.buffer(bytes: body)
        case .pieces(let body):
            // The end of a body without a length is the end of the connection in HTTP/1.0.
            if request.version.isBefore11 { keepsAlive = false }
            if !isHead { pieces = body }
        }
        if let whole = text {
            headers.add(name: "Content-Length", value: "\(whole.readableBytes)")
            if isHead { text = nil }
        }
        if !keepsAlive { headers.add(name: "Connection", value: "close") }
        let head = HTTPResponseHead(
            version: request.version.isBefore11 ? .http1_0 : .http1_1,
            status: HTTPResponseStatus(statusCode: response.status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let text { context.write(wrapOutboundOut(.body(.byteBuffer(text))), promise: nil) }
        guard pieces != nil else { return end(context) }
        let channel = context.channel
        patience = context.eventLoop.scheduleTask(in: HTTPServer.answerTimeLimit) {
            channel.close(promise: nil)
        }
        sendPieces(context)
    }

    /// Sends pieces as long as the client takes them.
    private func sendPieces(_ context: ChannelHandlerContext) {
        guard let body = pieces else { return }
        while context.channel.isWritable {
            piece.truncate(to: 0)
            guard body.next(into: &piece) else {
                pieces = nil
                patience?.cancel()
                return end(context)
            }
            let bytes = context.channel.allocator.buffer(bytes: piece.bytes)
            context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        }
        context.flush()
    }

    private func end(_ context: ChannelHandlerContext) {
        let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        if !keepsAlive {
            let channel = context.channel
            written.whenComplete { _ in channel.close(promise: nil) }
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { sendPieces(context) }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        pieces = nil
        patience?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

extension HTTPVersion {
    /// Whether the client knows no bodies in chunks.
    fileprivate var isBefore11: Bool { major < 1 || major == 1 && minor == 0 }
}
