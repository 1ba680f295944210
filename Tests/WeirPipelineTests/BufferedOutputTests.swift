import Synchronization
import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPipeline

/// A destination that answers as it is told and keeps the chunks it took, as lines.
final class ScriptedDestination: ChunkDestination {
    private struct State {
        var script: [DeliveryOutcome] = []
        var taken: [[String]] = []
        var rejecting: [Int] = []
        var sendCount = 0
    }

    private let state: Monitor<State>

    init(_ script: [DeliveryOutcome] = [], rejecting: [Int] = []) {
        state = Monitor(State(script: script, rejecting: rejecting))
    }

    var taken: [[String]] { state.withLock { $0.taken } }
    var sendCount: Int { state.withLock { $0.sendCount } }

    func waitForTaken(_ count: Int) {
        state.wait { $0.taken.count >= count ? .done(()) : .waitForChange }
    }

    func waitForSends(_ count: Int) {
        state.wait { $0.sendCount >= count ? .done(()) : .waitForChange }
    }

    func makeEncoder() -> any ChunkEncoder { LineEncoder() }
    func makeSender() -> any ChunkSender { Sender(self) }
    func recordText(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer { event }

    private final class LineEncoder: ChunkEncoder {
        private var encoder: BatchEncoder?

        func begin(_ batch: EventBatch) { encoder = BatchEncoder(batch) }

        func append(row: Int, of batch: EventBatch, to buffer: inout ByteBuffer) -> String? {
            encoder?.append(row: row, to: &buffer)
            return nil
        }
    }

    private final class Sender: ChunkSender {
        private let destination: ScriptedDestination

        init(_ destination: ScriptedDestination) { self.destination = destination }

        func send(_ chunk: Chunk, rejected: ([Rejection]) -> Void) -> DeliveryOutcome {
            let lines = (0..<chunk.eventCount).map { index in
                chunk.withEvent(index) { String(decoding: $0, as: UTF8.self) }
            }
            let rejecting = destination.state.withLock { $0.rejecting }
            if !rejecting.isEmpty {
                rejected(rejecting.map { Rejection(index: $0, reason: "mapping") })
            }
            return destination.state.change { state in
                state.sendCount += 1
                let outcome = state.script.isEmpty ? .delivered : state.script.removeFirst()
                if case .delivered = outcome { state.taken.append(lines) }
                return outcome
            }
        }

        func abort() {}
    }
}

/// What an output reported.
final class CollectedReports: Sendable {
    private let count = Monitor(0)

    func add(_ report: OutputReport) { count.change { $0 += 1 } }

    /// How many have come.
    var total: Int { count.withLock { $0 } }

    /// Waits until so many reports have come.
    func wait(_ wanted: Int) { count.wait { $0 >= wanted ? .done(()) : .waitForChange } }
}

@Suite("A buffered output") struct BufferedOutputTests {
    private let refusals = CollectedRefusals()
    private let clock = ManualClock()
    private let registry = Registry()

    private let reports = CollectedReports()

    private func output(
        _ destination: ScriptedDestination, _ change: (inout BufferOptions) -> Void = { _ in }
    ) -> BufferedOutput {
        var options = BufferOptions()
        options.flushMode = .immediate
        change(&options)
        return BufferedOutput(
            BufferedOutput.Parts(
                name: "out", destination: destination, options: options, refusals: refusals,
                secondary: nil, metrics: OutputMetrics(registry, output: "out"), clock: clock,
                log: { [reports] in reports.add($0) }))
    }

    private func stop(_ output: BufferedOutput) -> Bool { output.stop(deadline: .max) }

    @Test func `delivers what it was given and then tells the source`() throws {
        let destination = ScriptedDestination()
        let output = output(destination)
        let deliveries = Deliveries()
        try output.start()
        let ticket = deliveries.ticket()
        output.write(makeBatch([#"{"a":1}"#, #"{"a":2}"#]), ticket: ticket)
        ticket.release()
        #expect(stop(output))
        #expect(destination.taken == [[#"{"a":1}"#, #"{"a":2}"#]])
        #expect(deliveries.count == 1)
    }

    @Test func `cuts chunks at their limits of events and bytes`() throws {
        let byEvents = ScriptedDestination()
        let counted = output(byEvents) {
            $0.chunkEventLimit = 2
            $0.flushMode = .interval
        }
        counted.write(
            makeBatch((1...5).map { #"{"a":\#($0)}"# }), ticket: Deliveries().ticket())
        try counted.start()
        #expect(stop(counted))
        #expect(byEvents.taken.map(\.count) == [2, 2, 1])

        let byBytes = ScriptedDestination()
        let sized = output(byBytes) {
            $0.chunkByteLimit = 20
            $0.chunkFullThreshold = 1
            $0.flushMode = .interval
        }
        let lines = [7, 8, 9, 20, 7].map { #"{"a":\#(String(repeating: "1", count: $0 - 6))}"# }
        sized.write(makeBatch(lines), ticket: Deliveries().ticket())
        try sized.start()
        #expect(stop(sized))
        #expect(byBytes.taken == [Array(lines[0...1]), [lines[2]], [lines[3]], [lines[4]]])
    }

    @Test func `sends a failed chunk again after its wait, and keeps the source waiting till then`()
        throws
    {
        let destination = ScriptedDestination([
            .retry(reason: "503", after: nil, progressed: false)
        ])
        let output = output(destination) { $0.retry.isRandomized = false }
        let deliveries = Deliveries()
        try output.start()
        let ticket = deliveries.ticket()
        output.write(makeBatch([#"{"a":1}"#]), ticket: ticket)
        ticket.release()
        // Its wait is reckoned from the failure, so the clock must stand until that is reported.
        reports.wait(1)
        #expect(deliveries.count == 0)
        clock.advance(.seconds(2))
        output.flush()
        destination.waitForTaken(1)
        #expect(stop(output))
        #expect(destination.sendCount == 2)
        #expect(deliveries.count == 1)
    }

    @Test func `hands rejected events on with the destination's reason`() throws {
        let destination = ScriptedDestination(rejecting: [1])
        let output = output(destination)
        try output.start()
        output.write(makeBatch([#"{"a":1}"#, #"{"a":2}"#]), ticket: Deliveries().ticket())
        #expect(stop(output))
        #expect(
            refusals.all.map { String(decoding: $0.recordText, as: UTF8.self) } == [#"{"a":2}"#])
        #expect(refusals.all.map(\.reason) == ["mapping"])
    }

    @Test func `gives a chunk up when its retries are over, into the refused events`() throws {
        let failure = DeliveryOutcome.retry(reason: "down", after: nil, progressed: false)
        let destination = ScriptedDestination([failure, failure])
        let output = output(destination) { $0.retry.maximumCount = 0 }
        let deliveries = Deliveries()
        try output.start()
        let ticket = deliveries.ticket()
        output.write(makeBatch([#"{"a":1}"#]), ticket: ticket)
        ticket.release()
        #expect(stop(output))
        #expect(refusals.all.map(\.reason) == ["down"])
        #expect(deliveries.count == 1)
    }

    @Test func `has no room beyond its limit, and room again after a delivery`() throws {
        let destination = ScriptedDestination()
        let output = output(destination) { $0.totalByteLimit = 10 }
        output.write(makeBatch([#"{"a":111111111111}"#]), ticket: Deliveries().ticket())
        #expect(!output.admits)
        try output.start()
        destination.waitForTaken(1)
        #expect(stop(output))
        #expect(registry.textExposition().contains(#"weir_output_buffered_bytes{output="out"} 0"#))
    }

    @Test func `drops the oldest chunk when told to, counts it and tells the source`() {
        let output = output(ScriptedDestination()) {
            $0.overflowAction = .dropOldestChunk
            $0.queuedChunkLimit = 1
            $0.chunkEventLimit = 1
        }
        let deliveries = Deliveries()
        for number in 1...3 {
            let ticket = deliveries.ticket()
            output.write(makeBatch([#"{"a":\#(number)}"#]), ticket: ticket)
            ticket.release()
        }
        #expect(output.admits)
        #expect(deliveries.count == 2)
        #expect(
            registry.textExposition().contains(
                #"weir_output_dropped_events_total{output="out"} 2"#))
    }

    @Test func `leaves the position behind what it could not deliver before the deadline`() throws {
        let failure = DeliveryOutcome.retry(reason: "down", after: nil, progressed: false)
        let destination = ScriptedDestination(Array(repeating: failure, count: 100))
        let output = output(destination)
        let deliveries = Deliveries()
        try output.start()
        let ticket = deliveries.ticket()
        output.write(makeBatch([#"{"a":1}"#]), ticket: ticket)
        ticket.release()
        destination.waitForSends(1)
        #expect(!output.stop(deadline: clock.monotonicNanoseconds))
        #expect(deliveries.count == 0)
    }
}
