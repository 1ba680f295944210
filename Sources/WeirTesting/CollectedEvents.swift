import Synchronization
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirPlugins

/// An output that keeps decoded events, and delivers them at once.
public final class CollectedEvents: Output, RefusalSink {
    /// One event.
    public struct Event: Sendable {
        /// The tag.
        public var tag: String
        /// The time.
        public var time: Timestamp
        /// The record.
        public var record: Record
        /// The identity, of events from files.
        public var identity: EventIdentity?
    }

    private let events = Mutex<[Event]>([])

    /// An output without events.
    public init() {}

    /// What came, in order.
    public var all: [Event] { events.withLock { $0 } }

    public var admits: Bool { true }

    public func write(_ batch: EventBatch, ticket: DeliveryTicket) {
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            let event = Event(
                tag: batch.tag, time: batch.rows[row].time, record: batch.record(row: row),
                identity: EventIdentity(row: row, in: batch))
            events.withLock { $0.append(event) }
        }
    }

    public func start() throws(ComponentError) {}

    public func flush() {}

    public func stop(deadline: UInt64) -> Bool { true }

    public func refuse(_ refused: [RefusedEvent], ticket: DeliveryTicket) {
        for event in refused {
            let value = event.recordText.withUnsafeBytes { JSONValueReader.value(of: $0) }
            guard case .object(let record)? = value else { continue }
            events.withLock {
                $0.append(Event(tag: event.tag, time: event.time, record: record, identity: nil))
            }
        }
    }
}

/// Batches of records that a test wrote down.
public enum BatchOfRecords {
    /// A batch of events of one tag: objects with `tag`, `time` and `record`.
    public static func make(_ events: [Record]) -> EventBatch? {
        var text = ByteBuffer()
        for event in events {
            JSONValueWriter.append(
                ConformanceCases.value(event["record"] ?? .object([:])), to: &text)
            text.append(byte: 0x0a)
        }
        let batch = EventBatch(blockCapacity: max(64, text.count))
        batch.fillBlock(copying: text.bytes)
        batch.tag = events.first?["tag"]?.string ?? "t"
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: .epoch)
        guard batch.rows.count == events.count else { return nil }
        for (row, event) in events.enumerated() {
            batch.setTime(ConformanceCases.time(event["time"]) ?? .epoch, row: row)
        }
        return batch
    }
}

extension PluginContext {
    /// A context for tests: nothing is logged, what is refused is kept by `refusals`.
    public static func forTests(
        registry: Registry = Registry(), refusals: any RefusalSink = CollectedEvents()
    ) -> PluginContext {
        PluginContext(
            hostName: "kit-host.example", nodeName: "node", registry: registry, refusals: refusals,
            outputByteLimit: 24 << 20, outputLog: { _ in }, tailLog: { _ in })
    }
}
