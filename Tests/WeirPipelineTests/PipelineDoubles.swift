import Synchronization
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPipeline

/// Takes what is refused, and delivers it at once.
final class CollectedRefusals: RefusalSink {
    private let events = Mutex<[RefusedEvent]>([])

    var all: [RefusedEvent] { events.withLock { $0 } }

    func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {
        self.events.withLock { $0 += events }
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
    private let total = Atomic<Int>(0)

    var count: Int { total.load(ordering: .relaxed) }

    func ticket() -> DeliveryTicket {
        DeliveryTicket(readAt: 0) { [self] in total.wrappingAdd(1, ordering: .relaxed) }
    }
}
