// Hot path: once per block of a file.
import WeirCore
import WeirHost
import WeirMetrics
import WeirParse
import WeirPipeline

/// Reads the next block of one file into a batch and hands it on.
struct BlockReader {
    enum Outcome {
        case nothing
        case read
        /// An output has no room.
        case blocked
        /// As much was read as the limits allow for now.
        case throttled
    }

    /// Which waits for the rest of an unfinished end are over.
    private struct Due {
        var line = false
        var event = false
    }

    /// A piece of the file that was taken.
    private struct Block {
        var byteCount: UInt64
        /// Whether nothing but an unfinished line is behind it.
        var isAtEnd: Bool
    }

    private let around: TailEngine.Surroundings
    private let batch: EventBatch
    private let path: TailedPath
    private let generation: Generation

    init(
        around: TailEngine.Surroundings, batch: EventBatch, path: TailedPath,
        _ generation: Generation
    ) {
        self.around = around
        self.batch = batch
        self.path = path
        self.generation = generation
    }

    /// Reads one block, if there is a whole line and room for its events.
    func readBlock(_ moment: TailEngine.Moment) -> Outcome {
        guard generation.knownSize > generation.readOffset else { return .nothing }
        let due = due(moment)
        let hasGrown = generation.searchedOffset < generation.knownSize
        if !hasGrown, !due.line, !due.event { return .nothing }
        guard around.sink.admits(tag: path.tag) else { return .blocked }
        let allowance = path.throttle.allowance(at: moment.monotonic)
        guard !allowance.isEmpty else { return .throttled }
        guard let block = fill(due, allowance, moment) else { return .nothing }
        emit(block, moment)
        return .read
    }

    /// Whether the end of the file is to be taken as it is: a rotated file is waited for as long
    /// as its rotation is, others as the options say.
    private func due(_ moment: TailEngine.Moment) -> Due {
        guard let (what, since) = generation.unfinished else { return Due() }
        if let rotatedAt = generation.rotatedAt {
            let until = max(generation.grownAt, rotatedAt) &+ around.options.rotateWait.nanoseconds
            if moment.monotonic >= until { return Due(line: true, event: true) }
        }
        func isOver(_ wait: Duration?) -> Bool {
            wait.map { moment.monotonic >= since &+ $0.nanoseconds } ?? false
        }
        switch what {
        case .line: return Due(line: isOver(around.options.partialLineTimeout))
        case .event: return Due(event: isOver(around.options.multilineTimeout))
        }
    }

    // MARK: Lines

    /// Fills the batch with whole lines.
    /// - Returns: What was taken; `nil` when there is no whole line.
    private func fill(
        _ due: Due, _ allowance: Throttle.Allowance, _ moment: TailEngine.Moment
    ) -> Block? {
        let limit = around.options.lineByteLimit
        let turn = min(around.options.turnByteLimit, allowance.byteCount ?? .max)
        var capacity = max(turn, generation.neededCapacity)
        while true {
            batch.reset()
            guard load(capacity) else { return nil }
            let count = batch.blockCount
            // A block that is not full ends the file, even if the file was longer a moment ago.
            let isAtEnd =
                count < capacity || generation.readOffset + UInt64(count) >= generation.knownSize
            var used = batch.cutLines(position: generation.readOffset)
            if used == 0 {
                if generation.skippedLineStart != nil || count > limit {
                    skip()
                    return Block(byteCount: UInt64(count), isAtEnd: isAtEnd)
                }
                guard isAtEnd else {
                    capacity = min(capacity * 2, limit + 1)
                    continue
                }
                guard due.line else {
                    wait(for: .line, until: generation.readOffset + UInt64(count), moment)
                    return nil
                }
            }
            skipLineEnd()
            if let most = allowance.lineCount, batch.lines.count > most {
                used = Int(batch.lines[most].position - generation.readOffset)
                batch.lines.removeSubrange(most...)
            } else if due.line, isAtEnd, used < count {
                takeUnfinished(from: used)
                used = count
            }
            batch.endsInput = isAtEnd ? due.line || due.event : capacity >= eventByteLimit
            finishLines()
            return Block(byteCount: UInt64(used), isAtEnd: isAtEnd)
        }
    }

    private func load(_ capacity: Int) -> Bool {
        do throws(SystemError) {
            try batch.fillBlock(capacity: capacity) { (room) throws(SystemError) in
                try generation.file.read(into: room, at: generation.readOffset)
            }
            generation.hasFailed = false
            return batch.blockCount > 0
        } catch {
            if !generation.hasFailed {
                around.log(.unreadable(path: path.path, reason: "\(error)"))
                around.metrics.unreadable.add()
            }
            generation.hasFailed = true
            return false
        }
    }

    /// Notes that the end of the file is not complete, unless it was not before either.
    private func wait(
        for what: Generation.Unfinished, until offset: UInt64, _ moment: TailEngine.Moment
    ) {
        if generation.unfinished == nil || offset > generation.searchedOffset {
            generation.unfinished = (what, moment.monotonic)
        }
        generation.searchedOffset = offset
    }

    /// Takes the rest of the file as its last line.
    private func takeUnfinished(from start: Int) {
        batch.lines.append(
            Line(
                offset: UInt32(truncatingIfNeeded: start),
                length: UInt32(truncatingIfNeeded: batch.blockCount - start),
                position: generation.readOffset + UInt64(start)))
        generation.endedWithinLine = true
    }

    /// Leaves out the line end of a line that was taken before it came.
    private func skipLineEnd() {
        guard generation.endedWithinLine, let first = batch.lines.first else { return }
        generation.endedWithinLine = false
        let isEnd = batch.withBytes(of: first) { $0.isEmpty || $0.count == 1 && $0[0] == 0x0d }
        if isEnd { batch.lines.removeFirst() }
    }

    /// Leaves out a piece of a line that is longer than the limit.
    private func skip() {
        if generation.skippedLineStart == nil {
            generation.skippedLineStart = generation.readOffset
            noteLongLine(batch.blockCount)
            if around.options.longLineAction == .truncate {
                let limit = around.options.lineByteLimit
                batch.lines = [
                    Line(
                        offset: 0, length: UInt32(truncatingIfNeeded: limit),
                        position: generation.readOffset)
                ]
            }
        }
        decode()
    }

    /// Leaves out the end of an overlong line whose beginning was handled, and lines that are
    /// longer than the limit though they fit into the block.
    private func finishLines() {
        if generation.skippedLineStart != nil, !batch.lines.isEmpty {
            generation.skippedLineStart = nil
            batch.lines.removeFirst()
        }
        batch.trimCarriageReturns()
        let limit = around.options.lineByteLimit
        if batch.lines.contains(where: { Int($0.length) > limit }) {
            for index in batch.lines.indices.reversed()
            where Int(batch.lines[index].length) > limit {
                noteLongLine(Int(batch.lines[index].length))
                switch around.options.longLineAction {
                case .drop: batch.lines.remove(at: index)
                case .truncate: batch.lines[index].length = UInt32(truncatingIfNeeded: limit)
                }
            }
        }
        decode()
    }

    private func decode() {
        switch around.options.encoding {
        case .utf8: break
        case .latin1: batch.decodeLatin1()
        }
    }

    private func noteLongLine(_ byteCount: Int) {
        around.metrics.longLines.add()
        around.log(.longLine(path: path.path, byteCount: byteCount))
    }

    // MARK: Events

    /// Parses the lines and sends the events on their way.
    private func emit(_ block: Block, _ moment: TailEngine.Moment) {
        let start = generation.readOffset
        let end = start + block.byteCount
        generation.completeFingerprint()
        batch.tag = path.tag
        batch.origin = generation.origin(node: around.node)
        let positions = batch.lines.map(\.position)
        around.parser.parse(into: batch, now: moment.wall)
        let resumed =
            batch.endsInput ? nil : batch.unfinishedPosition.map { min(max($0, start), end) }
        let next = resumed ?? end
        settleFailures(moment)
        around.metrics.lines.add(positions.count { $0 < next })
        around.metrics.bytes.add(Int(next - start))
        path.throttle.note(bytes: Int(next - start), lines: positions.count { $0 < next })
        around.metrics.replaced.add(batch.replacedByteSequenceCount)
        addPath()
        let tracker = generation.tracker
        // An overlong line is behind when its end is found, so that a restart knows what to skip.
        let number = tracker.begin(end: generation.skippedLineStart ?? next)
        let ticket = DeliveryTicket(readAt: moment.monotonic) { tracker.deliver(number) }
        if !batch.rows.isEmpty { around.sink.emit(batch, ticket: ticket) }
        ticket.release()
        let capacity = max(around.options.turnByteLimit, generation.neededCapacity)
        generation.advance(to: next)
        guard resumed != nil else { return }
        if block.isAtEnd {
            wait(for: .event, until: max(end, generation.knownSize), moment)
        } else if next == start {
            // Nothing but the beginning of an event: a larger block is needed.
            generation.neededCapacity = min(capacity * 2, eventByteLimit)
        }
    }

    /// Longest block that is read for one event of several lines.
    private var eventByteLimit: Int {
        2 * max(around.options.turnByteLimit, around.options.lineByteLimit)
    }

    /// Turns lines that did not parse into records, if wished, and counts them.
    private func settleFailures(_ moment: TailEngine.Moment) {
        guard !batch.failures.isEmpty else { return }
        for reason in ParseFailure.allCases {
            let count = batch.failures.count { $0.reason == reason }
            if count > 0 { around.metrics.parseFailures(count, reason) }
        }
        guard around.options.emitsUnmatchedLines else { return }
        let shape = Shape(["unmatched_line"])
        for failure in batch.failures {
            let line = batch.lines[Int(failure.line)]
            guard let slot = batch.withBytes(of: line, { batch.makeStringSlot($0) }) else {
                continue
            }
            batch.appendRow(
                shape: shape, slots: [slot], line: Int(failure.line), time: moment.wall)
        }
        batch.sortRowsByLine()
    }

    private func addPath() {
        guard let key = around.options.pathKey, let slot = batch.makeStringSlot(path.path) else {
            return
        }
        let column = batch.editColumn(key)
        for row in batch.rows.indices { batch.edit(column: column, row: row, to: slot) }
    }
}
