import WeirCore

/// How an output gathers events into chunks and when it sends them: Fluentd's `<buffer>`.
public struct BufferOptions: Sendable, Equatable {
    /// When staged chunks are sent.
    public enum FlushMode: String, Sendable, CaseIterable {
        /// When the time slot of the chunk key `time` is over.
        case lazy
        /// Every `flushInterval`.
        case interval
        /// At once.
        case immediate
    }

    /// What happens to new events when the buffer is full.
    public enum OverflowAction: String, Sendable, CaseIterable {
        /// The source waits; Fluentd throws, and its tail keeps the lines for later.
        case throwException = "throw_exception"
        /// The source waits.
        case block
        /// The oldest queued chunk is dropped, and counted.
        case dropOldestChunk = "drop_oldest_chunk"
    }

    /// Fluentd's limit of a chunk in memory.
    public static let memoryChunkByteLimit = 8 * 1024 * 1024
    /// Fluentd's limit of all chunks of a file buffer.
    public static let fileTotalByteLimit = 64 << 30
    /// Most field keys and time slots staged at once; beyond it the oldest chunk is sent early.
    public static let stagedChunkLimit = 1024

    /// Whether the tag is a chunk key.
    public var keyedByTag = false
    /// Record fields that are chunk keys.
    public var keyedByFields: [String] = []
    /// The length of a time slot in seconds, when `time` is a chunk key.
    public var timeSlotSeconds: Int64?
    /// The zone in which time slots are cut.
    public var timeSlotZone: TimeZone = .utc
    /// How long after a time slot's end its events are waited for.
    public var timeSlotWait: Duration = .seconds(600)
    /// A chunk's limit in bytes.
    public var chunkByteLimit = BufferOptions.memoryChunkByteLimit
    /// A chunk's limit in events; `nil` for none.
    public var chunkEventLimit: Int?
    /// The part of the byte limit at which a chunk is sent.
    public var chunkFullThreshold = 0.95
    /// The limit of all chunks of this output in bytes, in memory and on disk; `nil` for none.
    public var totalByteLimit: Int?
    /// The limit of the chunks that are in memory in bytes: this output's share of the process's
    /// budget; `nil` for none.
    public var memoryByteLimit: Int?
    /// Most sealed chunks; `nil` for none.
    public var queuedChunkLimit: Int?
    /// When staged chunks are sent.
    public var flushMode = FlushMode.interval
    /// The time between flushes. Fluentd waits 60 seconds, Weir one.
    public var flushInterval: Duration = .seconds(1)
    /// How many threads send.
    public var flushThreadCount = 1
    /// Whether what is staged is sent when the agent stops.
    public var flushesAtShutdown = true
    /// What happens to new events when the buffer is full.
    public var overflowAction = OverflowAction.throwException
    /// How failed chunks are tried again.
    public var retry = RetryOptions()
    /// The folder of a file buffer; `nil` for memory.
    public var directory: String?

    /// Fluentd's defaults, but for the flush interval.
    public init() {}
}
