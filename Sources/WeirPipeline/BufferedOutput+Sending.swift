import WeirCore
import WeirMetrics

extension BufferedOutput {
    /// What a sending thread does next.
    private enum Task {
        case send(ChunkQueue.Entry)
        case exit
    }

    /// The life of a sending thread.
    func deliver(with sender: any ChunkSender) {
        var failing = false
        while case .send(var entry) = nextTask() {
            if !load(&entry) { continue }
            let eventCount = entry.chunk.eventCount
            var refusedCount = 0
            let start = parts.clock.monotonicNanoseconds
            let outcome = sender.send(entry.chunk) { rejections in
                refusedCount += rejections.count
                reject(rejections, of: entry.chunk)
            }
            noteSend(since: start)
            note(outcome, eventCount &- refusedCount, of: entry.chunk)
            switch outcome {
            case .delivered:
                if failing { parts.log(.recovered(output: parts.name)) }
                failing = false
                end(entry.chunk, delivered: true)
            case .retry(let reason, let after, let progressed):
                failing = true
                retry(entry, reason: reason, after: after, progressed: progressed)
            case .refused(let reason):
                giveUp(entry.chunk, reason: reason)
            }
        }
        monitor.change { $0.runningSenders -= 1 }
    }

    /// Counts what of `count` events that were not refused has arrived.
    private func note(_ outcome: DeliveryOutcome, _ count: Int, of chunk: Chunk) {
        switch outcome {
        case .delivered: parts.metrics.delivered.add(count)
        case .retry: parts.metrics.delivered.add(count &- chunk.eventCount)
        case .refused: break
        }
    }

    /// Moves the staged chunks that are due to the queue.
    /// - Returns: When the next one is.
    func sealDue(_ state: inout State, now: UInt64) -> UInt64? {
        let wall = parts.clock.now.seconds
        for key in state.queue.dueKeys(now: now, wallSeconds: wall) {
            _ = state.queue.seal(key, now: now)
        }
        return state.queue.nextDue(now: now, wallSeconds: wall)
    }

    private func nextTask() -> Task {
        monitor.wait { state -> WaitAnswer<Task> in
            let now = parts.clock.monotonicNanoseconds
            if let deadline = state.deadline, now >= deadline { return .done(.exit) }
            // Into a file buffer the thread seals that writes the files.
            let wake = store == nil ? sealDue(&state, now: now) : nil
            switch state.queue.next(now: now, persistedOnly: store != nil) {
            case .send(let entry):
                publish(state.queue)
                return .done(.send(entry))
            case .waitUntil(let time):
                return .waitUntil(min(time, wake ?? .max, state.deadline ?? .max))
            case .waitForChange:
                if state.queue.isStopping, state.queue.queue.isEmpty, state.queue.sendingCount == 0
                {
                    return .done(.exit)
                }
                guard let time = [wake, state.deadline].compactMap(\.self).min(), time < .max
                else { return .waitForChange }
                return .waitUntil(time)
            }
        }
    }

    /// The chunk's events have left this output.
    private func end(_ chunk: Chunk, delivered: Bool) {
        let bytes = chunk.accountedByteCount
        let now = parts.clock.monotonicNanoseconds
        for readAt in chunk.release() where delivered && now >= readAt {
            parts.metrics.latency.observe(Double(now - readAt) / 1e9)
        }
        monitor.change { state in
            state.queue.account(-bytes)
            state.queue.finish()
            state.queue.recycle(chunk.takeBody())
            publish(state.queue)
        }
    }

    private func retry(
        _ entry: ChunkQueue.Entry, reason: String, after: Duration?, progressed: Bool
    ) {
        var entry = entry
        let now = parts.clock.monotonicNanoseconds
        if progressed { entry.retry = RetryState(options: parts.options.retry) }
        switch entry.retry.next(now: now) {
        case .retry(let delay):
            let wait = max(delay.nanoseconds, after?.nanoseconds ?? 0)
            entry.readyAt = now &+ wait
            parts.metrics.retries.add()
            let eventCount = entry.chunk.eventCount
            // What is left of a chunk stays in memory: its file still has what was delivered.
            if entry.chunk.file != nil, !entry.chunk.isReduced { entry.chunk.dropBody() }
            let sizeChange = entry.chunk.settleAccount()
            monitor.change { state in
                state.queue.account(sizeChange)
                if let after { state.queue.pause(until: now &+ after.nanoseconds) }
                state.queue.requeue(entry)
                publish(state.queue)
            }
            parts.log(
                .retrying(
                    output: parts.name, eventCount: eventCount, reason: reason,
                    after: .nanoseconds(Int64(clamping: wait))))
        case .useSecondary, .giveUp:
            giveUp(entry.chunk, reason: reason)
        }
    }

    /// The destination will not take the chunk: to the secondary output, or to the refused events.
    private func giveUp(_ chunk: Chunk, reason: String) {
        parts.log(
            .gaveUp(output: parts.name, eventCount: chunk.eventCount, reason: reason))
        if let secondary = parts.secondary {
            let batch = batch(of: chunk)
            let holders = chunk.sharedTickets()
            let ticket = DeliveryTicket(readAt: parts.clock.monotonicNanoseconds) {
                for holder in holders { holder.release() }
            }
            secondary.write(batch, ticket: ticket)
            ticket.release()
        } else {
            reject(
                (0..<chunk.eventCount).map { Rejection(index: $0, reason: reason) }, of: chunk)
        }
        end(chunk, delivered: false)
    }

    /// Hands events that the destination refused to whoever takes refused events.
    private func reject(_ rejections: [Rejection], of chunk: Chunk) {
        guard !rejections.isEmpty else { return }
        parts.metrics.refused.add(rejections.count)
        let time = parts.clock.now
        let events = rejections.map { rejection in
            let text = chunk.withEvent(rejection.index) { bytes in
                Array(parts.destination.recordText(of: bytes))
            }
            return RefusedEvent(
                recordText: text, tag: chunk.tag ?? "", time: time, component: parts.name,
                reason: rejection.reason)
        }
        let holders = chunk.sharedTickets()
        let ticket = DeliveryTicket(readAt: parts.clock.monotonicNanoseconds) {
            for holder in holders { holder.release() }
        }
        parts.refusals.refuse(events, ticket: ticket)
        ticket.release()
    }

    /// The chunk's events as a batch again.
    private func batch(of chunk: Chunk) -> EventBatch {
        var text = ByteBuffer(capacity: chunk.byteCount)
        for index in 0..<chunk.eventCount {
            chunk.withEvent(index) { text.append(parts.destination.recordText(of: $0)) }
            text.append(byte: 0x0a)
        }
        let batch = EventBatch(blockCapacity: max(text.count, 64))
        batch.fillBlock(copying: text.bytes)
        batch.tag = chunk.tag ?? ""
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: parts.clock.now)
        return batch
    }
}
