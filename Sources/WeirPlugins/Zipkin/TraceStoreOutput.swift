import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirStore
import WeirTraces

/// `@type trace_store`: keeps spans in a file of this machine, for Zipkin's questions and `weir trace`.
public final class TraceStoreDestination: ChunkDestination {
    private enum P {
        static let path = Parameter.text(
            "path", default: "/var/lib/weir/traces.db", "The file of the traces.")
        static let retentionTime = Parameter.duration(
            "retention_time", default: .seconds(2 * 86_400), "How long spans are kept.")
        static let retentionSize = Parameter.size(
            "retention_size", default: 512 << 20, "The size of the file at which the oldest go.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .output, type: "trace_store",
        "Keeps spans in a file, from which `@type zipkin` answers Zipkin's questions.",
        parameters: [
            AnyParameter(P.path), AnyParameter(P.retentionTime), AnyParameter(P.retentionSize),
        ],
        sections: [BufferSection.declaration, SecondarySection.declaration],
        examples: [
            "<match zipkin.**>\n  @type trace_store\n  path /var/lib/weir/traces.db\n</match>"
        ])

    let path: String
    let retention: StoreRetention
    let clock: any PipelineClock
    let duplicates: Counter
    let expired: Counter

    init(_ section: Section, name: String, context: PluginContext) {
        path = section[P.path]
        retention = StoreRetention(
            age: section[P.retentionTime], byteLimit: max(section[P.retentionSize], 1 << 20))
        clock = context.clock
        let labels = [Label("output", name)]
        duplicates = context.registry.counter(
            MetricDescription(
                "weir_trace_store_duplicates_absorbed_total",
                "Spans that were already stored when they came again."), labels)
        expired = context.registry.counter(
            MetricDescription(
                "weir_trace_store_expired_spans_total", "Spans that were too old or too many."),
            labels)
    }

    public func makeEncoder() -> any ChunkEncoder { TraceStoreEncoder() }

    public func makeSender() -> any ChunkSender { TraceStoreSender(self) }

    public func recordText(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        TraceStoreEncoder.json(of: event)
    }
}

/// Writes spans as their time in microseconds (8 bytes) and their JSON.
private final class TraceStoreEncoder: ChunkEncoder {
    private static let timeByteCount = 8

    private var encoder: BatchEncoder?
    private var traceID: ColumnReader?

    func begin(_ batch: EventBatch) {
        encoder = BatchEncoder(batch)
        traceID = ColumnReader("traceId", in: batch)
    }

    func append(row: Int, of batch: EventBatch, to buffer: inout ByteBuffer) -> String? {
        guard traceID?.slot(row: row, in: batch).isString ?? false else {
            return "no span: it has no `traceId`"
        }
        let time = batch.rows[row].time.nanosecondsSince1970 / 1_000
        buffer.append(word: UInt64(bitPattern: time))
        encoder?.append(row: row, to: &buffer)
        return nil
    }

    static func json(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: event.dropFirst(timeByteCount))
    }

    static func time(of event: UnsafeRawBufferPointer) -> Int64 {
        guard event.count >= timeByteCount else { return 0 }
        return Int64(littleEndian: event.loadUnaligned(as: Int64.self))
    }
}

/// Puts chunks into the store, each in one transaction.
private final class TraceStoreSender: ChunkSender {
    // Safe because a sender is used by one thread.
    private final class State: @unchecked Sendable {
        var store: TraceStore?
        let batch = SpanBatch()
        var json = ByteBuffer()
    }

    private let destination: TraceStoreDestination
    private let state = State()

    init(_ destination: TraceStoreDestination) { self.destination = destination }

    func abort() {}

    func send(_ chunk: Chunk, rejected: ([Rejection]) -> Void) -> DeliveryOutcome {
        var spans: [StoredSpan] = []
        var refused: [Rejection] = []
        for index in 0..<chunk.eventCount {
            chunk.withEvent(index) { event in
                do throws(SpanDecodingError) {
                    spans.append(try span(of: event))
                } catch {
                    refused.append(Rejection(index: index, reason: error.description))
                }
            }
        }
        do throws(DatabaseError) {
            let store = try openStore()
            destination.duplicates.add(try store.insert(spans))
            destination.expired.add(try store.expire(now: destination.clock.now))
        } catch {
            // A full disk or a broken file: opened anew at the next try.
            state.store = nil
            return .retry(reason: "\(error)", after: nil, progressed: false)
        }
        rejected(refused)
        return .delivered
    }

    private func span(
        of event: UnsafeRawBufferPointer
    ) throws(SpanDecodingError) -> StoredSpan {
        state.batch.reset()
        state.json.truncate(to: 0)
        state.json.append(TraceStoreEncoder.json(of: event))
        try state.batch.decodeJSON(state.json.bytes)
        let batch = state.batch
        guard let span = batch.spans.first else {
            return StoredSpan(
                traceHigh: 0, traceLow: 0, timestamp: 0, duration: 0, service: "",
                remoteService: "", name: "", isError: false, text: "")
        }
        return StoredSpan(
            traceHigh: Int64(bitPattern: span.traceID.high),
            traceLow: Int64(bitPattern: span.traceID.low),
            timestamp: span.timestamp > 0
                ? Int64(clamping: span.timestamp) : TraceStoreEncoder.time(of: event),
            duration: Int64(clamping: span.duration), service: batch.string(span.local.service),
            remoteService: batch.string(span.remote.service), name: batch.string(span.name),
            isError: batch.tag("error", of: span) != nil,
            text: String(decoding: state.json.bytes, as: UTF8.self))
    }

    private func openStore() throws(DatabaseError) -> TraceStore {
        if let store = state.store { return store }
        AtomicFile.makeFolder(of: destination.path)
        let store = try TraceStore(destination.path, retention: destination.retention)
        destination.expired.add(try store.expire(now: destination.clock.now, always: true))
        state.store = store
        return store
    }
}
