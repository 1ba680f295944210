import Glibc
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirParse
import WeirPipeline
import WeirStore

/// `@type store`: keeps events as documents in a file of this machine.
public final class StoreDestination: ChunkDestination {
    private enum P {
        static let path = Parameter.text(
            "path", default: "/var/lib/weir/store.db", "The file of the documents.")
        static let retentionTime = Parameter.duration(
            "retention_time", default: .seconds(7 * 86_400), "How long documents are kept.")
        static let retentionSize = Parameter.size(
            "retention_size", default: 1 << 30, "The size of the file at which the oldest go.")
        static let serviceKey = Parameter.text(
            "service_key", default: "",
            "The field of the service; else `service_name`, then `upstream_cluster`.")
        static let codeKey = Parameter.text(
            "code_key", default: "response_code", "The field of the response code.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .output, type: "store", "Keeps events as documents in a file; `weir logs` reads it.",
        parameters: [
            AnyParameter(P.path), AnyParameter(P.retentionTime), AnyParameter(P.retentionSize),
            AnyParameter(P.serviceKey), AnyParameter(P.codeKey),
        ],
        sections: [BufferSection.declaration, SecondarySection.declaration],
        examples: ["<match **>\n  @type store\n  path /var/lib/weir/store.db\n</match>"])

    let path: String
    let retention: StoreRetention
    let clock: any PipelineClock
    let duplicates: Counter
    let expired: Counter
    private let serviceKeys: [String]
    private let codeKey: String

    init(_ section: Section, name: String, context: PluginContext) {
        path = section[P.path]
        retention = StoreRetention(
            age: section[P.retentionTime], byteLimit: max(section[P.retentionSize], 1 << 20))
        serviceKeys =
            section[P.serviceKey].isEmpty
            ? ["service_name", "upstream_cluster"] : [section[P.serviceKey]]
        codeKey = section[P.codeKey]
        clock = context.clock
        let labels = [Label("output", name)]
        duplicates = context.registry.counter(
            MetricDescription(
                "weir_store_duplicates_absorbed_total",
                "Documents that were already stored when they came again."), labels)
        expired = context.registry.counter(
            MetricDescription(
                "weir_store_expired_documents_total", "Documents that were too old or too many."),
            labels)
    }

    public func makeEncoder() -> any ChunkEncoder {
        StoreEncoder(serviceKeys: serviceKeys, codeKey: codeKey)
    }

    public func makeSender() -> any ChunkSender { StoreSender(self) }

    public func recordText(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        StoreEvent.document(in: event)?.text ?? UnsafeRawBufferPointer(rebasing: event[..<0])
    }
}

/// An event of a store's chunk: id (24 bytes), time and code (8 each), the lengths of tag and service
/// (4 each), all little-endian; then tag, service and the record's JSON.
///
/// The id is made of the origin, the line's position with its highest byte first, and the lower half
/// of ``EventIdentity``: ids of one file ascend with its lines.
private enum StoreEvent {
    static let idByteCount = 24
    static let headByteCount = idByteCount + 24
    /// The code of an event without one.
    static let noCode = Int64.min

    static func document(in event: UnsafeRawBufferPointer) -> StoredDocument? {
        guard event.count >= headByteCount else { return nil }
        func word(_ place: Int) -> Int64 {
            event.loadUnaligned(fromByteOffset: idByteCount + place, as: Int64.self)
        }
        let (time, code) = (word(0), word(8))
        let lengths = UInt64(bitPattern: Int64(littleEndian: word(16)))
        let tagCount = Int(lengths & 0xffff_ffff)
        let serviceCount = Int(lengths >> 32)
        let serviceStart = headByteCount + tagCount
        let textStart = serviceStart + serviceCount
        guard textStart <= event.count else { return nil }
        func part(_ range: Range<Int>) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: event[range])
        }
        return StoredDocument(
            id: part(0..<idByteCount), time: Int64(littleEndian: time),
            tag: part(headByteCount..<serviceStart), service: part(serviceStart..<textStart),
            code: code == noCode ? nil : Int64(littleEndian: code),
            text: part(textStart..<event.count))
    }
}

/// Writes events as the store's sender reads them.
private final class StoreEncoder: ChunkEncoder {
    private let serviceKeys: [String]
    private let codeKey: String
    private var encoder: BatchEncoder?
    private var services: [ColumnReader] = []
    private var code: ColumnReader?
    private var random = SystemRandomNumberGenerator()

    init(serviceKeys: [String], codeKey: String) {
        self.serviceKeys = serviceKeys
        self.codeKey = codeKey
    }

    func begin(_ batch: EventBatch) {
        encoder = BatchEncoder(batch)
        services = serviceKeys.map { ColumnReader($0, in: batch) }
        code = ColumnReader(codeKey, in: batch)
    }

    func append(row: Int, of batch: EventBatch, to buffer: inout ByteBuffer) -> String? {
        let time = batch.rows[row].time.nanosecondsSince1970
        if let origin = batch.origin, let identity = EventIdentity(row: row, in: batch) {
            append(origin.high, &buffer)
            append(batch.lines[Int(batch.rows[row].line)].position.byteSwapped, &buffer)
            append(identity.low, &buffer)
        } else {
            append(UInt64(bitPattern: time).byteSwapped, &buffer)
            append(random.next(), &buffer)
            append(random.next(), &buffer)
        }
        append(UInt64(bitPattern: time), &buffer)
        append(UInt64(bitPattern: codeOfRow(row, batch)), &buffer)
        let tag = batch.tag
        let service = serviceSlot(row, batch)
        append(UInt64(tag.utf8.count) | UInt64(service.length) << 32, &buffer)
        buffer.append(tag)
        batch.withText(service) { buffer.append($0) }
        encoder?.append(row: row, to: &buffer)
        return nil
    }

    private func append(_ word: UInt64, _ buffer: inout ByteBuffer) {
        withUnsafeBytes(of: word.littleEndian) { buffer.append($0) }
    }

    private func codeOfRow(_ row: Int, _ batch: EventBatch) -> Int64 {
        guard let slot = code?.slot(row: row, in: batch), slot.isPresent else {
            return StoreEvent.noCode
        }
        return batch.withText(slot) { UnixTime.parse($0)?.seconds } ?? StoreEvent.noCode
    }

    private func serviceSlot(_ row: Int, _ batch: EventBatch) -> Slot {
        for index in services.indices {
            let slot = services[index].slot(row: row, in: batch)
            if slot.isString, slot.length > 0 { return slot }
        }
        return Slot(.plain, offset: 0, length: 0)
    }
}

/// Puts chunks into the store, each in one transaction.
private final class StoreSender: ChunkSender {
    // Safe because a sender is used by one thread.
    private final class State: @unchecked Sendable {
        var store: DocumentStore?
    }

    private let destination: StoreDestination
    private let state = State()

    init(_ destination: StoreDestination) {
        self.destination = destination
    }

    func abort() {}

    func send(_ chunk: Chunk, rejected: ([Rejection]) -> Void) -> DeliveryOutcome {
        do throws(DatabaseError) {
            let store = try openStore()
            let known = try store.insert(count: chunk.eventCount) { index in
                StoreEvent.document(in: chunk.bytes(of: index..<(index + 1)))
            }
            destination.duplicates.add(known)
            destination.expired.add(try store.expire(now: destination.clock.now))
            return .delivered
        } catch {
            // A full disk or a broken file: opened anew at the next try.
            state.store = nil
            return .retry(reason: "\(error)", after: nil, progressed: false)
        }
    }

    private func openStore() throws(DatabaseError) -> DocumentStore {
        if let store = state.store { return store }
        AtomicFile.makeFolder(of: destination.path)
        let store = try DocumentStore(destination.path, retention: destination.retention)
        destination.expired.add(try store.expire(now: destination.clock.now, always: true))
        state.store = store
        return store
    }
}
