import Testing
import WeirCore
import WeirTesting

@testable import WeirTraces

/// A window with its clock in the test's hand.
private final class WindowRig {
    var window: TraceWindow
    let outcomes = RequestOutcomes()
    var now: UInt64 = 0
    private let batch = SpanBatch()

    init(_ policies: [SamplingPolicy], change: (inout TraceWindow.Options) -> Void = { _ in }) {
        var options = TraceWindow.Options()
        options.policies = policies
        change(&options)
        window = TraceWindow(options, outcomes: outcomes)
    }

    @discardableResult
    func take(_ span: SpanRecord) throws -> TraceWindow.Outcome {
        batch.reset()
        try batch.append(span)
        let row = batch.spans[0]
        return window.take(row, of: batch, time: .epoch, now: now)
    }

    static func span(
        _ trace: UInt64, _ id: UInt64 = 1, duration: UInt64 = 100, tags: [(String, String)] = []
    ) -> SpanRecord {
        var span = SpanRecord()
        span.traceID = TraceID(low: trace)
        span.id = id
        span.kind = .server
        span.local = SpanRecord.Endpoint(service: "shop")
        span.timestamp = 1
        span.duration = duration
        span.tags = tags.map { SpanRecord.Tag($0.0, $0.1) }
        return span
    }
}

@Suite("A window over traces") struct TraceWindowTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func `decides of a trace when its time is over, as a whole`() throws {
        let rig = WindowRig([SamplingPolicy("errors", .error)])
        try rig.take(WindowRig.span(1))
        rig.now = 9 * Self.second
        try rig.take(WindowRig.span(1, 2, tags: [("error", "true")]))
        try rig.take(WindowRig.span(2))
        #expect(rig.window.nextDeadline == 10 * Self.second)
        #expect(rig.window.decide(now: rig.now).isEmpty)
        let first = rig.window.decide(now: 10 * Self.second)
        #expect(first.map(\.isKept) == [true])
        #expect(first[0].policy == 0 && first[0].times.count == 2 && !first[0].isEarly)
        #expect(String(decoding: first[0].lines, as: UTF8.self).split(separator: "\n").count == 2)
        let second = rig.window.decide(now: 19 * Self.second)
        #expect(second.map(\.isKept) == [false])
        #expect(rig.window.traceCount == 0 && rig.window.byteCount == 0)
        #expect(rig.window.nextDeadline == nil)
    }

    @Test func `a span that comes late goes where its trace went`() throws {
        let rig = WindowRig([SamplingPolicy("errors", .error)])
        try rig.take(WindowRig.span(1, tags: [("error", "")]))
        try rig.take(WindowRig.span(2))
        _ = rig.window.decide(now: 20 * Self.second)
        #expect(try rig.take(WindowRig.span(1, 9)) == .late(isKept: true))
        #expect(try rig.take(WindowRig.span(2, 9)) == .late(isKept: false))
    }

    @Test func `the first policy that fits decides`() throws {
        let health = SamplingPolicy(
            "health", .attribute("http.path") { $0 == "/health" }, keeps: false)
        let rig = WindowRig([
            health, SamplingPolicy("slow", .latency(500)), SamplingPolicy("log", .accessLog),
            SamplingPolicy("few", .rateLimit(1)),
        ])
        try rig.take(WindowRig.span(1, duration: 900, tags: [("http.path", "/health")]))
        try rig.take(WindowRig.span(2, duration: 500))
        try rig.take(WindowRig.span(3, tags: [("guid:x-request-id", "abc")]))
        try rig.take(WindowRig.span(4))
        try rig.take(WindowRig.span(5))
        var debug = WindowRig.span(6, tags: [("http.path", "/health")])
        debug.isDebug = true
        try rig.take(debug)
        // The access log tells while the trace is held.
        Array("abc".utf8).withUnsafeBytes { rig.outcomes.noteFailure(ofRequest: $0) }
        let decided = rig.window.decide(now: 10 * Self.second)
        #expect(decided.map(\.policy) == [0, 1, 2, 3, nil, nil])
        #expect(decided.map(\.isKept) == [false, true, true, true, false, true])
    }

    @Test func `a span is slow by what its service usually takes`() throws {
        let rig = WindowRig([SamplingPolicy("slow", .slowForService)])
        var generator = SeededGenerator(announcing: "latencies")
        for trace in 1...2_000 {
            try rig.take(
                WindowRig.span(UInt64(trace), duration: UInt64(generator.number(1_000...2_000))))
        }
        try rig.take(WindowRig.span(5_000, duration: 9_000))
        try rig.take(WindowRig.span(5_001, duration: 1_500))
        let decided = rig.window.decide(now: 10 * Self.second)
        #expect(decided[2_000].isKept)
        #expect(!decided[2_001].isKept)
        // About one in a hundred of the usual ones, within a step of the histogram.
        let usual = decided[..<2_000].count { $0.isKept }
        #expect(usual < 200, "\(usual)")
    }

    @Test func `beyond its memory it decides early of the oldest`() throws {
        let rig = WindowRig([SamplingPolicy("all", .always)]) { $0.byteLimit = 10_000 }
        for trace in 1...100 {
            try rig.take(WindowRig.span(UInt64(trace)))
            let decided = rig.window.decide(now: 0)
            #expect(decided.allSatisfy { $0.isEarly })
            #expect(rig.window.byteCount <= 10_000)
        }
        let held = rig.window.traceCount
        #expect(held > 5 && held < 30)
        #expect(rig.window.decide(now: 0, all: true).count == held)
        #expect(rig.window.byteCount == 0)
    }

    /// The load of the acceptance list: 200,000 spans, a hundredth of the traces with an error, five
    /// in a hundred of the others kept.
    @Test func `of a large load every error is kept whole, and of the rest its share`() throws {
        let rig = WindowRig([
            SamplingPolicy("errors", .error),
            SamplingPolicy("share", .probability(HeadSampler(rate: 0.05))),
        ]) { $0.byteLimit = 24 << 20 }
        var generator = SeededGenerator(announcing: "tail sampling")
        let traceCount = 40_000
        var errors: Set<UInt64> = []
        var kept: [UInt64: Int] = [:]
        var decidedCount = 0
        var lateCount = 0
        var peak = 0
        func collect(_ decided: [TraceWindow.Decided]) throws {
            for trace in decided {
                decidedCount += 1
                guard trace.isKept else { continue }
                for line in trace.lines.split(separator: 0x0a) {
                    let record = try #require(
                        JSONValueReader.value(of: String(decoding: line, as: UTF8.self))?.object)
                    let id = try #require(record["traceId"]?.string)
                    kept[try #require(UInt64(id, radix: 16)), default: 0] += 1
                }
            }
        }
        for _ in 0..<traceCount {
            let trace = UInt64.random(in: 1...UInt64.max, using: &generator)
            let isError = generator.once(in: 100)
            if isError { errors.insert(trace) }
            let bad = generator.number(1...4)
            for id in 1...5 {
                // A span of a trace in 500 comes after its decision.
                if id == 5, generator.once(in: 500) {
                    rig.now += 10 * Self.second
                    try collect(rig.window.decide(now: rig.now))
                    lateCount += 1
                    guard case .late(let isKept) = try rig.take(WindowRig.span(trace, 5)) else {
                        Issue.record("a late span was held")
                        continue
                    }
                    if isKept { kept[trace, default: 0] += 1 }
                    continue
                }
                try rig.take(
                    WindowRig.span(
                        trace, UInt64(id), tags: isError && id == bad ? [("error", "true")] : []))
            }
            rig.now += 1_000_000
            peak = max(peak, rig.window.byteCount)
            try collect(rig.window.decide(now: rig.now))
        }
        try collect(rig.window.decide(now: rig.now, all: true))
        #expect(decidedCount == traceCount)
        for trace in errors { #expect(kept[trace] == 5) }
        #expect(kept.values.allSatisfy { $0 == 5 })
        #expect(lateCount > 0)
        // Five standard deviations of a binomial distribution.
        let rest = Double(traceCount - errors.count)
        let sampled = Double(kept.count - errors.count)
        let deviation = (rest * 0.05 * 0.95).squareRoot()
        #expect(abs(sampled - rest * 0.05) < 5 * deviation, "\(sampled) of \(rest)")
        #expect(peak <= 24 << 20 && peak > 1 << 20, "\(peak)")
    }
}

@Suite("Sampling by the trace's id") struct HeadSamplerTests {
    @Test func `keeps by the magnitude of the lower half, as Zipkin does`() {
        let half = HeadSampler(rate: 0.5)
        #expect(half.keeps(TraceID(low: 1)))
        #expect(half.keeps(TraceID(high: 9, low: UInt64(Int64.max / 2))))
        #expect(!half.keeps(TraceID(low: UInt64(Int64.max / 2 + 1000))))
        #expect(half.keeps(TraceID(low: UInt64(bitPattern: -5))))
        #expect(!half.keeps(TraceID(low: UInt64(bitPattern: Int64.min))))
        #expect(HeadSampler(rate: 1).keeps(TraceID(low: UInt64(bitPattern: Int64.min))))
        #expect(!HeadSampler(rate: 0).keeps(TraceID(low: 1)))
    }

    @Test func `keeps its share`() {
        var generator = SeededGenerator(announcing: "head sampling")
        for rate in [0.01, 0.1, 0.5] {
            let sampler = HeadSampler(rate: rate)
            let kept = (0..<100_000).count { _ in
                sampler.keeps(TraceID(low: generator.next()))
            }
            let deviation = (100_000 * rate * (1 - rate)).squareRoot()
            #expect(abs(Double(kept) - 100_000 * rate) < 5 * deviation, "\(kept) at \(rate)")
        }
    }
}
