import WeirCore
import WeirHost
import WeirMetrics

/// The answer to a scrape: the format that the client likes best, compressed if it may be, made while
/// it is sent.
public enum MetricsAnswer {
    /// Bytes that are sent at a time: what they tell is written down before they leave.
    static let sentByteCount = 1 << 20

    /// Answers a request for the metrics of a registry.
    /// - Parameters:
    ///   - checkpoint: Where series are written down before anybody sees them.
    ///   - now: The time that it is: idle series go before the scrape.
    public static func answer(
        _ request: HTTPServer.Request, _ registry: Registry, _ checkpoint: SeriesCheckpoint?,
        now: Timestamp
    ) -> HTTPServer.Response {
        let format = ExpositionFormat.negotiated(accept: request.header("accept"))
        var headers = [(name: "Vary", value: "Accept, Accept-Encoding")]
        let isCompressed = ExpositionFormat.acceptsGzip(
            acceptEncoding: request.header("accept-encoding"))
        let stream = isCompressed ? GzipStream(level: .fast) : nil
        if stream != nil { headers.append((name: "Content-Encoding", value: "gzip")) }
        return HTTPServer.Response(
            status: 200, contentType: format.contentType, headers: headers,
            pieces: ScrapeBody(Scrape(registry, format: format, now: now), stream, checkpoint))
    }
}

/// A scrape's bytes. No count leaves that a crash could take back: Prometheus would take that for a
/// counter's reset.
private final class ScrapeBody: ResponseBody {
    private let scrape: Scrape
    private var stream: GzipStream?
    private let checkpoint: SeriesCheckpoint?
    private var plain = ByteBuffer(capacity: Scrape.pieceByteCount)
    private var isEnded = false

    init(_ scrape: Scrape, _ stream: consuming GzipStream?, _ checkpoint: SeriesCheckpoint?) {
        self.scrape = scrape
        self.stream = stream
        self.checkpoint = checkpoint
    }

    func next(into buffer: inout ByteBuffer) -> Bool {
        let start = buffer.count
        while buffer.count - start < MetricsAnswer.sentByteCount, !isEnded {
            plain.truncate(to: 0)
            isEnded = !scrape.next(into: &plain)
            if stream?.append(plain.bytes, isLast: isEnded, into: &buffer) == nil {
                buffer.append(plain.bytes)
            }
        }
        if buffer.count > start { checkpoint?.save() }
        return buffer.count > start
    }
}
