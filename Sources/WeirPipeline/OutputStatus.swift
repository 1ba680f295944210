import WeirMetrics

/// What an output's buffer holds and how its sending goes, at one moment.
public struct OutputStatus: Sendable, Equatable {
    /// Chunks that are being filled.
    public var stagedChunkCount = 0
    /// Their bytes.
    public var stagedByteCount = 0
    /// Sealed chunks that wait or are being sent.
    public var queuedChunkCount = 0
    /// All bytes held in memory.
    public var totalByteCount = 0
    /// Most bytes that it holds, if there is a limit.
    public var byteLimit: Int?
    /// The oldest time slot of its chunks, in Unix seconds, when `time` is a chunk key.
    public var oldestTimeSlot: Int64?
    /// The newest one.
    public var newestTimeSlot: Int64?
    /// Failures in a row of the chunk that fails most.
    public var retryCount = 0
    /// Seconds until the next try of the chunk that waits longest.
    public var retryWaitSeconds = 0.0
    /// Tries that failed, in all.
    public var failureCount: UInt64 = 0
    /// Batches that were written into the buffer.
    public var batchCount: UInt64 = 0
    /// Events that were written into the buffer.
    public var eventCount: UInt64 = 0
    /// Chunks that were sent, failures included.
    public var sendCount: UInt64 = 0
    /// Milliseconds that sending took, in all.
    public var sendMilliseconds: UInt64 = 0
    /// Sends that took longer than ``slowSendSeconds``.
    public var slowSendCount: UInt64 = 0

    /// From when on a send is slow: Fluentd's `slow_flush_log_threshold`.
    public static let slowSendSeconds: UInt64 = 20

    /// An output that has done nothing yet.
    public init() {}
}

extension BufferedOutput {
    /// What it holds and how its sending goes.
    public var status: OutputStatus {
        var status = OutputStatus()
        let now = parts.clock.monotonicNanoseconds
        monitor.withLock { state in
            status.stagedChunkCount = state.queue.staged.count
            status.stagedByteCount = state.queue.stagedByteCount
            status.queuedChunkCount = state.queue.queue.count + state.queue.sendingCount
            status.totalByteCount = state.queue.byteCount
            let slots =
                state.queue.staged.keys.compactMap(\.timeSlot)
                + state.queue.queue.compactMap(\.chunk.key.timeSlot)
            status.oldestTimeSlot = slots.min()
            status.newestTimeSlot = slots.max()
            for entry in state.queue.queue where entry.retry.failureCount > 0 {
                status.retryCount = max(status.retryCount, entry.retry.failureCount)
                let wait = entry.readyAt > now ? Double(entry.readyAt - now) / 1e9 : 0
                status.retryWaitSeconds = max(status.retryWaitSeconds, wait)
            }
        }
        status.byteLimit = parts.options.totalByteLimit
        status.failureCount = parts.metrics.retries.value
        status.batchCount = parts.metrics.batches.value
        status.eventCount = parts.metrics.events.value
        status.sendCount = parts.metrics.flushes.value
        status.sendMilliseconds = parts.metrics.sendMilliseconds.value
        status.slowSendCount = parts.metrics.slowSends.value
        return status
    }

    /// Notes how long a send took.
    func noteSend(since start: UInt64) {
        let now = parts.clock.monotonicNanoseconds
        let nanoseconds = now > start ? now - start : 0
        parts.metrics.flushes.add()
        parts.metrics.sendMilliseconds.add(Int(clamping: nanoseconds / 1_000_000))
        if nanoseconds > OutputStatus.slowSendSeconds * 1_000_000_000 {
            parts.metrics.slowSends.add()
        }
    }
}
