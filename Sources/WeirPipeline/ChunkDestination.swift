import WeirCore

/// Writes rows in a destination's wire format.
public protocol ChunkEncoder: AnyObject {
    /// Before the first row of a batch.
    func begin(_ batch: EventBatch)
    /// Appends one event, or nothing when it cannot be written; then says why.
    func append(row: Int, of batch: EventBatch, to buffer: inout ByteBuffer) -> String?
    /// What the rows since the last call were written in spite of.
    func takeComplaints() -> [EncodingComplaint]
}

extension ChunkEncoder {
    /// Nothing to complain of.
    public func takeComplaints() -> [EncodingComplaint] { [] }
}

/// An event that tells of another one, which was written all the same.
public struct EncodingComplaint: Sendable {
    /// What is wrong with it.
    public var record: Record
    /// The tag under which that is told.
    public var tag: String
    /// The other event's time.
    public var time: Timestamp
    /// What is wrong, in words.
    public var reason: String

    /// A complaint by its parts.
    public init(record: Record, tag: String, time: Timestamp, reason: String) {
        self.record = record
        self.tag = tag
        self.time = time
        self.reason = reason
    }
}

/// What became of a chunk that was sent.
public enum DeliveryOutcome: Sendable {
    /// All its events are at their destination, or dealt with one by one.
    case delivered
    /// The events that are left in the chunk must be sent again.
    /// - after: How long the destination asked to be left alone.
    /// - progressed: Whether a part of the chunk was delivered, so that the destination lives.
    case retry(reason: String, after: Duration?, progressed: Bool)
    /// The chunk will never be taken.
    case refused(reason: String)
}

/// Where chunks go: Elasticsearch, a file, the terminal.
public protocol ChunkDestination: AnyObject, Sendable {
    /// An encoder for one writer.
    func makeEncoder() -> any ChunkEncoder
    /// A client for one sending thread.
    func makeSender() -> any ChunkSender
    /// The record's JSON within one event of a chunk, for `<secondary>` and `@ERROR`.
    func recordText(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer
}

/// Sends chunks on one thread.
public protocol ChunkSender: AnyObject, Sendable {
    /// Sends a chunk, blocking.
    ///
    /// Leaves in the chunk what must be sent again. What the destination refuses for good is given
    /// to `rejected`, before the chunk changes.
    func send(_ chunk: Chunk, rejected: ([Rejection]) -> Void) -> DeliveryOutcome
    /// Ends a send that is under way, from another thread.
    func abort()
}
