import WeirCore
import WeirMetrics

/// File buffers: a sealed chunk is written to its file, its sources move on, and the file goes when
/// nobody needs the chunk's events any more.
extension BufferedOutput {
    /// Lets a chunk live in its file from now on.
    ///
    /// The file is held by a ticket like those of sources: what the destination refuses, or what goes
    /// to the secondary output, is safe elsewhere before the file is gone.
    func keep(_ chunk: Chunk, in file: ChunkFile, readAt: UInt64, _ state: inout State) {
        chunk.file = file
        state.queue.account(fileBytes: file.byteCount)
        let store = store
        let ticket = DeliveryTicket(readAt: readAt) { [weak self] in
            store?.remove(file)
            guard let self else { return }
            monitor.change { state in
                state.queue.account(fileBytes: -file.byteCount)
                publish(state.queue)
            }
        }
        chunk.hold(ticket)
        ticket.release()
    }

    /// The life of the thread that makes sealed chunks safe on disk.
    /// - Parameter number: The number of the first file.
    func persist(from number: UInt64) {
        var number = number
        while let chunk = nextUnsafeChunk() {
            guard let store else { break }
            switch store.write(chunk, number: number) {
            case .success(let file):
                number &+= 1
                guard let tickets = settle(chunk, in: file) else {
                    // It was dropped meanwhile, to make room.
                    store.remove(file)
                    continue
                }
                for ticket in tickets { ticket.release() }
            case .failure(let problem):
                parts.log(
                    .bufferFile(
                        output: parts.name, path: store.directory, problem: problem.message))
                // The disk is full or gone: the chunk is sent from memory and holds its tickets.
                monitor.change { $0.queue.markSafe(chunk) }
            }
        }
        monitor.change { $0.runningSenders -= 1 }
    }

    /// Gives the memory of a written chunk back.
    /// - Returns: The tickets of its sources; `nil` if the chunk is not queued any more.
    private func settle(_ chunk: Chunk, in file: ChunkFile) -> [DeliveryTicket]? {
        monitor.change { state in
            guard state.queue.contains(chunk) else { return nil }
            chunk.dropBody()
            state.queue.account(chunk.settleAccount())
            let tickets = chunk.takeTickets()
            keep(chunk, in: file, readAt: tickets.map(\.readAt).min() ?? .max, &state)
            for ticket in tickets where ticket.awaitsDestination { chunk.hold(ticket) }
            state.queue.markSafe(chunk)
            publish(state.queue)
            return tickets
        }
    }

    /// The next sealed chunk to write; seals those that are due.
    private func nextUnsafeChunk() -> Chunk? {
        monitor.wait { state -> WaitAnswer<Chunk?> in
            let wake = sealDue(&state, now: parts.clock.monotonicNanoseconds)
            if let chunk = state.queue.takeUnsafe() { return .done(chunk) }
            if state.queue.isStopping, state.queue.staged.isEmpty { return .done(nil) }
            return wake.map { .waitUntil($0) } ?? .waitForChange
        }
    }

    /// Reads a chunk of a file buffer back; a file that gives nothing is set aside.
    func load(_ entry: inout ChunkQueue.Entry) -> Bool {
        let chunk = entry.chunk
        guard let file = chunk.file, let store, chunk.eventCount == 0 else { return true }
        switch store.read(file, into: chunk) {
        case .success(let damagedCount):
            if damagedCount > 0 {
                parts.metrics.damagedRecords.add(damagedCount)
                report(file, "\(damagedCount) damaged records were set aside")
            }
            if chunk.eventCount > 0 { return true }
            if damagedCount > 0 { store.setAside(file) }
        case .failure(let problem):
            report(file, problem.message)
            store.setAside(file)
        }
        chunk.release()
        monitor.change { state in
            state.queue.finish()
            publish(state.queue)
        }
        return false
    }

    private func report(_ file: ChunkFile, _ problem: String) {
        parts.metrics.damagedChunks.add()
        parts.log(.bufferFile(output: parts.name, path: file.path, problem: problem))
    }
}
