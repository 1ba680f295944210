// Hot path: once per request.
import Synchronization
import WeirCore
import WeirHost
import WeirPipeline
import WeirTraces

/// Takes requests with spans as Zipkin's server does: reads them, and sends their spans on.
final class ZipkinIntake: Sendable {
    /// When a client is told that its spans were taken.
    enum Acknowledgement: String, Sendable, CaseIterable {
        /// When they are read, as Zipkin does.
        case received
        /// When every output has them on disk, or delivered them.
        case buffered
        /// When every output has delivered them.
        case delivered
    }

    /// How requests are taken.
    struct Options: Sendable {
        var tag = "zipkin.span"
        var acknowledgement = Acknowledgement.received
        var limits = SpanLimits()
        /// Most bytes of a body when it is inflated.
        var inflatedByteLimit = 16 << 20
        /// Most bytes that one byte may become.
        var inflationLimit = 200
        /// Tags that every span gets which lacks them.
        var commonTags: [(key: String, value: String)] = []
    }

    /// What one thread needs.
    // Safe because a worker is used by one thread at a time.
    private final class Worker: @unchecked Sendable {
        let spans: SpanBatch
        let events: SpanEvents
        var body = ByteBuffer(capacity: 64 * 1024)

        init(_ options: Options) {
            spans = SpanBatch(limits: options.limits)
            spans.commonTags = options.commonTags
            events = SpanEvents(tag: options.tag)
        }
    }

    private let options: Options
    private let sink: any EventSink
    private let clock: any PipelineClock
    private let counters: ZipkinCounters
    private let sampling: SpanSampling
    private let workers = Mutex<[Worker]>([])

    init(
        _ options: Options, sink: any EventSink, clock: any PipelineClock,
        counters: ZipkinCounters, sampling: SpanSampling
    ) {
        self.options = options
        self.sampling = sampling
        self.sink = sink
        self.clock = clock
        self.counters = counters
    }

    /// Takes a request.
    func take(_ request: HTTPServer.Request, as format: SpanFormat) -> HTTPServer.Response {
        guard sink.admits(tag: options.tag) else {
            counters.note(.overloaded)
            return HTTPServer.Response(
                status: 503, headers: [("Retry-After", "1")],
                body: "the outputs are full; send it again\n")
        }
        let worker = workers.withLock { $0.popLast() } ?? Worker(options)
        defer { workers.withLock { $0.append(worker) } }
        if let refusal = inflate(request, into: worker) { return refusal }
        worker.spans.reset()
        do throws(SpanDecodingError) {
            try worker.spans.decode(worker.body.bytes, as: format)
        } catch {
            worker.spans.abandon()
            counters.note(error.isOverLimit ? .overLimit : .malformed)
            return HTTPServer.Response(
                status: error.isOverLimit ? 413 : 400, body: error.description)
        }
        counters.note(format, worker.spans)
        return send(worker, format)
    }

    private func send(_ worker: Worker, _ format: SpanFormat) -> HTTPServer.Response {
        let later = LaterAnswer()
        let answer = Self.accepted(format)
        let waits = options.acknowledgement != .received
        let ticket = DeliveryTicket(
            readAt: clock.monotonicNanoseconds,
            awaitsDestination: options.acknowledgement == .delivered
        ) {
            guard waits else { return }
            later.give(status: answer.status, contentType: answer.contentType, answer.text)
        }
        sampling.take(worker.spans, through: worker.events, now: clock.now, ticket: ticket)
        ticket.release()
        guard !waits else { return HTTPServer.Response(later) }
        return HTTPServer.Response(
            status: answer.status, contentType: answer.contentType, body: answer.text)
    }

    /// The answer of Zipkin, or that of OTLP: an empty `ExportTraceServiceResponse`.
    private static func accepted(
        _ format: SpanFormat
    ) -> (status: Int, contentType: String, text: String) {
        switch format {
        case .otlpJSON: (200, "application/json", "{}")
        case .otlpProtobuf: (200, "application/x-protobuf", "")
        default: (202, "text/plain; charset=utf-8", "")
        }
    }

    /// Puts the body where it can be read; an answer where it cannot be.
    private func inflate(
        _ request: HTTPServer.Request, into worker: Worker
    ) -> HTTPServer.Response? {
        worker.body.truncate(to: 0)
        let encoding = (request.header("content-encoding") ?? "").lowercased()
        let isGzip = encoding.contains("gzip")
        guard isGzip || encoding.contains("deflate") else {
            guard encoding.isEmpty || encoding == "identity" else {
                counters.note(.compression)
                return HTTPServer.Response(
                    status: 415, body: "send gzip, deflate, or no compression\n")
            }
            worker.body.append(request.body)
            return nil
        }
        let (allowed, _) = request.body.count.multipliedReportingOverflow(
            by: options.inflationLimit)
        // A small body may be as repetitive as it likes.
        let limit = min(options.inflatedByteLimit, max(allowed, 64 * 1024))
        let isWhole = request.body.withUnsafeBytes {
            Gzip.restore($0, limit: limit, into: &worker.body)
        }
        if isWhole { return nil }
        counters.note(.compression)
        if worker.body.count > limit {
            return HTTPServer.Response(
                status: 413, body: "at most \(limit) bytes are taken, inflated\n")
        }
        return HTTPServer.Response(
            status: 400, body: isGzip ? "Cannot gunzip spans" : "Cannot inflate spans")
    }
}
