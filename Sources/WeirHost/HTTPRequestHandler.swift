import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import WeirCore

/// What all connections of a server use together.
final class ServerUsage: Sendable {
    let limits: HTTPServer.Limits
    let limited: @Sendable (HTTPServer.Limited) -> Void
    private let connections = Atomic<Int>(0)
    private let heldBytes = Atomic<Int>(0)

    init(
        _ limits: HTTPServer.Limits, _ limited: @escaping @Sendable (HTTPServer.Limited) -> Void
    ) {
        self.limits = limits
        self.limited = limited
    }

    /// Whether there is room for one more connection; each is to leave.
    func enter() -> Bool {
        let isWithin =
            connections.wrappingAdd(1, ordering: .relaxed).newValue <= limits.connections
        if !isWithin { limited(.connections) }
        return isWithin
    }

    func leave() { connections.wrappingSubtract(1, ordering: .relaxed) }

    /// Whether there is room for so many bytes more; they are to be given back either way.
    func hold(_ count: Int) -> Bool {
        heldBytes.wrappingAdd(count, ordering: .relaxed).newValue <= limits.heldBytes
    }

    func giveBack(_ count: Int) { heldBytes.wrappingSubtract(count, ordering: .relaxed) }
}

/// Gathers one request and writes its answer.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: @Sendable (HTTPServer.Request) -> HTTPServer.Response
    private let isSlow: @Sendable (HTTPServer.Request) -> Bool
    private let slowThreads: NIOThreadPool
    private let usage: ServerUsage
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    /// Bytes of the body that count as held.
    private var heldCount = 0
    /// Whether the request was answered before it was whole: what is left of it is passed over.
    private var isRefused = false
    /// Ends a connection whose client does not go on.
    private var deadline: Scheduled<Void>?
    /// The answer that is being sent in pieces.
    private var pieces: (any ResponseBody)?
    private var piece = WeirCore.ByteBuffer()
    private var patience: Scheduled<Void>?
    private var keepsAlive = true

    init(
        _ usage: ServerUsage, _ slowThreads: NIOThreadPool,
        _ isSlow: @escaping @Sendable (HTTPServer.Request) -> Bool,
        _ answer: @escaping @Sendable (HTTPServer.Request) -> HTTPServer.Response
    ) {
        self.slowThreads = slowThreads
        self.isSlow = isSlow
        self.usage = usage
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            setDeadline(usage.limits.requestTime, context)
            invite(head, context)
        case .body(let part):
            guard !isRefused else { return }
            heldCount += part.readableBytes
            let hasRoom = usage.hold(part.readableBytes)
            guard heldCount <= usage.limits.bodyBytes else {
                return refuse(
                    413, "at most \(usage.limits.bodyBytes) bytes are taken\n", .bodySize, context)
            }
            guard hasRoom else {
                return refuse(503, "too many requests at a time\n", .memory, context)
            }
            body += part.readableBytesView
        case .end:
            guard !isRefused else { return context.close(promise: nil) }
            guard let head else { return }
            deadline?.cancel()
            // Another request of the connection comes when this one is answered.
            let body = self.body
            self.body = []
            let path = head.uri.prefix { $0 != "?" }
            let request = HTTPServer.Request(
                method: head.method.rawValue, path: String(path),
                query: String(head.uri.dropFirst(path.count + 1)),
                headers: head.headers.map { ($0.name.lowercased(), $0.value) }, body: body)
            guard isSlow(request) else { return write(answer(request), to: head, context) }
            answerAside(request, to: head, context)
        }
    }

    /// Tells a client that asks first to send its body, or that it would be refused (RFC 9110, 10.1.1).
    private func invite(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard !head.version.isBefore11,
            head.headers[canonicalForm: "expect"].contains(where: {
                $0.lowercased() == "100-continue"
            })
        else { return }
        let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        guard length <= usage.limits.bodyBytes else {
            return refuse(
                413, "at most \(usage.limits.bodyBytes) bytes are taken\n", .bodySize, context)
        }
        let invitation = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(invitation)), promise: nil)
    }

    /// Answers a request that is not whole, and ends the connection.
    private func refuse(
        _ status: Int, _ text: String, _ reason: HTTPServer.Limited,
        _ context: ChannelHandlerContext
    ) {
        isRefused = true
        body = []
        usage.limited(reason)
        let version = head?.version ?? .http1_1
        var head = HTTPRequestHead(version: version, method: head?.method ?? .GET, uri: "/")
        head.headers.add(name: "Connection", value: "close")
        write(HTTPServer.Response(status: status, body: text), to: head, context)
    }

    /// Sets how long the client may take to go on.
    private func setDeadline(_ time: Duration, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        let here = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: .nanoseconds(time.wholeNanoseconds)) {
            let (handler, context) = here.value
            guard context.channel.isActive else { return }
            guard handler.head != nil, !handler.isRefused else {
                return context.close(promise: nil)
            }
            handler.refuse(408, "the request took too long\n", .slowRequest, context)
        }
    }

    func channelActive(context: ChannelHandlerContext) {
        setDeadline(usage.limits.requestTime, context)
        context.fireChannelActive()
    }

    private func giveBack() {
        usage.giveBack(heldCount)
        heldCount = 0
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

    /// Waits for an answer that somebody else gives, but not for ever.
    private func await(
        _ answer: LaterAnswer, to head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        let here = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        let loop = context.eventLoop
        let limited = usage.limited
        let patience = loop.scheduleTask(in: .nanoseconds(usage.limits.laterTime.wholeNanoseconds))
        { answer.give(status: Self.lateStatus, "not delivered yet; send it again\n") }
        answer.whenGiven { given in
            patience.cancel()
            loop.execute {
                if given.status == Self.lateStatus { limited(.slowAnswer) }
                let (handler, context) = here.value
                guard context.channel.isActive else { return }
                let response = HTTPServer.Response(
                    status: given.status, contentType: given.contentType, body: given.text)
                handler.write(response, to: head, context)
            }
        }
    }

    /// How long what is left of a refused request is passed over.
    private static let lingering = Duration.seconds(2)
    /// The status of an answer that nobody gave in time.
    private static let lateStatus = 503

    private func write(
        _ response: HTTPServer.Response, to request: HTTPRequestHead,
        _ context: ChannelHandlerContext
    ) {
        if case .later(let answer) = response.body {
            return self.await(answer, to: request, context)
        }
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
        case .later: break
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
        let time = TimeAmount.nanoseconds(usage.limits.answerTime.wholeNanoseconds)
        patience = context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
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
        giveBack()
        head = nil
        if keepsAlive { setDeadline(usage.limits.idleTime, context) }
        if isRefused {
            // A client that is still sending must see the answer before it sees the end.
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            return setDeadline(Self.lingering, context)
        }
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
        deadline?.cancel()
        giveBack()
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

extension Duration {
    /// Nanoseconds, as far as they go.
    fileprivate var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product &+ attoseconds / 1_000_000_000
    }
}
