import WeirCore

/// What the events of one chunk have in common: the values of the buffer's chunk keys.
public struct ChunkKey: Hashable, Sendable {
    /// The tag, when `tag` is a chunk key.
    public var tag: String?
    /// The start of the time slot in Unix seconds, when `time` is a chunk key.
    public var timeSlot: Int64?
    /// The values of the record fields that are chunk keys, in their order; `nil` where absent.
    public var fields: [String?] = []

    /// The key of a buffer without chunk keys.
    public init(tag: String? = nil, timeSlot: Int64? = nil, fields: [String?] = []) {
        self.tag = tag
        self.timeSlot = timeSlot
        self.fields = fields
    }
}

/// The bytes of one flush: events in the destination's wire format, and whom to tell when they
/// are delivered.
///
/// A chunk belongs to one thread at a time: its output's writer under the lock, then one sender.
public final class Chunk: @unchecked Sendable {
    // Safe because a chunk is handed over through the output's monitor, never shared.

    /// What its events have in common.
    public let key: ChunkKey
    /// The events in wire format.
    public var body: ByteBuffer
    /// Where each event's bytes end in the body.
    public private(set) var ends: [Int] = []
    /// When the first event came, in monotonic nanoseconds.
    public let createdAt: UInt64
    /// Who waits for the delivery.
    private var tickets: [DeliveryTicket] = []
    /// The tag of its events, as long as they have one tag.
    private var commonTag: String?
    /// The chunk's file, once it is safe on disk.
    var file: ChunkFile?
    /// Whether some of its events have left it: its file, if it has one, holds more than it.
    private(set) var isReduced = false
    /// The bytes that the output's account holds for this chunk.
    private(set) var accountedByteCount = 0

    init(key: ChunkKey, body: consuming ByteBuffer, createdAt: UInt64) {
        self.key = key
        self.body = body
        self.createdAt = createdAt
    }

    /// The tag of all its events; `nil` when they have several.
    var tag: String? { key.tag ?? commonTag }

    /// How many events it holds.
    public var eventCount: Int { ends.count }

    /// How many bytes it holds.
    public var byteCount: Int { body.count }

    /// Notes that the bytes behind the last end are an event.
    func closeEvent() {
        ends.append(body.count)
        accountedByteCount = body.count
    }

    /// Brings the account to the bytes held now.
    /// - Returns: The difference.
    func settleAccount() -> Int {
        let difference = body.count - accountedByteCount
        accountedByteCount = body.count
        return difference
    }

    /// Takes the last event's bytes out again, for the next chunk.
    func removeLastEvent(into other: Chunk) {
        guard let end = ends.popLast() else { return }
        let start = ends.last ?? 0
        let bytes = UnsafeRawBufferPointer(rebasing: body.bytes[start..<end])
        other.body.append(bytes)
        other.closeEvent()
        body.truncate(to: start)
        accountedByteCount = body.count
    }

    /// Keeps a ticket of events with this tag, once however many of them are here.
    func hold(_ ticket: DeliveryTicket, tag: String) {
        if let last = tickets.last, last === ticket { return }
        if tickets.isEmpty { commonTag = tag } else if commonTag != tag { commonTag = nil }
        hold(ticket)
    }

    /// Keeps a ticket.
    func hold(_ ticket: DeliveryTicket) {
        ticket.retain()
        tickets.append(ticket)
    }

    /// Takes the tickets out, for whoever releases them.
    func takeTickets() -> [DeliveryTicket] {
        defer { tickets = [] }
        return tickets
    }

    /// The tickets, held once more, for events that take another road.
    func sharedTickets() -> [DeliveryTicket] {
        for ticket in tickets { ticket.retain() }
        return tickets
    }

    /// Tells everyone that the events are delivered or safe.
    /// - Returns: The tickets' reading times, for the delivery latency.
    @discardableResult
    func release() -> [UInt64] {
        let released = takeTickets()
        for ticket in released { ticket.release() }
        return released.map(\.readAt)
    }

    /// Leaves only the given events in the body, by index: those that must be sent again.
    public func keep(events indexes: [Int]) {
        var kept = ByteBuffer(capacity: body.count)
        var keptEnds: [Int] = []
        for index in indexes where ends.indices.contains(index) {
            let start = index > 0 ? ends[index - 1] : 0
            kept.append(UnsafeRawBufferPointer(rebasing: body.bytes[start..<ends[index]]))
            keptEnds.append(kept.count)
        }
        if keptEnds.count < ends.count { isReduced = true }
        body = kept
        ends = keptEnds
    }

    /// The bytes of one event.
    public func withEvent<R>(_ index: Int, _ read: (UnsafeRawBufferPointer) -> R) -> R {
        let start = index > 0 ? ends[index - 1] : 0
        return read(UnsafeRawBufferPointer(rebasing: body.bytes[start..<ends[index]]))
    }

    /// The bytes of a run of events, valid until the chunk changes.
    public func bytes(of events: Range<Int>) -> UnsafeRawBufferPointer {
        guard !events.isEmpty else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let start = events.lowerBound > 0 ? ends[events.lowerBound - 1] : 0
        return UnsafeRawBufferPointer(rebasing: body.bytes[start..<ends[events.upperBound - 1]])
    }

    /// How many bytes a run of events takes.
    public func byteCount(of events: Range<Int>) -> Int { bytes(of: events).count }

    /// Takes over bytes that were read back from the chunk's file.
    func restore(body: consuming ByteBuffer, ends: [Int]) {
        self.body = body
        self.ends = ends
    }

    /// Takes the body's memory for another chunk.
    func takeBody() -> ByteBuffer {
        var taken = ByteBuffer()
        swap(&taken, &body)
        taken.truncate(to: 0)
        return taken
    }

    /// Gives the body's memory away; the file holds the bytes.
    func dropBody() {
        body = ByteBuffer()
        ends = []
    }
}
