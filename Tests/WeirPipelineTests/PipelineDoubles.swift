import Synchronization
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPipeline

/// Takes what is refused, and delivers it at once.
final class CollectedRefusals: RefusalSink {
    private struct State {
        var events: [RefusedEvent] = []
        var held: [DeliveryTicket] = []
        var isHolding = false
    }

    private let state = Mutex(State())

    var all: [RefusedEvent] { state.withLock { $0.events } }

    /// From now on what comes is not delivered before ``release()``.
    func hold() { state.withLock { $0.isHolding = true } }

    func release() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for ticket in held { ticket.release() }
    }

    func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {
        state.withLock { state in
            state.events += events
            guard state.isHolding else { return }
            ticket.retain()
            state.held.append(ticket)
        }
    }
}

/// A batch of JSON lines.
func makeBatch(_ lines: [String], tag: String = "t") -> EventBatch {
    let batch = EventBatch()
    var text = lines.map { $0 + "\n" }.joined()
    text.withUTF8 { batch.fillBlock(copying: UnsafeRawBufferPointer($0)) }
    batch.tag = tag
    batch.origin = Origin(high: 7, low: 9)
    _ = batch.cutLines(position: 0)
    JSONLineScanner().scan(into: batch, time: Timestamp(seconds: 1_700_000_000))
    return batch
}

/// An output that keeps the records it was given, as JSON.
final class CollectingOutput: Output {
    private struct State {
        var records: [String] = []
        var tickets: [DeliveryTicket] = []
    }

    private let state = Mutex(State())
    let hasRoom = Atomic<Bool>(true)

    var records: [String] { state.withLock { $0.records } }
    var admits: Bool { hasRoom.load(ordering: .relaxed) }

    func write(_ batch: EventBatch, ticket: DeliveryTicket) {
        var encoder = BatchEncoder(batch)
        var texts: [String] = []
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            var buffer = ByteBuffer()
            encoder.append(row: row, to: &buffer)
            texts.append("\(batch.tag) \(String(decoding: buffer.bytes, as: UTF8.self))")
        }
        ticket.retain()
        state.withLock {
            $0.records += texts
            $0.tickets.append(ticket)
        }
    }

    func start() throws(ComponentError) {}

    func flush() {
        for ticket in state.withLock({ state in
            defer { state.tickets = [] }
            return state.tickets
        }) { ticket.release() }
    }

    func stop(deadline: UInt64) -> Bool {
        flush()
        return true
    }
}

/// A ticket that counts its deliveries.
final class Deliveries: Sendable {
    private let total = Monitor(0)

    var count: Int { total.withLock { $0 } }

    func ticket() -> DeliveryTicket {
        DeliveryTicket(readAt: 0) { [self] in total.change { $0 += 1 } }
    }

    /// Waits for so many deliveries.
    func wait(_ wanted: Int) { total.wait { $0 >= wanted ? .done(()) : .waitForChange } }
}
