import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

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

        /// The value of a header.
        public func header(_ name: String) -> String? {
            headers.first { $0.name == name }?.value
        }
    }

    /// What it is answered.
    public struct Response: Sendable {
        /// The status code.
        public var status: Int
        /// The type of the body.
        public var contentType: String
        /// Further headers.
        public var headers: [(name: String, value: String)]
        /// The body.
        public var body: String

        /// An answer by its parts.
        public init(
            status: Int, contentType: String = "text/plain; charset=utf-8",
            headers: [(name: String, value: String)] = [], body: String
        ) {
            self.status = status
            self.contentType = contentType
            self.headers = headers
            self.body = body
        }
    }

    /// Why the server cannot listen.
    public struct ListenError: Error, CustomStringConvertible {
        /// The system's words.
        public var description: String
    }

    /// Most connections at a time.
    static let connectionLimit = 256

    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel

    /// The port that it listens on.
    public var port: Int { channel.localAddress?.port ?? 0 }

    /// Listens on an address; port 0 stands for any free one.
    ///
    /// A request whose body is larger than `bodyByteLimit` is cut off.
    public init(
        host: String, port: Int, bodyByteLimit: Int = 64 * 1024,
        answer: @escaping @Sendable (Request) -> Response
    ) throws(ListenError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let connections = ConnectionCount()
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
                            RequestHandler(bodyByteLimit: bodyByteLimit, answer))
                    }
                }
                .bind(host: host, port: port).wait()
        } catch {
            group.shutdownGracefully { _ in }
            throw ListenError(description: "\(error)")
        }
        self.group = group
    }

    /// Closes the port and all connections, those with a request under way included.
    public func stop() {
        // Fails only when it has been stopped before.
        try? group.syncShutdownGracefully()
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
    private var head: HTTPRequestHead?
    private let bodyByteLimit: Int
    private var body: [UInt8] = []

    init(
        bodyByteLimit: Int,
        _ answer: @escaping @Sendable (HTTPServer.Request) -> HTTPServer.Response
    ) {
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
            let response = answer(
                HTTPServer.Request(
                    method: head.method.rawValue, path: String(path),
                    query: String(head.uri.dropFirst(path.count + 1)),
                    headers: head.headers.map { ($0.name.lowercased(), $0.value) }, body: body))
            write(response, keepsAlive: head.isKeepAlive, isHead: head.method == .HEAD, context)
        }
    }

    private func write(
        _ response: HTTPServer.Response, keepsAlive: Bool, isHead: Bool,
        _ context: ChannelHandlerContext
    ) {
        let body = context.channel.allocator.buffer(string: response.body)
        var headers = HTTPHeaders()
        headers.add(name: "Content-Type", value: response.contentType)
        headers.add(name: "Content-Length", value: "\(body.readableBytes)")
        for (name, value) in response.headers { headers.add(name: name, value: value) }
        if !keepsAlive { headers.add(name: "Connection", value: "close") }
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: response.status),
            headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        if !keepsAlive {
            let channel = context.channel
            written.whenComplete { _ in channel.close(promise: nil) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
