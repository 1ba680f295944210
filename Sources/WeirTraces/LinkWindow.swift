/// Counts who calls whom as spans come: each trace when its time is over, by the day on which it began.
///
/// Reads no clock: times come in, in nanoseconds of a monotonic clock.
public struct LinkWindow: ~Copyable {
    /// Days that are kept, the youngest ones.
    private static let dayLimit = 2
    private static let microsecondsOfDay: UInt64 = 86_400_000_000

    private let window: UInt64
    private let spanLimit: Int
    private var traces: [TraceID: (deadline: UInt64, spans: [SpanRecord])] = [:]
    private var order: [TraceID] = []
    private var firstHeld = 0
    private var spanCount = 0
    private var linkers: [Int64: DependencyLinker] = [:]

    /// An empty window.
    /// - Parameters:
    ///   - window: How long after a trace's first span its calls are counted, in nanoseconds.
    ///   - spanLimit: Most spans held; beyond, the oldest traces are counted early.
    public init(window: UInt64, spanLimit: Int = 200_000) {
        self.window = window
        self.spanLimit = spanLimit
    }

    /// Takes a span.
    public mutating func take(_ span: TraceSpan, of batch: SpanBatch, now: UInt64) {
        var record = SpanRecord()
        record.traceID = span.traceID
        record.id = span.id
        record.parentID = span.parentID
        record.kind = span.kind
        record.isShared = span.isShared
        record.timestamp = span.timestamp
        record.local.service = batch.string(span.local.service)
        record.remote.service = batch.string(span.remote.service)
        if batch.tag("error", of: span) != nil { record.tags = [SpanRecord.Tag("error", "")] }
        // Spans of both lengths of an id belong to one trace.
        let key = TraceID(low: span.traceID.low)
        if traces[key] == nil {
            let (deadline, overflow) = now.addingReportingOverflow(window)
            traces[key] = (overflow ? .max : deadline, [])
            order.append(key)
        }
        traces[key]?.spans.append(record)
        spanCount += 1
    }

    /// Counts the calls of traces that are due, and of the oldest ones beyond the limit.
    /// - Parameter all: Whether of all others, too.
    public mutating func settle(now: UInt64, all: Bool = false) {
        while firstHeld < order.count, let trace = traces[order[firstHeld]] {
            guard all || trace.deadline <= now || spanCount > spanLimit else { break }
            traces[order[firstHeld]] = nil
            firstHeld += 1
            spanCount -= trace.spans.count
            let begin = trace.spans.map(\.timestamp).filter { $0 > 0 }.min() ?? 0
            let day = Int64(clamping: begin / Self.microsecondsOfDay)
            linkers[day, default: DependencyLinker()].add(trace: trace.spans)
        }
        if firstHeld > 1024, firstHeld > order.count / 2 {
            order.removeFirst(firstHeld)
            firstHeld = 0
        }
        for day in linkers.keys.sorted().dropLast(Self.dayLimit) { linkers[day] = nil }
    }

    /// All links of each day that is kept, days counted from 1970 on.
    public var links: [(day: Int64, links: [DependencyLink])] {
        linkers.sorted { $0.key < $1.key }.map { ($0.key, $0.value.links) }
    }
}
