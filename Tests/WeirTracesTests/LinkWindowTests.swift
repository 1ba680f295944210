import Testing

@testable import WeirTraces

@Suite("A window that counts links") struct LinkWindowTests {
    private static let day: UInt64 = 86_400_000_000

    private func take(
        _ window: inout LinkWindow, trace: UInt64, at time: UInt64, now: UInt64, high: UInt64 = 0
    ) throws {
        let batch = SpanBatch()
        var span = SpanRecord()
        span.traceID = TraceID(high: high, low: trace)
        span.id = 1
        span.kind = .client
        span.timestamp = time
        span.local.service = "web"
        try batch.append(span)
        span.id = 2
        span.parentID = 1
        span.kind = .server
        span.local.service = "app"
        span.traceID.high = 0
        try batch.append(span)
        for span in batch.spans { window.take(span, of: batch, now: now) }
    }

    private func calls(_ window: borrowing LinkWindow) -> [[Int]] {
        window.links.map { [Int($0.day)] + $0.links.map(\.callCount) }
    }

    @Test func `counts a trace when its time is over, on the day on which it began`() throws {
        var window = LinkWindow(window: 10)
        try take(&window, trace: 1, at: 5 * Self.day, now: 0)
        try take(&window, trace: 2, at: 5 * Self.day + 7, now: 3, high: 9)
        try take(&window, trace: 3, at: 6 * Self.day, now: 5)
        window.settle(now: 9)
        #expect(calls(window).isEmpty)
        window.settle(now: 13)
        #expect(calls(window) == [[5, 2]])
        window.settle(now: 13, all: true)
        #expect(calls(window) == [[5, 2], [6, 1]])
    }

    @Test func `keeps the youngest days, and no more spans than it may`() throws {
        var window = LinkWindow(window: .max, spanLimit: 3)
        for day in 1...4 {
            try take(&window, trace: UInt64(day), at: UInt64(day) * Self.day, now: 0)
            window.settle(now: 0)
        }
        // Two of a trace's spans are held, the others were counted early.
        #expect(calls(window) == [[2, 1], [3, 1]])
    }
}
