import WeirCore

/// The chunks of one output: staged, queued, being sent, waiting for their next try.
///
/// A plain state machine: it reads no clock and sends nothing. Times are monotonic nanoseconds.
struct ChunkQueue: ~Copyable {
    /// A sealed chunk and the state of its tries.
    struct Entry {
        var chunk: Chunk
        var retry: RetryState
        var readyAt: UInt64
        /// Whether the writer of buffer files has seen it; always, in a memory buffer.
        var isSafe: Bool
    }

    let options: BufferOptions
    private(set) var staged: [ChunkKey: Chunk] = [:]
    private(set) var queue: [Entry] = []
    /// Chunks in senders' hands.
    private(set) var sendingCount = 0
    /// Bytes staged, queued and being sent, in memory.
    private(set) var byteCount = 0
    /// Bytes in files that are not delivered yet.
    private(set) var fileByteCount = 0
    /// Until when the destination as a whole is left alone.
    private(set) var pausedUntil: UInt64 = 0
    var isStopping = false
    private var spares = SpareBodies()

    init(options: BufferOptions) {
        self.options = options
    }

    var stagedByteCount: Int { staged.values.reduce(0) { $0 + $1.byteCount } }

    // MARK: Staging

    /// The staged chunk of a key, made when there is none.
    mutating func stagedChunk(_ key: ChunkKey, now: UInt64) -> Chunk {
        if let chunk = staged[key] { return chunk }
        let chunk = Chunk(key: key, body: newBody(), createdAt: now)
        staged[key] = chunk
        return chunk
    }

    /// Memory for a chunk: that of one that was delivered, if it is there.
    mutating func newBody() -> ByteBuffer {
        spares.take() ?? ByteBuffer(capacity: 4096)
    }

    /// Keeps the memory of a delivered chunk for the next one, as long as there is work.
    ///
    /// New pages cost the kernel more than filling them costs us.
    mutating func recycle(_ body: consuming ByteBuffer) {
        let hasWork = !staged.isEmpty || !queue.isEmpty
        // With many small chunks each would sooner or later sit in a large one's memory.
        if hasWork, staged.count <= 1 { spares.keep(body) } else { spares.release() }
    }

    /// Puts a chunk in another's place as the staged one.
    mutating func restage(_ chunk: Chunk) { staged[chunk.key] = chunk }

    /// Notes that memory was taken or given back.
    mutating func account(_ bytes: Int) { byteCount += bytes }

    /// Notes that a file was written or is gone.
    mutating func account(fileBytes: Int) { fileByteCount += fileBytes }

    /// Whether a staged chunk is full.
    func isFull(_ chunk: Chunk) -> Bool {
        if let limit = options.chunkEventLimit, chunk.eventCount >= limit { return true }
        return Double(chunk.byteCount) >= Double(options.chunkByteLimit)
            * options.chunkFullThreshold
    }

    /// Whether the last event made the chunk larger than it may be, and must go to the next.
    func isOverfull(_ chunk: Chunk) -> Bool {
        chunk.byteCount > options.chunkByteLimit && chunk.eventCount > 1
    }

    /// Moves a staged chunk to the queue.
    mutating func seal(_ key: ChunkKey, now: UInt64) -> Chunk? {
        guard let chunk = staged.removeValue(forKey: key), chunk.eventCount > 0 else { return nil }
        enqueue(chunk, now: now)
        return chunk
    }

    /// Puts a chunk at the queue's end.
    mutating func enqueue(_ chunk: Chunk, now: UInt64) {
        queue.append(
            Entry(
                chunk: chunk, retry: RetryState(options: options.retry), readyAt: now,
                isSafe: chunk.file != nil))
    }

    /// The keys of the staged chunks that are due.
    func dueKeys(now: UInt64, wallSeconds: Int64) -> [ChunkKey] {
        staged.values.filter { chunk in dueTime(of: chunk, now: now, wallSeconds) <= now }
            .sorted { $0.createdAt < $1.createdAt }.map(\.key)
    }

    /// When the next staged chunk is due.
    func nextDue(now: UInt64, wallSeconds: Int64) -> UInt64? {
        staged.values.map { dueTime(of: $0, now: now, wallSeconds) }.min()
    }

    private func dueTime(of chunk: Chunk, now: UInt64, _ wallSeconds: Int64) -> UInt64 {
        switch options.flushMode {
        case .immediate: return chunk.createdAt
        case .interval: return chunk.createdAt &+ options.flushInterval.nanoseconds
        case .lazy:
            guard let slot = chunk.key.timeSlot, let length = options.timeSlotSeconds else {
                return .max
            }
            let (end, overflow) = slot.addingReportingOverflow(length)
            let wait = Int64(clamping: options.timeSlotWait.components.seconds)
            if overflow || end > Int64.max - wait { return .max }
            let left = max(0, end + wait - wallSeconds)
            return now &+ UInt64(min(left, 1 << 32)) &* 1_000_000_000
        }
    }

    // MARK: Sending

    /// What a sender should do next.
    enum Next {
        case send(Entry)
        case waitUntil(UInt64)
        case waitForChange
    }

    /// The first chunk that may be sent now.
    ///
    /// - Parameter persistedOnly: Whether chunks must have been written to their files first.
    mutating func next(now: UInt64, persistedOnly: Bool) -> Next {
        if pausedUntil > now, !queue.isEmpty { return .waitUntil(pausedUntil) }
        func mayGo(_ entry: Entry) -> Bool { entry.isSafe || !persistedOnly }
        if let index = queue.firstIndex(where: { $0.readyAt <= now && mayGo($0) }) {
            sendingCount += 1
            return .send(queue.remove(at: index))
        }
        let soonest = queue.filter(mayGo).map(\.readyAt).min()
        return soonest.map { .waitUntil($0) } ?? .waitForChange
    }

    /// A sealed chunk that is not in a file yet; it stays in the queue.
    func takeUnsafe() -> Chunk? { queue.first { !$0.isSafe }?.chunk }

    /// Whether a chunk waits here.
    func contains(_ chunk: Chunk) -> Bool { queue.contains { $0.chunk === chunk } }

    /// The chunk is in its file, or cannot be.
    mutating func markSafe(_ chunk: Chunk) {
        if let index = queue.firstIndex(where: { $0.chunk === chunk }) {
            queue[index].isSafe = true
        }
    }

    /// Puts a chunk back, to be sent again.
    mutating func requeue(_ entry: Entry) {
        sendingCount -= 1
        // Behind the chunks that are older still, so that the order of the lines is kept.
        let place = queue.firstIndex { $0.chunk.createdAt > entry.chunk.createdAt } ?? queue.count
        queue.insert(entry, at: place)
    }

    /// A sent chunk has ended.
    mutating func finish() { sendingCount -= 1 }

    /// Leaves the destination alone until then.
    mutating func pause(until time: UInt64) { pausedUntil = max(pausedUntil, time) }

    /// Takes the oldest queued chunk out.
    mutating func dropOldest() -> Chunk? {
        queue.isEmpty ? nil : queue.removeFirst().chunk
    }

    /// Makes every waiting chunk ready at once.
    mutating func makeAllReady(now: UInt64) {
        pausedUntil = 0
        for index in queue.indices { queue[index].readyAt = min(queue[index].readyAt, now) }
    }

    /// Whether nothing is held.
    var isEmpty: Bool {
        queue.isEmpty && sendingCount == 0 && staged.values.allSatisfy { $0.eventCount == 0 }
    }
}

/// The memory of delivered chunks, for the next ones.
private struct SpareBodies: ~Copyable {
    // Two chunks may be delivered before the next one begins; a third is then still filling.
    private var first: ByteBuffer?
    private var second: ByteBuffer?

    mutating func keep(_ body: consuming ByteBuffer) {
        if first == nil { first = consume body } else { second = consume body }
    }

    mutating func take() -> ByteBuffer? {
        if let body = second.take() { return body }
        return first.take()
    }

    mutating func release() {
        first = nil
        second = nil
    }
}

extension Duration {
    /// The duration in nanoseconds, between 0 and about 580 years.
    public var nanoseconds: UInt64 {
        let parts = components
        guard parts.seconds >= 0 else { return 0 }
        let seconds = UInt64(min(parts.seconds, 1 << 33))
        return seconds * 1_000_000_000 + UInt64(max(0, parts.attoseconds) / 1_000_000_000)
    }
}
