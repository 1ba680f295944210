// Hot path: every span becomes an event here.
import WeirCore
import WeirPipeline
import WeirTraces

/// Makes events of spans: each a record of Zipkin's JSON, so that filters and outputs treat it like
/// any other.
public final class SpanEvents {
    /// Bytes of JSON at which a batch is handed on.
    private static let batchByteCount = 4 << 20

    private let batch = EventBatch()
    private let scanner = JSONLineScanner()
    private var lines = ByteBuffer(capacity: 64 * 1024)
    private var times: [Timestamp] = []
    private let tag: String

    /// Events of a tag.
    public init(tag: String) { self.tag = tag }

    /// Sends spans on.
    /// - Parameter now: The time of spans that tell none.
    public func emit(
        _ spans: [TraceSpan], of source: SpanBatch, now: Timestamp, to sink: any EventSink,
        ticket: DeliveryTicket
    ) {
        for span in spans {
            source.appendJSON(of: span, to: &lines)
            lines.append(byte: 0x0a)
            times.append(Self.time(of: span, in: source) ?? now)
            if lines.count >= Self.batchByteCount { flush(to: sink, ticket) }
        }
        flush(to: sink, ticket)
    }

    /// Sends spans on that are written as JSON already, each with a line feed behind it.
    func emit(
        lines text: [UInt8], times: [Timestamp], to sink: any EventSink, ticket: DeliveryTicket
    ) {
        lines.append(text)
        self.times += times
        if lines.count >= Self.batchByteCount { flush(to: sink, ticket) }
    }

    /// Sends on what is left.
    func finish(to sink: any EventSink, ticket: DeliveryTicket) { flush(to: sink, ticket) }

    /// When a span began, or when the first thing happened in it.
    static func time(of span: TraceSpan, in batch: SpanBatch) -> Timestamp? {
        let microseconds =
            span.timestamp != 0 ? span.timestamp : batch.annotations(of: span).first?.timestamp
        guard let microseconds, microseconds != 0 else { return nil }
        return Timestamp(
            seconds: Int64(clamping: microseconds / 1_000_000),
            nanoseconds: UInt32(microseconds % 1_000_000) * 1_000)
    }

    private func flush(to sink: any EventSink, _ ticket: DeliveryTicket) {
        guard lines.count > 0 else { return }
        batch.fill(jsonLines: lines.bytes, times: times, tag: tag, scanner: scanner)
        lines.truncate(to: 0)
        times.removeAll(keepingCapacity: true)
        sink.emit(batch, ticket: ticket)
    }
}
