// Hot path: `write` runs once per batch and output.
import Glibc
import WeirCore
import WeirMetrics

/// An output that gathers events into chunks and sends them on its own threads.
public final class BufferedOutput: Output {
    /// What the output is made of.
    public struct Parts: Sendable {
        /// The name that the user knows it by.
        public var name: String
        /// Where chunks go.
        public var destination: any ChunkDestination
        /// How chunks are gathered.
        public var options: BufferOptions
        /// Takes what is refused.
        public var refusals: any RefusalSink
        /// Another destination for chunks that this one does not take.
        public var secondary: (any Output)?
        /// What it tells of itself.
        public var metrics: OutputMetrics
        /// Time.
        public var clock: any PipelineClock
        /// Where notable happenings are told.
        public var log: @Sendable (OutputReport) -> Void

        /// Parts by name.
        public init(
            name: String, destination: any ChunkDestination, options: BufferOptions,
            refusals: any RefusalSink, secondary: (any Output)?, metrics: OutputMetrics,
            clock: any PipelineClock, log: @escaping @Sendable (OutputReport) -> Void
        ) {
            self.name = name
            self.destination = destination
            self.options = options
            self.refusals = refusals
            self.secondary = secondary
            self.metrics = metrics
            self.clock = clock
            self.log = log
        }
    }

    struct State: ~Copyable {
        var queue: ChunkQueue
        let encoder: any ChunkEncoder
        var keys: ChunkKeyReader
        var deadline: UInt64?
        var runningSenders = 0
    }

    let parts: Parts
    let monitor: Monitor<State>
    private let senders: [any ChunkSender]
    let store: ChunkStore?

    /// An output that does not send yet.
    public init(_ parts: Parts) {
        var parts = parts
        let limits = [parts.options.totalByteLimit, parts.options.memoryByteLimit]
        if let limit = limits.compactMap(\.self).min() {
            // Three chunks must fit: one filling, one waiting, one on its way.
            parts.options.chunkByteLimit = min(parts.options.chunkByteLimit, max(limit / 3, 1))
        }
        self.parts = parts
        store = parts.options.directory.map { ChunkStore(directory: $0) }
        senders = (0..<max(1, parts.options.flushThreadCount)).map { _ in
            parts.destination.makeSender()
        }
        monitor = Monitor(
            State(
                queue: ChunkQueue(options: parts.options),
                encoder: parts.destination.makeEncoder(),
                keys: ChunkKeyReader(options: parts.options)))
    }

    public var admits: Bool {
        // What this output gives up must have room as well.
        if let secondary = parts.secondary, !secondary.admits { return false }
        let makesRoom = parts.options.overflowAction == .dropOldestChunk
        return monitor.withLock { state in
            if state.queue.isStopping { return false }
            // Dropping a chunk that is in a file gives no memory back.
            if isMemoryFull(state.queue) { return makesRoom && store == nil }
            return makesRoom || !isFull(state.queue)
        }
    }

    private func isMemoryFull(_ queue: borrowing ChunkQueue) -> Bool {
        parts.options.memoryByteLimit.map { queue.byteCount >= $0 } ?? false
    }

    /// Whether there are as many chunks, or bytes of chunks, as there may be.
    private func isFull(_ queue: borrowing ChunkQueue) -> Bool {
        if let limit = parts.options.queuedChunkLimit, queue.queue.count >= limit { return true }
        guard let limit = parts.options.totalByteLimit else { return false }
        return queue.byteCount &+ queue.fileByteCount >= limit
    }

    // MARK: Writing

    public func write(_ batch: EventBatch, ticket: DeliveryTicket) {
        var refused: [(row: Int, reason: String)] = []
        var dropped: [DroppedChunk] = []
        var complaints: [EncodingComplaint] = []
        let now = parts.clock.monotonicNanoseconds
        monitor.change { state in
            if parts.options.overflowAction == .dropOldestChunk {
                while isFull(state.queue), let chunk = state.queue.dropOldest() {
                    state.queue.account(-chunk.accountedByteCount)
                    dropped.append(
                        DroppedChunk(
                            eventCount: chunk.eventCount, file: chunk.file,
                            tickets: chunk.takeTickets()))
                }
            }
            let before = state.queue.byteCount
            state.encoder.begin(batch)
            state.keys.begin(batch)
            var added = 0
            var row = 0
            while row < batch.rows.count {
                if batch.rows[row].isDropped {
                    row &+= 1
                    continue
                }
                let key = state.keys.key(row: row, in: batch)
                let chunk = state.queue.stagedChunk(key, now: now)
                row = append(
                    batch, from: row, to: chunk, &state, ticket, now: now, &added, &refused)
            }
            complaints = state.encoder.takeComplaints()
            parts.metrics.batches.add()
            parts.metrics.events.add(added)
            parts.metrics.bytes.add(state.queue.byteCount - before)
            publish(state.queue)
        }
        for chunk in dropped { drop(chunk) }
        if !refused.isEmpty { refuse(refused, of: batch, ticket) }
        if !complaints.isEmpty { tell(complaints, ticket) }
    }

    private func tell(_ complaints: [EncodingComplaint], _ ticket: DeliveryTicket) {
        let events = complaints.map { complaint in
            RefusedEvent(
                recordText: Array(JSONValueWriter.text(.object(complaint.record)).utf8),
                tag: complaint.tag, time: complaint.time, component: parts.name,
                reason: complaint.reason)
        }
        parts.metrics.refused.add(events.count)
        parts.refusals.refuse(events, ticket: ticket)
    }

    /// Appends rows that belong to one chunk.
    /// - Returns: The next row, of which chunk is not known.
    @inline(__always)
    private func append(
        _ batch: EventBatch, from first: Int, to chunk: Chunk, _ state: inout State,
        _ ticket: DeliveryTicket, now: UInt64, _ added: inout Int,
        _ refused: inout [(row: Int, reason: String)]
    ) -> Int {
        var row = first
        while row < batch.rows.count {
            if batch.rows[row].isDropped {
                row &+= 1
                continue
            }
            let size = chunk.byteCount
            if let reason = state.encoder.append(row: row, of: batch, to: &chunk.body) {
                chunk.body.truncate(to: size)
                refused.append((row, reason))
            } else {
                chunk.closeEvent()
                state.queue.account(chunk.byteCount &- size)
                added &+= 1
                if !settle(chunk, &state, ticket, tag: batch.tag, now: now) {
                    return row &+ 1
                }
            }
            row &+= 1
            if state.keys.constant == nil { return row }
        }
        return row
    }

    /// Seals the chunk that an event was just added to, if it is full or due at once.
    /// - Returns: Whether it is still the staged one.
    @inline(__always)
    private func settle(
        _ chunk: Chunk, _ state: inout State, _ ticket: DeliveryTicket, tag: String, now: UInt64
    ) -> Bool {
        if state.queue.isOverfull(chunk) {
            let next = Chunk(key: chunk.key, body: state.queue.newBody(), createdAt: now)
            chunk.removeLastEvent(into: next)
            _ = state.queue.seal(chunk.key, now: now)
            next.hold(ticket, tag: tag)
            state.queue.restage(next)
            if state.queue.isFull(next) { _ = state.queue.seal(next.key, now: now) }
            return false
        }
        chunk.hold(ticket, tag: tag)
        guard state.queue.isFull(chunk) else { return true }
        _ = state.queue.seal(chunk.key, now: now)
        return false
    }

    func publish(_ queue: borrowing ChunkQueue) {
        parts.metrics.queuedChunks.set(queue.queue.count)
        parts.metrics.queuedBytes.set(queue.byteCount)
        parts.metrics.fileBytes.set(queue.fileByteCount)
    }

    /// A chunk that made room, as it was then.
    private struct DroppedChunk {
        var eventCount: Int
        var file: ChunkFile?
        var tickets: [DeliveryTicket]
    }

    private func drop(_ chunk: DroppedChunk) {
        let count =
            chunk.eventCount > 0 ? chunk.eventCount : chunk.file.flatMap { store?.count($0) } ?? 0
        parts.metrics.dropped.add(count)
        parts.log(.droppedOldestChunk(output: parts.name, eventCount: count))
        for ticket in chunk.tickets { ticket.release() }
    }

    private func refuse(
        _ rows: [(row: Int, reason: String)], of batch: EventBatch, _ ticket: DeliveryTicket
    ) {
        var encoder = BatchEncoder(batch)
        let events = rows.map { row, reason in
            var buffer = ByteBuffer(capacity: 1024)
            encoder.append(row: row, to: &buffer)
            return RefusedEvent(
                recordText: Array(buffer.bytes), tag: batch.tag, time: batch.rows[row].time,
                component: parts.name, reason: reason)
        }
        parts.metrics.refused.add(events.count)
        parts.refusals.refuse(events, ticket: ticket)
    }

    // MARK: Life

    public func start() throws(ComponentError) {
        try parts.secondary?.start()
        if let store {
            let found = try store.open()
            let now = parts.clock.monotonicNanoseconds
            monitor.change { state in
                for (index, file) in found.enumerated() {
                    let chunk = Chunk(
                        key: file.key, body: ByteBuffer(), createdAt: UInt64(index))
                    keep(chunk, in: file, readAt: .max, &state)
                    state.queue.enqueue(chunk, now: now)
                }
                publish(state.queue)
                state.runningSenders += 1
            }
            let number = (found.map(\.number).max() ?? 0) &+ 1
            WorkerThread.start("weir-persist") { [self] in persist(from: number) }
        }
        for sender in senders {
            monitor.withLock { $0.runningSenders += 1 }
            WorkerThread.start("weir-send") { [self] in deliver(with: sender) }
        }
    }

    public func flush() {
        let now = parts.clock.monotonicNanoseconds
        monitor.change { state in
            for key in Array(state.queue.staged.keys) { _ = state.queue.seal(key, now: now) }
            state.queue.makeAllReady(now: now)
        }
        parts.secondary?.flush()
    }

    public func stop(deadline: UInt64) -> Bool {
        if parts.options.flushesAtShutdown || store != nil { flush() }
        monitor.change { state in
            state.queue.isStopping = true
            state.deadline = deadline
        }
        let isEmpty = monitor.wait { state -> WaitAnswer<Bool> in
            if state.runningSenders == 0 { return .done(state.queue.isEmpty) }
            let now = parts.clock.monotonicNanoseconds
            if now >= deadline { return .done(state.queue.isEmpty) }
            return .waitUntil(deadline)
        }
        if !isEmpty { for sender in senders { sender.abort() } }
        // Senders see the deadline and leave; wait for the one that was aborted.
        monitor.wait { state -> WaitAnswer<Void> in
            state.runningSenders == 0 ? .done(()) : .waitForChange
        }
        // Only now nothing is given up any more.
        let isSecondaryEmpty = parts.secondary?.stop(deadline: deadline) ?? true
        return monitor.withLock { state in
            isSecondaryEmpty
                && state.queue.queue.allSatisfy { $0.chunk.file != nil }
                && state.queue.staged.isEmpty
        }
    }
}

/// Time, as the pipeline sees it.
public protocol PipelineClock: Sendable {
    /// Nanoseconds on a clock that never jumps.
    var monotonicNanoseconds: UInt64 { get }
    /// The time of day.
    var now: Timestamp { get }
}

/// What happens in outputs that a person may want to know.
public enum OutputReport: Sendable {
    case retrying(output: String, eventCount: Int, reason: String, after: Duration)
    case recovered(output: String)
    case gaveUp(output: String, eventCount: Int, reason: String)
    case droppedOldestChunk(output: String, eventCount: Int)
    case bufferFile(output: String, path: String, problem: String)
    case samplesDelayed(output: String, reason: String, after: Duration)
    case samplesDropped(output: String, sampleCount: Int, reason: String)
}
