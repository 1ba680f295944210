// Hot path: once per span, where tail sampling is on.
import WeirCore

/// Holds the spans of each trace for a while, and then decides of the trace as a whole.
///
/// Reads no clock: times come in, in nanoseconds of a monotonic clock.
public struct TraceWindow: ~Copyable {
    /// How long and how much is held.
    public struct Options: Sendable {
        /// How long after a trace's first span it is decided of, in nanoseconds.
        public var window: UInt64 = 10_000_000_000
        /// Most bytes held; beyond, the oldest traces are decided of early.
        public var byteLimit = 64 << 20
        /// How many traces' decisions are remembered for late spans.
        public var decisionLimit = 100_000
        /// The list; a trace that fits none is left out.
        public var policies: [SamplingPolicy] = []
        /// Which tag holds the id of the request.
        public var requestTag = "guid:x-request-id"

        /// The defaults, without policies.
        public init() {}
    }

    /// A trace that was decided of.
    public struct Decided: Sendable {
        /// The policy that fitted, by its place in the list; `nil` for none.
        public var policy: Int?
        /// Whether the trace is kept.
        public var isKept: Bool
        /// Whether memory, not time, made the decision.
        public var isEarly: Bool
        /// The spans' JSON, each with a line feed behind it.
        public var lines: [UInt8]
        /// When each span happened.
        public var times: [Timestamp]
    }

    /// What became of a span that was given.
    public enum Outcome: Sendable, Equatable {
        /// It is held.
        case held
        /// It came late, to a trace that was kept or not.
        case late(isKept: Bool)
    }

    private struct Trace {
        var deadline: UInt64
        var lines: [UInt8] = []
        var times: [Timestamp] = []
        /// Bits of the policies that a span of it fitted.
        var fits: UInt64 = 0
        var isDebug = false
        var requests: [UInt64] = []
    }

    /// What a trace costs besides its spans' text, in bytes.
    private static let traceByteCount = 400
    /// Most policies, since a trace has a bit for each.
    public static let policyLimit = 64
    /// Most requests of a trace that are looked up in the access log.
    private static let requestLimit = 64

    private let options: Options
    private let outcomes: RequestOutcomes
    private var traces: [TraceID: Trace] = [:]
    /// The traces in the order in which they began, and where the first that is still held stands.
    private var order: [TraceID] = []
    private var firstHeld = 0
    private var decisions: DecisionMemory
    private var latencies = ServiceLatencies()
    private var allowances: [Int: (tokens: Double, time: UInt64)] = [:]
    private let requestKey: [UInt8]
    private let needsServices: Bool
    /// Bytes held.
    public private(set) var byteCount = 0
    /// Traces held.
    public var traceCount: Int { traces.count }

    /// An empty window.
    public init(_ options: Options, outcomes: RequestOutcomes) {
        self.options = options
        self.outcomes = outcomes
        decisions = DecisionMemory(limit: options.decisionLimit)
        requestKey = Array(options.requestTag.utf8)
        needsServices = options.policies.contains {
            if case .slowForService = $0.condition { true } else { false }
        }
    }

    // MARK: Spans

    /// Takes a span.
    /// - Parameter time: When it happened.
    public mutating func take(
        _ span: TraceSpan, of batch: SpanBatch, time: Timestamp, now: UInt64
    ) -> Outcome {
        if let isKept = decisions.decision(of: span.traceID) { return .late(isKept: isKept) }
        var text = ByteBuffer(capacity: 1024)
        batch.appendJSON(of: span, to: &text)
        text.append(byte: 0x0a)
        if traces[span.traceID] == nil {
            let (deadline, overflow) = now.addingReportingOverflow(options.window)
            traces[span.traceID] = Trace(deadline: overflow ? .max : deadline)
            order.append(span.traceID)
            byteCount += Self.traceByteCount
        }
        let isSlow = needsServices && noteLatency(of: span, in: batch)
        note(span, of: batch, time: time, text: text.bytes, isSlow: isSlow)
        byteCount += text.count
        return .held
    }

    private mutating func note(
        _ span: TraceSpan, of batch: SpanBatch, time: Timestamp, text: UnsafeRawBufferPointer,
        isSlow: Bool
    ) {
        guard var trace = traces.removeValue(forKey: span.traceID) else { return }
        trace.lines += text
        trace.times.append(time)
        if span.isDebug { trace.isDebug = true }
        for (index, policy) in options.policies.enumerated() where trace.fits & 1 << index == 0 {
            if fits(policy.condition, span, batch, isSlow) { trace.fits |= 1 << index }
        }
        if trace.requests.count < Self.requestLimit {
            for tag in batch.tags(of: span) where batch.bytes(of: tag.key).elementsEqual(requestKey)
            {
                trace.requests.append(RequestOutcomes.name(of: batch.bytes(of: tag.value)))
            }
        }
        traces[span.traceID] = trace
    }

    private mutating func noteLatency(of span: TraceSpan, in batch: SpanBatch) -> Bool {
        guard span.duration > 0, span.kind == .server || span.kind == .consumer else {
            return false
        }
        return latencies.note(span.duration, of: batch.string(span.local.service))
    }

    /// Whether a span makes its trace fit, as far as spans alone can tell.
    private func fits(
        _ condition: SamplingPolicy.Condition, _ span: TraceSpan, _ batch: SpanBatch,
        _ isSlow: Bool
    ) -> Bool {
        switch condition {
        case .error: return batch.tag("error", of: span) != nil
        case .latency(let limit): return span.duration >= limit
        case .slowForService: return isSlow
        case .attribute(let key, let matches):
            return batch.tags(of: span).contains { tag in
                batch.bytes(of: tag.key).elementsEqual(key.utf8) && matches(batch.string(tag.value))
            }
        case .accessLog, .probability, .rateLimit, .always: return false
        }
    }

    // MARK: Decisions

    /// When the next trace is due; `nil` when none is held.
    public var nextDeadline: UInt64? {
        var place = firstHeld
        while place < order.count {
            if let trace = traces[order[place]] { return trace.deadline }
            place += 1
        }
        return nil
    }

    /// Decides of the traces that are due, and of the oldest ones beyond the memory's limit.
    /// - Parameter all: Whether of all others, too.
    public mutating func decide(now: UInt64, all: Bool = false) -> [Decided] {
        var decided: [Decided] = []
        while firstHeld < order.count {
            let id = order[firstHeld]
            guard let trace = traces[id] else {
                firstHeld += 1
                continue
            }
            let isEarly = trace.deadline > now && !all
            guard !isEarly || byteCount > options.byteLimit else { break }
            firstHeld += 1
            traces[id] = nil
            byteCount -= trace.lines.count + Self.traceByteCount
            let (policy, isKept) = decision(of: trace, id, now: now)
            decisions.note(id, isKept: isKept)
            decided.append(
                Decided(
                    policy: policy, isKept: isKept, isEarly: isEarly, lines: trace.lines,
                    times: trace.times))
        }
        if firstHeld > 1024, firstHeld > order.count / 2 {
            order.removeFirst(firstHeld)
            firstHeld = 0
        }
        return decided
    }

    private mutating func decision(
        of trace: Trace, _ id: TraceID, now: UInt64
    ) -> (policy: Int?, isKept: Bool) {
        if trace.isDebug { return (nil, true) }
        for (index, policy) in options.policies.enumerated() {
            let isFitting: Bool
            switch policy.condition {
            case .error, .latency, .slowForService, .attribute:
                isFitting = trace.fits & 1 << index != 0
            case .accessLog: isFitting = outcomes.haveFailure(among: trace.requests)
            case .probability(let sampler): isFitting = sampler.keeps(id)
            case .rateLimit(let rate): isFitting = takeToken(of: index, rate: rate, now: now)
            case .always: isFitting = true
            }
            if isFitting { return (index, policy.keeps) }
        }
        return (nil, false)
    }

    /// Takes one of the tokens that a rate gives each second, of which at most a second's worth is
    /// saved.
    private mutating func takeToken(of index: Int, rate: Double, now: UInt64) -> Bool {
        let most = max(1, rate)
        var allowance = allowances[index] ?? (most, now)
        let elapsed = Double(now &- min(now, allowance.time)) / 1e9
        allowance = (min(most, allowance.tokens + elapsed * rate), now)
        let isFitting = allowance.tokens >= 1
        if isFitting { allowance.tokens -= 1 }
        allowances[index] = allowance
        return isFitting
    }
}
